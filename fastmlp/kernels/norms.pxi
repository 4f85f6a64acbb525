# What needs all parameters or all gradients of a step: penalties, clipping by the norm, and the update that follows it; after
# fastmlp/reference/norms.py. Blocks of SUM_BLOCK numbers are shared out, and each thread adds up all blocks for itself.

cdef inline Py_ssize_t blocks_of(Py_ssize_t n) noexcept nogil:
    return (n + SUM_BLOCK - 1) // SUM_BLOCK


cdef void sum_segment(const real* x, Py_ssize_t n, int magnitudes, double* totals, int thread, int team) noexcept nogil:
    # OUT totals (blocks,): this thread's share of the sums of a segment's blocks.
    cdef Py_ssize_t blocks = blocks_of(n), first = blocks * thread // team
    sum_blocks(x, n, first, blocks * (thread + 1) // team, magnitudes, totals + first)


cdef double added_up(const double* totals, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(n):
        total = total + totals[i]
    return total


cdef void sum_penalties(Job* job, int thread, int team) noexcept nogil:
    # OUT job.sums: for each segment the sums of its blocks' squares, then of their magnitudes.
    cdef double* totals = job.sums
    cdef int i, magnitudes
    mark(PENALTIES)
    for i in range(job.n_layers):
        for magnitudes in range(2):
            sum_segment(job.layers[i].weights, job.layers[i].n_in * job.layers[i].n_out, magnitudes, totals, thread, team)
            totals += blocks_of(job.layers[i].n_in * job.layers[i].n_out)
        if job.penalises_biases:
            for magnitudes in range(2):
                sum_segment(job.layers[i].bias, job.layers[i].n_out, magnitudes, totals, thread, team)
                totals += blocks_of(job.layers[i].n_out)


cdef double penalty_of(const Job* job, double l2, double l1) noexcept nogil:
    # From job.sums.
    cdef const double* totals = job.sums
    cdef double total = 0, squares, magnitudes
    cdef Py_ssize_t blocks
    cdef int i, segment
    for i in range(job.n_layers):
        for segment in range(2 if job.penalises_biases else 1):
            blocks = blocks_of(job.layers[i].n_out * (job.layers[i].n_in if segment == 0 else 1))
            squares, magnitudes = added_up(totals, blocks), added_up(totals + blocks, blocks)
            total = total + ((0.5 * l2) * squares + l1 * magnitudes)
            totals += 2 * blocks
    return total


cdef void update_clipped(Job* job, const Update* update, int thread, int team) noexcept nogil:
    # The update of all parameters from job.gradients, scaled by what clipping by their norm gives.
    cdef Update scaled = update[0]
    cdef double norm
    mark(CLIPPED_BY_NORM)
    sum_segment(job.gradients, job.n_parameters, 0, job.sums, thread, team)
    barrier_wait(&job.barrier, team)
    norm = sqrt(added_up(job.sums, blocks_of(job.n_parameters))) + job.clip_eps
    scaled.scale = <real>(job.clip_norm / norm if norm > job.clip_norm else 1.0)
    update_share(&scaled, job.layers, job.n_layers, job.gradients, job.n_parameters, thread, team)


cdef void update_share(const Update* update, const Layer* layers, int n_layers, const real* g, Py_ssize_t n, int thread,
                       int team) noexcept nogil:
    # IN OUT this thread's share of all n parameters, from their gradients g; cut at cache lines.
    cdef Py_ssize_t lines = (n + 15) // 16, first = lines * thread // team * 16, stop = min(lines * (thread + 1) // team * 16, n)
    cdef Py_ssize_t begin = 0, size, start, end
    cdef int i, segment
    mark(update.branch)
    for i in range(n_layers):
        for segment in range(2):
            size = layers[i].n_out * (layers[i].n_in if segment == 0 else 1)
            start, end = max(begin, first), min(begin + size, stop)
            if start < end:
                update.rule(update, update.bias_lines if segment else update.lines, start, 1, end - start, end - start, g + start)
            begin += size
