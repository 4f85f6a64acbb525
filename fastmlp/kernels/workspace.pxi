# The arrays that a job works in: one block of memory, laid out by one function, which also measures how much it takes.

cdef struct Space:
    char* memory
    size_t size, used   # bytes; what does not fit into the size is measured, but has no place


cdef inline void* place(Space* space, size_t count, size_t size) noexcept:
    # Room for `count` items of `size` bytes, beginning on a cache line; NULL where it does not fit.
    cdef void* p = space.memory + space.used
    space.used += (count * size + 63) // 64 * 64
    return p if space.used <= space.size else NULL


cdef inline const real** place_rows(Space* space, const real* data, Py_ssize_t n, Py_ssize_t rows) noexcept:
    # Pointers to the rows of an array (rows, n).
    cdef const real** lines = <const real**>place(space, rows, sizeof(real*))
    if lines != NULL:
        lines_of(data, n, rows, lines)
    return lines


cdef size_t lay_out(Job* job, int team, void* memory, size_t size) noexcept:
    # The bytes that the arrays of a job and its layers take for a team, which are placed in memory if it has so many.
    cdef Space space = Space(<char*>((<size_t>memory + 63) // 64 * 64), size, 0)
    cdef Py_ssize_t rows = job.batch_size, n_out = job.layers[job.n_layers - 1].n_out
    cdef bint waits = job.mode == TRAIN and job.update.lines & SCALE     # for all gradients
    cdef bint learns = job.mode == GRADIENT or job.mode == TRAIN
    cdef bint packs = learns
    cdef bint keeps_totals = job.mode == TRAIN and rows > CHUNK and not waits
    cdef Py_ssize_t blocks = 0
    cdef real* p
    cdef Activation* output = &job.layers[job.n_layers - 1].activation
    cdef Layer* layer
    cdef int i
    for i in range(job.n_layers):
        packs = packs or pays_to_pack_b(rows, job.layers[i].n_out)
    job.panels = BUFFER if packs else 0
    job.scratch_size = job.panels
    if job.mode != FORWARD or output.forward == NULL:
        job.scratch_size += ((4 if output.keeps_z else 3) * n_out * SIDE + 15) // 16 * 16
    job.scratch = <real*>place(&space, team * job.scratch_size, sizeof(real))
    job.x_batch = <real*>place(&space, rows * job.layers[0].n_in if unpacks(job) else 0, sizeof(real))
    job.x_lines = <const real**>place(&space, team * rows, sizeof(real*))
    for i in range(job.n_layers):
        layer = &job.layers[i]
        layer.a = <real*>place(&space, rows * layer.n_out, sizeof(real))
        layer.z = <real*>place(&space, rows * layer.n_out, sizeof(real)) if layer.activation.keeps_z else layer.a
        layer.onward = <real*>place(&space, rows * layer.n_out, sizeof(real)) if layer.drop.threshold else layer.a
        layer.a_lines = place_rows(&space, layer.onward, layer.n_out, rows)
        if learns:
            layer.grad_z = <real*>place(&space, rows * layer.n_out, sizeof(real))
            layer.grad_z_lines = place_rows(&space, layer.grad_z, layer.n_out, rows)
        if keeps_totals:
            # Of its own for each layer: a thread may begin the next layer while another is still at this one.
            layer.grad_w = <real*>place(&space, layer.n_in * layer.n_out, sizeof(real))
        blocks += 2 * (blocks_of(layer.n_in * layer.n_out) + blocks_of(layer.n_out))
    if waits:
        job.gradients = p = <real*>place(&space, job.n_parameters, sizeof(real))
        for i in range(job.n_layers):
            layer = &job.layers[i]
            layer.grad_w, layer.grad_b = p, p + layer.n_in * layer.n_out
            p += (layer.n_in + 1) * layer.n_out
    if waits or job.penalties != NULL:
        job.sums = <double*>place(&space, blocks, sizeof(double))
    return space.used


cdef void* new_workspace(Job* job, int team) noexcept:
    # Memory for a job, which is laid out in it; NULL where there is none.
    cdef size_t size = lay_out(job, team, NULL, 0)
    cdef void* memory = malloc(size + 64)
    if memory != NULL:
        lay_out(job, team, memory, size)
    return memory


cdef struct Workspace:      # memory that is kept, and laid out again for each job, since pointers into a job are its own
    void* memory
    size_t size


cdef bint place_in(Workspace* kept, Job* job, int team) noexcept:
    # Whether there was memory for the job, which is laid out in it.
    cdef size_t needed = lay_out(job, team, kept.memory, kept.size)
    if needed > kept.size:
        free(kept.memory)
        kept.memory = new_workspace(job, team)
        kept.size = 0 if kept.memory == NULL else needed
    return kept.memory != NULL
