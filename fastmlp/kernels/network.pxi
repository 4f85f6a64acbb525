# A network at work: blocks of rows go forward, and in training backward, through all its layers.
#
# A team of threads runs `run` together. In training it shares one Job: each phase of a step splits its output among
# the threads (every element has one owner, who computes it whole), and a barrier ends the phase. In inference each
# thread has a Job of its own over its own rows, and a team of one. All arrays are allocated before.

cdef enum Mode:
    FORWARD, EVALUATE, GRADIENT, TRAIN


cdef struct Layer:
    Py_ssize_t n_in, n_out
    int activation
    real* weights           # (n_in, n_out)
    real* bias              # (n_out,)
    real* grad_w            # GRADIENT: OUT like weights; TRAIN: totals between chunks
    real* grad_b
    real* a                 # (batch_size, n_out); the output layer's z lies in Job.z
    real* grad_z            # (batch_size, n_out)


cdef struct Rows:
    const char* data        # row i begins at data + i * stride
    Py_ssize_t stride
    bint coded              # x: uint8 pixels; y: int64 labels


cdef struct Job:
    Mode mode
    int n_layers, loss
    Layer* layers
    Rows x, y
    const int64_t* order    # or NULL: rows in their order
    Py_ssize_t start, stop, batch_size
    real* x_batch           # (batch_size, n_in)
    real* y_batch           # (batch_size, n_out)
    real* z                 # (batch_size, n_out)
    real* out               # FORWARD: (stop, n_out), the outputs
    double* losses          # (stop,)
    uint8_t* correct        # (stop,), or NULL
    real rate
    real* scratch           # scratch_size for each thread
    Py_ssize_t scratch_size
    Barrier barrier


cdef struct Share:          # the rows and columns of a matrix that one thread owns
    Py_ssize_t r0, r1, c0, c1


cdef Share share(Py_ssize_t rows, Py_ssize_t columns, int thread, int team) noexcept nogil:
    cdef Share s
    cdef Py_ssize_t strip = 2 * LANES, strips_in_all = columns // strip
    s.r0, s.r1, s.c0, s.c1 = 0, rows, 0, columns
    if strips_in_all >= 2 * team:
        s.c0 = strips_in_all * thread // team * strip
        if thread + 1 < team:
            s.c1 = strips_in_all * (thread + 1) // team * strip
    else:
        s.r0, s.r1 = rows * thread // team, rows * (thread + 1) // team
    return s


cdef void run(Job* job, int thread, int team) noexcept nogil:
    cdef fp_environment environment = fp_enter()
    cdef Py_ssize_t first
    cdef real* scratch = job.scratch + thread * job.scratch_size
    for first from job.start <= first < job.stop by job.batch_size:
        take_batch(job, first, min(job.batch_size, job.stop - first), scratch, thread, team)
    fp_leave(environment)


cdef void take_batch(Job* job, Py_ssize_t first, Py_ssize_t rows, real* scratch, int thread, int team) noexcept nogil:
    cdef Layer* layer = job.layers
    cdef const real* x
    cdef Py_ssize_t x_row = layer.n_in, output_row = layer.n_in
    cdef const real* a
    cdef Ahead ahead = rows_ahead(job, first + rows, thread, team)
    cdef int i
    if job.x.coded or job.order != NULL:
        gather_inputs(job, first, rows, thread, team)
        x = job.x_batch
    else:
        x = <const real*>(job.x.data + first * job.x.stride)
        x_row = job.x.stride // <Py_ssize_t>sizeof(real)
    if job.mode != FORWARD:
        gather_targets(job, first, rows, thread, team)
    barrier_wait(&job.barrier, team)

    a = x
    for i in range(job.n_layers):
        layer = &job.layers[i]
        forward(layer, a, x_row if i == 0 else layer.n_in, layer_output(job, i, first), rows,
                job.mode == FORWARD or i + 1 < job.n_layers, scratch, &ahead, thread, team)
        a = layer.a
        barrier_wait(&job.barrier, team)
    if job.mode == FORWARD:
        return
    finish_outputs(job, first, rows, thread, team)
    if job.mode == EVALUATE:
        return
    barrier_wait(&job.barrier, team)
    for i in range(job.n_layers - 1, -1, -1):
        layer = &job.layers[i]
        if i > 0:
            backward(layer, &job.layers[i - 1], rows, scratch, thread, team)
            barrier_wait(&job.barrier, team)  # the weights have been read, and may change
            differentiate(job, layer, job.layers[i - 1].a, layer.n_in, rows, scratch, &ahead, thread,
                          team)
        else:
            differentiate(job, layer, x, x_row, rows, scratch, &ahead, thread, team)
    barrier_wait(&job.barrier, team)


