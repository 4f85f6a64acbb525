# Whether a team is faster than one thread, found out on the way: the bits are the same.
#
# What two threads gain in a short step is no more than what they lose by waiting for each other and by fetching numbers
# from each other's caches, and how long that takes depends on which processors the system has them run on, now.

# Products that are computed
cdef Py_ssize_t WARM_UP_TEAM = 400_000_000      # before a team is timed: processors that slept take 10 ms to their speed,
cdef Py_ssize_t WARM_UP_ALONE = 12_000_000      # or before one thread is: the numbers come into one cache,
cdef Py_ssize_t TIMED = 100_000_000             # while it is timed, in runs of
cdef Py_ssize_t TIMED_RUN = 25_000_000          # of which the fastest counts,
cdef Py_ssize_t SETTLED_LEAST = 1_600_000_000   # the faster way, before the other one is tried again: twice as many each
cdef Py_ssize_t SETTLED_MOST = 26_000_000_000   # time that it was the slower one again, up to these.

cdef double UNKNOWN = 1e9


cdef enum Phase:
    SETTLED, WARMING_UP, TIMING


cdef struct Trial:
    Py_ssize_t products     # of a step
    double seconds[2]       # that a product takes: on one thread, by the team
    int way                 # which of the two the next `left` products go
    Phase phase             # and whether they go it because it is faster, or to see
    Py_ssize_t left
    int faster              # the way that was faster last, and for how many products that was settled
    Py_ssize_t settled


cdef void begin_trials(Trial* trial) noexcept nogil:
    trial.seconds[0] = trial.seconds[1] = UNKNOWN
    trial.faster, trial.settled = 1, 0
    try_way(trial, 1)


cdef void try_way(Trial* trial, int way) noexcept nogil:
    trial.way, trial.phase, trial.left = way, WARMING_UP, WARM_UP_TEAM if way else WARM_UP_ALONE


cdef void run_by_trial(Job* job, int team, Trial* trial) noexcept nogil:
    cdef Py_ssize_t products = trial.products, stop = job.stop, steps
    cdef double began
    while job.start < stop:
        steps = (min(trial.left, TIMED_RUN if trial.phase == TIMING else trial.left) + products - 1) // products
        steps = min(steps, (stop - job.start + job.batch_size - 1) // job.batch_size)
        job.stop = min(stop, job.start + steps * job.batch_size)
        began = now()
        open_team(<const char*>job, 0, team if trial.way else 1)
        learn(trial, steps * products, (now() - began) / (steps * products))
        job.start = job.stop


cdef void learn(Trial* trial, Py_ssize_t products, double seconds) noexcept nogil:
    cdef double* known = &trial.seconds[trial.way]
    if trial.phase != WARMING_UP:
        # A few steps may have been interrupted: only many raise what is known.
        known[0] = min(seconds, known[0] + (seconds - known[0]) * min(products, TIMED) / TIMED)
    trial.left -= products
    if trial.left > 0:
        return
    if trial.phase == WARMING_UP:
        trial.phase, trial.left = TIMING, TIMED
    elif trial.phase == TIMING and trial.seconds[1 - trial.way] < UNKNOWN:
        settle(trial, trial.seconds[1] < trial.seconds[0])
    else:
        try_way(trial, 1 - trial.way)


cdef void settle(Trial* trial, int faster) noexcept nogil:
    trial.settled = min(2 * trial.settled, SETTLED_MOST) if faster == trial.faster else 0
    trial.settled = max(trial.settled, SETTLED_LEAST)
    trial.phase, trial.way, trial.faster, trial.left = SETTLED, faster, faster, trial.settled
