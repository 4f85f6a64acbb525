# Teams of threads: how many are worth opening, and how they run jobs.

cdef int threads_at_import = threads_set()
cdef bint forked = False        # OpenMP's threads do not live on in a forked child, and it would wait for them
cdef bint forked_said = False
cdef int calls_under_way = 0    # of Python threads that have given the GIL away, in this module


def _after_fork():
    global forked, calls_under_way
    forked, calls_under_way = True, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


cdef int team_worth(int n_threads, Py_ssize_t threads):
    # How many of n_threads to use, where the work is worth so many.
    cdef int team = <int>min(<Py_ssize_t>n_threads, max(threads, <Py_ssize_t>1))
    if team > 1 and calls_under_way:
        return 1    # two teams on the same processors would wait for each other
    if team > 1 and threads_set() < threads_at_import:
        team = min(team, threads_set())
    if team > 1 and forked:
        say_forked()
        return 1
    return team


cdef void run_jobs(const char* jobs, size_t of_job, int count, bint is_long, Autotune* autotune):
    # By a team of `count` threads: a job of its own for each, `of_job` bytes apart, or one job for all (of_job 0), autotuned
    # where there is one. Other Python threads may run meanwhile if that takes long.
    global calls_under_way
    if not is_long:
        run_all(jobs, of_job, count, autotune)
        return
    calls_under_way += 1
    with nogil:
        run_all(jobs, of_job, count, autotune)
    calls_under_way -= 1


cdef void run_all(const char* jobs, size_t of_job, int count, Autotune* autotune) noexcept nogil:
    if autotune == NULL:
        open_team(jobs, of_job, count)
    else:
        run_autotuned(<Job*>jobs, count, autotune)


cdef void open_team(const char* jobs, size_t of_job, int count) noexcept nogil:
    if of_job == 0:
        mark(ONE_THREAD if count == 1 else TEAM)
    if count == 1:
        run(<Job*>jobs, 0, 1)
        return
    hand_over()
    with parallel(num_threads=count):
        hand_over()
        run_share(jobs, of_job, count, threadid(), team_size())
        hand_over()
    hand_over()


cdef void run_share(const char* jobs, size_t of_job, int count, int thread, int team) noexcept nogil:
    # OpenMP may give fewer threads than were asked for: each takes every team-th job then.
    cdef int i
    if of_job == 0:
        run(<Job*>jobs, thread, team)
        return
    for i from thread <= i < count by team:
        run(<Job*>(jobs + i * of_job), 0, 1)


cdef say_forked():
    global forked_said
    if not forked_said:
        forked_said = True
        warnings.warn("fastmlp runs on one thread in a forked process: OpenMP's threads stayed with the parent. "
                      "The results are the same; start processes by spawn or forkserver to use more threads.",
                      RuntimeWarning, stacklevel=2)
