# Whether a team is faster than one thread, found out on the way: the bits are the same.
#
# What two threads gain in a short step is no more than what they lose by waiting for each other and by fetching numbers
# from each other's caches, and how long that takes depends on which processors the system has them run on, now.

cdef enum:
    WARM_UP_TEAM = 1024     # steps before a team is timed: processors that slept come to their speed, which takes 10 ms,
    WARM_UP_ALONE = 32      # or before one thread is: the numbers come into one cache
    TIMED_STEPS = 256       # of either, in runs of
    RUN_STEPS = 64          # of which the fastest counts
    SETTLED_LEAST = 4096    # steps go the faster way before the other one is tried again, twice as many each time that it
    SETTLED_MOST = 65536    # was the slower one again, up to these

cdef double UNKNOWN = 1e9


cdef enum Phase:
    SETTLED, WARMING_UP, TIMING


cdef struct Trial:
    double seconds[2]       # that a step takes: on one thread, by the team
    int way                 # which of the two the next `left` steps go
    Phase phase             # and whether they go it because it is faster, or to see
    Py_ssize_t left
    int faster              # the way that was faster last, and for how many steps that was settled
    Py_ssize_t settled


cdef void begin_trials(Trial* trial) noexcept nogil:
    trial.seconds[0] = trial.seconds[1] = UNKNOWN
    trial.faster, trial.settled = 1, 0
    try_way(trial, 1)


cdef void try_way(Trial* trial, int way) noexcept nogil:
    trial.way, trial.phase, trial.left = way, WARMING_UP, WARM_UP_TEAM if way else WARM_UP_ALONE


cdef void run_by_trial(Job* job, int team, Trial* trial) noexcept nogil:
    cdef Py_ssize_t stop = job.stop, steps
    cdef double began
    while job.start < stop:
        steps = min(trial.left, (stop - job.start + job.batch_size - 1) // job.batch_size)
        if trial.phase == TIMING:
            steps = min(steps, <Py_ssize_t>RUN_STEPS)
        job.stop = min(stop, job.start + steps * job.batch_size)
        began = now()
        open_team(<const char*>job, 0, team if trial.way else 1)
        learn(trial, steps, (now() - began) / steps)
        job.start = job.stop


cdef void learn(Trial* trial, Py_ssize_t steps, double seconds) noexcept nogil:
    cdef double* known = &trial.seconds[trial.way]
    if trial.phase != WARMING_UP:
        # A few steps may have been interrupted: only many raise what is known.
        known[0] = min(seconds, known[0] + (seconds - known[0]) * min(steps, <Py_ssize_t>TIMED_STEPS) / TIMED_STEPS)
    trial.left -= steps
    if trial.left > 0:
        return
    if trial.phase == WARMING_UP:
        trial.phase, trial.left = TIMING, TIMED_STEPS
    elif trial.phase == TIMING and trial.seconds[1 - trial.way] < UNKNOWN:
        settle(trial, trial.seconds[1] < trial.seconds[0])
    else:
        try_way(trial, 1 - trial.way)


cdef void settle(Trial* trial, int faster) noexcept nogil:
    trial.settled = min(2 * trial.settled, <Py_ssize_t>SETTLED_MOST) if faster == trial.faster else 0
    trial.settled = max(trial.settled, <Py_ssize_t>SETTLED_LEAST)
    trial.phase, trial.way, trial.faster, trial.left = SETTLED, faster, faster, trial.settled
