# Whether a team is faster than one thread, found out on the way: the bits are the same.
#
# What two threads gain in a short step is no more than what they lose by waiting for each other and by fetching numbers
# from each other's caches, and how long that takes depends on which processors the system has them run on, now.

# MACs (multiply-accumulates)
cdef Py_ssize_t WARM_UP_TEAM = 400_000_000      # before a team is timed: processors that slept take 10 ms to their speed,
cdef Py_ssize_t WARM_UP_ALONE = 12_000_000      # or before one thread is: the numbers come into one cache,
cdef Py_ssize_t TIMED = 100_000_000             # while it is timed, in runs of
cdef Py_ssize_t RUN = 25_000_000                # of which the fastest counts,
cdef Py_ssize_t SETTLED_LEAST = 1_600_000_000   # the faster way, before the other one is tried again: twice as many each
cdef Py_ssize_t SETTLED_MOST = 26_000_000_000   # time that it was the slower one again, up to these.

cdef double UNKNOWN = 1e9


cdef enum Phase:
    SETTLED, WARMING_UP, TIMING


cdef struct Autotune:
    double seconds[2]       # that a MAC takes: on one thread, by the team
    int way                 # which of the two the next `left` MACs go
    Phase phase             # and whether they go it because it is faster, or to see
    Py_ssize_t left
    int faster              # the way that was faster last, and for how many MACs that was settled
    Py_ssize_t settled


cdef void begin_autotune(Autotune* autotune) noexcept nogil:
    autotune.seconds[0] = autotune.seconds[1] = UNKNOWN
    autotune.faster, autotune.settled = 1, 0
    try_way(autotune, 1)


cdef void try_way(Autotune* autotune, int way) noexcept nogil:
    autotune.way, autotune.phase, autotune.left = way, WARMING_UP, WARM_UP_TEAM if way else WARM_UP_ALONE


cdef void learn(Autotune* autotune, Py_ssize_t macs, double seconds) noexcept nogil:
    cdef double* known = &autotune.seconds[autotune.way]
    if autotune.phase != WARMING_UP:
        # A few steps may have been interrupted: only many raise what is known.
        known[0] = min(seconds, known[0] + (seconds - known[0]) * min(macs, TIMED) / TIMED)
    autotune.left -= macs
    if autotune.left > 0:
        return
    if autotune.phase == WARMING_UP:
        autotune.phase, autotune.left = TIMING, TIMED
    elif autotune.phase == TIMING and autotune.seconds[1 - autotune.way] < UNKNOWN:
        settle(autotune, autotune.seconds[1] < autotune.seconds[0])
    else:
        try_way(autotune, 1 - autotune.way)


cdef void settle(Autotune* autotune, int faster) noexcept nogil:
    autotune.settled = min(2 * autotune.settled, SETTLED_MOST) if faster == autotune.faster else 0
    autotune.settled = max(autotune.settled, SETTLED_LEAST)
    autotune.phase, autotune.way, autotune.faster, autotune.left = SETTLED, faster, faster, autotune.settled
