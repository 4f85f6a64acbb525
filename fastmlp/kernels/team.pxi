# How jobs are run: by how many threads, and how many steps at a time.

cdef int threads_at_import = threads_set()
cdef bint forked = False        # the team's threads do not live on in a forked child, and it would wait for them
cdef bint forked_said = False
cdef double SECONDS_A_MAC = 2e-11   # on one thread, about: for how long a team is worth waiting for


def _after_fork():
    global forked
    forked = True
    forget_calls()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def wait_for_whole_teams(bint wait):
    """Whether jobs wait until their whole team is there, however long that takes: for tests of what so many threads do."""
    global patient
    patient = wait


cdef int team_worth(int n_threads, Py_ssize_t threads) except -1:
    # How many of n_threads to use, where the work is worth so many.
    cdef int team = <int>min(<Py_ssize_t>n_threads, max(threads, <Py_ssize_t>1))
    if team > 1 and others_call():
        return 1    # two teams on the same processors would wait for each other
    if team > 1 and threads_set() < threads_at_import:
        team = min(team, threads_set())
    if team > 1 and forked:
        say_forked()
        return 1
    return team


cdef say_forked():
    global forked_said
    if not forked_said:
        forked_said = True
        warnings.warn("fastmlp runs on one thread in a forked process: OpenMP's threads stayed with the parent. "
                      "The results are the same; start processes by spawn or forkserver to use more threads.",
                      RuntimeWarning, stacklevel=2)


cdef void run_parts(team_work work, void* job, int parts, bint is_long):
    # Other Python threads may run meanwhile if that takes long.
    if not is_long:
        share_out(work, job, parts)
        return
    begin_call()
    with nogil:
        share_out(work, job, parts)
    end_call()


cdef void run_network(Job* job, int threads, Py_ssize_t macs, bint is_long, Autotune* autotune):
    # By up to so many threads together; a step takes so many MACs. Other Python threads may run meanwhile if that takes long.
    if not is_long:
        run_steps(job, threads, macs, autotune)
        return
    begin_call()
    with nogil:
        run_steps(job, threads, macs, autotune)
    end_call()


cdef void run_steps(Job* job, int threads, Py_ssize_t macs, Autotune* autotune) noexcept nogil:
    # A few steps at a time, after which the team may be another one: twice as many each time that not all have come.
    cdef Py_ssize_t stop = job.stop, most = (RUN + macs - 1) // macs, few = 1, steps
    cdef bint tries = threads > 1 and autotune != NULL and macs < threads * <Py_ssize_t>STEP_PAYS
    cdef double patience = macs * SECONDS_A_MAC / 4, began
    cdef int team, came
    while job.start < stop:
        team = threads if not tries or autotune.way else 1
        steps = (stop - job.start + job.batch_size - 1) // job.batch_size
        if tries:
            steps = min(steps, (autotune.left + macs - 1) // macs)
        if threads > 1:
            steps = min(steps, few)
        job.stop = min(stop, job.start + steps * job.batch_size)
        job.barrier.waited = 0
        began = now()
        came = run_together(run, job, team, patience, &job.barrier.waited)
        mark(ONE_THREAD if came == 1 else TEAM)
        if job.not_finite:
            return
        if tries and came == team:
            learn(autotune, steps * macs, (now() - began) / (steps * macs))
        few, patience = most if came == team else min(2 * few, most), 0
        skip_steps(job, steps)
        job.start = job.stop