cdef inline real* layer_output(Job* job, int i, Py_ssize_t first) noexcept nogil:
    if i + 1 < job.n_layers:
        return job.layers[i].a
    return job.out + first * job.layers[i].n_out if job.mode == FORWARD else job.z


cdef inline const char* row_of(const Rows* source, const int64_t* order, Py_ssize_t i) noexcept nogil:
    return source.data + (order[i] if order != NULL else i) * source.stride


cdef void gather_inputs(Job* job, Py_ssize_t first, Py_ssize_t rows, int thread, int team) noexcept nogil:
    cdef Py_ssize_t n = job.layers[0].n_in, r, j
    cdef const uint8_t* pixels
    cdef real* x
    cdef real scale = 255
    for r in range(rows * thread // team, rows * (thread + 1) // team):
        x = job.x_batch + r * n
        if job.x.coded:
            pixels = <const uint8_t*>row_of(&job.x, job.order, first + r)
            for j in range(n):
                x[j] = <real>pixels[j] / scale
        else:
            memcpy(x, row_of(&job.x, job.order, first + r), n * sizeof(real))


cdef Ahead rows_ahead(const Job* job, Py_ssize_t next, int thread, int team) noexcept nogil:
    # This thread's rows of the batch that begins at `next`, if they lie scattered; none otherwise.
    cdef Py_ssize_t rows = max(<Py_ssize_t>0, min(job.batch_size, job.stop - next)), lines
    cdef Ahead ahead
    ahead.data, ahead.stride, ahead.line = job.x.data, job.x.stride, 0
    ahead.length = job.layers[0].n_in * (1 if job.x.coded else <Py_ssize_t>sizeof(real))
    ahead.order = ahead.end = job.order
    if job.order != NULL:
        ahead.order = job.order + next + rows * thread // team
        ahead.end = job.order + next + rows * (thread + 1) // team
    lines = (ahead.end - ahead.order) * (ahead.length // 64 + 1)
    ahead.lines_at_once = lines // (2 * job.n_layers + 2) + 1
    return ahead


cdef void gather_targets(Job* job, Py_ssize_t first, Py_ssize_t rows, int thread, int team) noexcept nogil:
    cdef Py_ssize_t n = job.layers[job.n_layers - 1].n_out, r, j
    cdef int64_t label
    cdef real* y
    for r in range(rows * thread // team, rows * (thread + 1) // team):
        y = job.y_batch + r * n
        if not job.y.coded:
            memcpy(y, row_of(&job.y, job.order, first + r), n * sizeof(real))
            continue
        label = (<const int64_t*>row_of(&job.y, job.order, first + r))[0]
        if n == 1:
            y[0] = <real>label
        else:
            for j in range(n):
                y[j] = <real>1 if j == label else <real>0


cdef void forward(const Layer* layer, const real* x, Py_ssize_t x_row, real* out, Py_ssize_t rows, bint activated,
                  real* scratch, Ahead* ahead, int thread, int team) noexcept nogil:
    # OUT out (rows, n_out) = f(x W + b), or z = x W + b where not activated.
    cdef Share s = share(rows, layer.n_out, thread, team)
    cdef Product p
    p.terms = layer.n_in
    p.a, p.a_row, p.a_col = x, x_row, 1
    p.b, p.b_row, p.b_col = layer.weights, layer.n_out, 1
    p.seed = layer.bias
    p.c, p.c_row = out, layer.n_out
    p.weights = NULL
    multiply(&p, s.r0, s.r1, s.c0, s.c1, scratch, ahead)
    if activated:
        activate_block(layer.activation, out + s.r0 * layer.n_out + s.c0, s.r1 - s.r0, s.c1 - s.c0, layer.n_out)


cdef void finish_outputs(Job* job, Py_ssize_t first, Py_ssize_t rows, int thread, int team) noexcept nogil:
    # The output layer's a from its z, each row's loss and class, and dL/dz for the way back; rows shared out.
    cdef Layer* layer = &job.layers[job.n_layers - 1]
    cdef Py_ssize_t n = layer.n_out, r0 = rows * thread // team, r1 = rows * (thread + 1) // team, r
    cdef real* a = layer.a + r0 * n
    cdef real total = 0
    memcpy(a, job.z + r0 * n, (r1 - r0) * n * sizeof(real))
    if layer.activation == SOFTMAX:
        softmax_powers(a, r1 - r0, n)
    else:
        activate_block(layer.activation, a, r1 - r0, n, n)
    for r in range(r0, r1):
        if layer.activation == SOFTMAX:
            total = sum_in_order(layer.a + r * n, n)
            divide(layer.a + r * n, total, n)
        job.losses[first + r] = row_loss(job.loss, job.z + r * n, layer.a + r * n, job.y_batch + r * n, total, n)
        if job.correct != NULL:
            job.correct[first + r] = class_of(layer.a + r * n, n) == class_of(job.y_batch + r * n, n)
    if job.mode != EVALUATE:
        output_gradient_run(job.loss, layer.activation, a, job.y_batch + r0 * n, layer.grad_z + r0 * n,
                            (r1 - r0) * n, rows)


cdef void backward(const Layer* layer, const Layer* before, Py_ssize_t rows, real* scratch, int thread,
                   int team) noexcept nogil:
    # OUT before.grad_z (rows, n_in) = (layer.grad_z W^T), through the gate of before's activation.
    cdef Share s = share(rows, layer.n_in, thread, team)
    cdef Py_ssize_t r, n = layer.n_in
    cdef Product p
    p.terms = layer.n_out
    p.a, p.a_row, p.a_col = layer.grad_z, layer.n_out, 1
    p.b, p.b_row, p.b_col = layer.weights, 1, layer.n_out
    p.seed = NULL
    p.c, p.c_row = before.grad_z, n
    p.weights = NULL
    multiply(&p, s.r0, s.r1, s.c0, s.c1, scratch, NULL)
    if s.c0 == 0 and s.c1 == n:
        gate_run(before.activation, before.a + s.r0 * n, before.grad_z + s.r0 * n, (s.r1 - s.r0) * n)
    else:
        for r in range(s.r0, s.r1):
            gate_run(before.activation, before.a + r * n + s.c0, before.grad_z + r * n + s.c0, s.c1 - s.c0)


cdef void differentiate(Job* job, const Layer* layer, const real* x, Py_ssize_t x_row, Py_ssize_t rows, real* scratch,
                        Ahead* ahead, int thread, int team) noexcept nogil:
    # grad_w = x^T grad_z and grad_b: OUT to the layer's arrays, or in TRAIN straight into weights and bias.
    cdef Py_ssize_t n = layer.n_out, i0 = layer.n_in * thread // team, i1 = layer.n_in * (thread + 1) // team
    cdef real* sums = scratch + STRIP_BUFFER
    cdef Product p
    p.terms = rows
    p.a, p.a_row, p.a_col = x, 1, x_row
    p.b, p.b_row, p.b_col = layer.grad_z, n, 1
    p.seed = NULL
    p.c, p.c_row = layer.grad_w, n
    p.weights = layer.weights if job.mode == TRAIN else NULL
    p.rate = &job.rate
    multiply(&p, i0, i1, 0, n, scratch, ahead)
    if thread == team - 1:
        if job.mode == TRAIN:
            sum_rows(layer.grad_z, rows, n, sums, sums + n, n)
            sgd_run(layer.bias, sums + n, job.rate, n)
        else:
            sum_rows(layer.grad_z, rows, n, sums, layer.grad_b, n)
