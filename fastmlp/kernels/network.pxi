# A network at work: blocks of rows go forward, and in training backward, through all its layers.
#
# A team of threads runs `run` together. In training it shares one Job: each phase of a step splits its output among
# the threads (every element has one owner, who computes it whole), and a barrier ends the phase. In inference each
# thread has a Job of its own over its own rows, and a team of one. All arrays are allocated before.
#
# Rows of x are read where they lie, in the order asked for; only what is of another type, or to be divided by the input scale,
# is unpacked into a batch first.

cdef extern from *:
    """
    /* 1/255 in two parts: p * PIXEL_HIGH is exact, and p * PIXEL_HIGH + p * PIXEL_LOW rounds to p / 255 for each of the
     * 256 pixels p, as tests/test_parity.py shows; a division would take five times as long. */
    #if FASTMLP_DOUBLE
    #define PIXEL_HIGH 0x1.010101p-8
    #define PIXEL_LOW 0x1.010101010101p-40
    #else
    #define PIXEL_HIGH 0x1.01p-8f
    #define PIXEL_LOW 0x1.010102p-24f
    #endif
    """
    const real PIXEL_HIGH, PIXEL_LOW


cdef enum Mode:
    FORWARD, EVALUATE, GRADIENT, TRAIN


cdef struct Layer:
    Py_ssize_t n_in, n_out
    Activation activation
    real* weights           # (n_in, n_out)
    real* bias              # (n_out,)
    real* grad_w            # GRADIENT: OUT like weights; TRAIN: totals between chunks
    real* grad_b
    real* z                 # (batch_size, n_out): the sums, a itself unless the activation keeps z
    real* a                 # (batch_size, n_out)
    real* grad_z            # (batch_size, n_out)
    real* onward            # (batch_size, n_out): a, or what dropout leaves of it
    const real** a_lines    # pointers to the rows of onward and of grad_z
    const real** grad_z_lines
    Drop drop               # TRAIN


cdef struct Rows:
    const char* data        # row i begins at data + i * stride
    Py_ssize_t stride
    bint integers           # x: uint8 numbers; y: int64 labels


cdef struct Job:
    Mode mode
    int n_layers
    Loss loss
    Layer* layers
    Rows x, y
    const int64_t* order    # or NULL: rows in their order
    Py_ssize_t start, stop, batch_size
    real input_scale        # what x is divided by
    real* x_batch           # (batch_size, n_in), of x of another type or scale, or behind dropout
    const real** x_lines    # pointers to the batch's rows: batch_size for each thread
    real* out               # FORWARD: (stop, n_out), the outputs
    double* losses          # (stop,)
    uint8_t* correct        # (stop,), or NULL: whether classes are right,
    int32_t* n_right        # or how many labels are
    Drop drop               # TRAIN: of the inputs
    uint64_t step           # how many steps were taken before
    Update update           # TRAIN
    Py_ssize_t numbers_step     # from the numbers of one step to the next's
    real divisor            # GRADIENT: of the sum of the rows' losses
    const real* weights     # by which rows count, or NULL: all alike
    bint mean_over_rows     # whether a batch's mean divides by the number of its rows, not by the sum of their weights
    bint smooths            # whether targets become y * target_scale + target_offset
    real target_scale, target_offset
    Py_ssize_t n_parameters
    real* gradients         # of all parameters, where the update waits for all of them: with clipping by the norm,
    double clip_norm, clip_eps  # above clip_norm, or infinity
    double* penalties       # for each step, or NULL; from the coefficients (l2, l1) of each, or of all
    const double* coefficients
    Py_ssize_t coefficients_step
    bint penalises_biases
    double* sums            # of blocks of parameters or gradients
    bint watches            # TRAIN: whether to stop before the update where a sum z of the first layer is not finite, as it
    int not_finite          # is wherever an input is not; whether that happened,
    Py_ssize_t stopped_at   # and the first row of that batch
    bint carries            # GRADIENT: whether the gradients hold totals of rows before these
    real* scratch           # for each thread a BUFFER if it packs, then 3 panels of outputs, or 4, if it needs them
    Py_ssize_t scratch_size, panels
    Barrier barrier


cdef inline void skip_steps(Job* job, Py_ssize_t steps) noexcept nogil:
    # What a job has of each step, from those steps on.
    job.step += steps
    job.update.numbers += steps * job.numbers_step
    job.coefficients += steps * job.coefficients_step
    if job.penalties != NULL:
        job.penalties += steps


cdef enum:
    BEGINNING = 100         # vectors of weights that could be updated in the time that it takes to begin a product


cdef struct Share:          # the rows and columns of a matrix that one thread owns
    Py_ssize_t r0, r1, c0, c1


cdef inline Share share(Py_ssize_t rows, Py_ssize_t columns, int thread, int team) noexcept nogil:
    cdef Share s
    cdef Py_ssize_t strip = 2 * LANES, strips_in_all = columns // strip
    s.r0, s.r1, s.c0, s.c1 = 0, rows, 0, columns
    if team == 1:
        return s
    if by_columns(columns, team):
        s.c0 = strips_in_all * thread // team * strip
        if thread + 1 < team:
            s.c1 = strips_in_all * (thread + 1) // team * strip
    else:
        s.r0, s.r1 = rows * thread // team, rows * (thread + 1) // team
    return s


cdef inline bint by_columns(Py_ssize_t columns, int team) noexcept nogil:
    return columns // (2 * LANES) >= 2 * team


cdef Share share_of_updates(const Job* job, int i, int thread, int team) noexcept nogil:
    # Of the weights of layer i: columns as in forward, so that a thread's stay in its cache. The rows of all narrow layers
    # are cut together, last layer first: to share out each would take most of a small one's time to begin it.
    cdef Py_ssize_t n_in = job.layers[i].n_in, n = job.layers[i].n_out, cost, before = 0, total = 0
    cdef int l
    cdef Share s
    if team == 1 or by_columns(n, team):
        return share(n_in, n, thread, team)
    for l in range(job.n_layers):
        if not by_columns(job.layers[l].n_out, team):
            cost = job.layers[l].n_in * vectors(job.layers[l].n_out) + BEGINNING
            total += cost
            before += cost if l > i else 0
    s.r0 = min(max(total * thread // team - before, <Py_ssize_t>0) // vectors(n), n_in)
    s.r1 = min(max(total * (thread + 1) // team - before, <Py_ssize_t>0) // vectors(n), n_in)
    s.c0, s.c1 = 0, n
    return s


cdef void run(void* given, int thread, int team) noexcept nogil:
    cdef Job* job = <Job*>given
    cdef Py_ssize_t first, i = 0
    cdef Update update = job.update
    for first from job.start <= first < job.stop by job.batch_size:
        if not take_batch(job, &update, i, first, min(job.batch_size, job.stop - first), thread, team):
            if thread == 0:
                job.stopped_at = first
            break
        update.numbers += job.numbers_step
        i += 1


cdef bint take_batch(Job* job, const Update* update, Py_ssize_t i_step, Py_ssize_t first, Py_ssize_t rows, int thread,
                     int team) noexcept nogil:
    # The i_step-th batch of the job: rows first .. first + rows - 1. Whether it was not stopped, for all threads alike: who asked
    # the job later might see what another thread found in the next batch.
    cdef Ahead ahead = rows_ahead(job, first + rows, thread, team)
    cdef const real** x = job.x_lines + thread * job.batch_size
    cdef const real** a = x
    cdef real* scratch = job.scratch + thread * job.scratch_size
    cdef real* panels = scratch + job.panels
    cdef int i, output = job.n_layers - 1
    cdef Layer* layer
    cdef uint64_t step = job.step + <uint64_t>i_step
    take_inputs(job, step, first, rows, x, thread, team)
    # A thread that goes on with the rows that it computed itself waits for nobody; columns are of all rows.
    if unpacks(job) and by_columns(job.layers[0].n_out, team):
        barrier_wait(&job.barrier, team)
    for i in range(job.n_layers):
        layer = &job.layers[i]
        if job.mode == FORWARD and i == output:
            forward(layer, a, job.out + first * layer.n_out, rows, True, step, NULL, scratch, panels, &ahead, thread, team)
            return True
        forward(layer, a, layer.a, rows, i < output, step, &job.not_finite if job.watches and i == 0 else NULL,
                scratch, panels, &ahead, thread, team)
        a = layer.a_lines
        if by_columns(layer.n_out, team) or i < output and by_columns(job.layers[i + 1].n_out, team):
            barrier_wait(&job.barrier, team)

    finish_outputs(job, first, rows, panels, thread, team)
    if job.mode == EVALUATE:
        return True
    for i in range(output, 0, -1):
        layer = &job.layers[i]
        if by_columns(layer.n_in, team) or i < output and by_columns(layer.n_out, team):
            barrier_wait(&job.barrier, team)
        backward(layer, &job.layers[i - 1], rows, step, scratch, thread, team)
    if job.penalties != NULL:
        sum_penalties(job, thread, team)
    barrier_wait(&job.barrier, team)  # all gradients are there, and the weights have been read and may change
    if job.not_finite:
        return False
    if job.penalties != NULL and thread == 0:
        job.penalties[i_step] = penalty_of(job, job.coefficients[i_step * job.coefficients_step],
                                           job.coefficients[i_step * job.coefficients_step + 1])
    for i in range(output, -1, -1):
        differentiate(job, update if job.mode == TRAIN and job.gradients == NULL else NULL, i,
                      job.layers[i - 1].a_lines if i > 0 else x, rows, scratch, &ahead, thread, team)
    barrier_wait(&job.barrier, team)
    if job.gradients != NULL:
        update_clipped(job, update, thread, team)
        barrier_wait(&job.barrier, team)
    return True


cdef inline const char* row_of(const Rows* source, const int64_t* order, Py_ssize_t i) noexcept nogil:
    return source.data + (order[i] if order != NULL else i) * source.stride


cdef inline bint unpacks(const Job* job) noexcept nogil:
    # Whether inputs are put into x_batch, not read where they lie.
    return job.x.integers or job.input_scale != 1 or job.drop.threshold > 0


cdef inline void unpack_pixels(const uint8_t* pixels, real* x, Py_ssize_t n, real scale) noexcept nogil:
    # OUT x (n,) = pixels / scale.
    cdef Py_ssize_t j
    if scale == 1:
        for j in range(n):
            x[j] = <real>pixels[j]
    elif scale == 255:
        for j in range(n):
            x[j] = <real>pixels[j] * PIXEL_HIGH + <real>pixels[j] * PIXEL_LOW
    else:
        for j in range(n):
            x[j] = <real>pixels[j] / scale


cdef void take_inputs(Job* job, uint64_t step, Py_ssize_t first, Py_ssize_t rows, const real** x, int thread,
                      int team) noexcept nogil:
    # OUT x (rows,): this thread's pointers to the rows of the batch, or of the copy that the team makes together where x has
    # another type or scale, and behind dropout.
    cdef Py_ssize_t n = job.layers[0].n_in, r, j, r0 = rows * thread // team, r1 = rows * (thread + 1) // team
    cdef const char* row
    cdef real* unpacked
    if not unpacks(job):
        mark(ROWS_IN_PLACE if job.order == NULL else SHUFFLED_ROWS)
        for r in range(rows):
            x[r] = <const real*>row_of(&job.x, job.order, first + r)
        return
    lines_of(job.x_batch, n, rows, x)
    if job.x.integers:
        mark(PIXELS if job.order == NULL else SHUFFLED_PIXELS)
    elif job.input_scale != 1:
        mark(SCALED_ROWS)
    for r in range(r0, r1):
        row, unpacked = row_of(&job.x, job.order, first + r), job.x_batch + r * n
        if job.x.integers:
            unpack_pixels(<const uint8_t*>row, unpacked, n, job.input_scale)
        else:
            for j in range(n):
                unpacked[j] = (<const real*>row)[j] / job.input_scale
    if job.drop.threshold:
        mark(INPUTS_DROPPED)
        drop_block(&job.drop, step, job.x_batch, job.x_batch, n, r0, r1, 0, n)


cdef Ahead rows_ahead(const Job* job, Py_ssize_t next, int thread, int team) noexcept nogil:
    # Of the batch that begins at `next` this thread's rows, if they are pixels that lie scattered; none else.
    cdef Py_ssize_t rows = max(<Py_ssize_t>0, min(job.batch_size, job.stop - next)), lines
    cdef Ahead ahead
    ahead.data, ahead.stride, ahead.length, ahead.line = job.x.data, job.x.stride, job.layers[0].n_in, 0
    ahead.order = ahead.end = job.order
    ahead.by_tiles = not job.x.integers
    if job.order != NULL and job.x.integers:
        ahead.order = job.order + next + rows * thread // team
        ahead.end = job.order + next + rows * (thread + 1) // team
    lines = (ahead.end - ahead.order) * (ahead.length // 64 + 1)
    ahead.lines_at_once = lines // (2 * job.n_layers + 2) + 1
    return ahead


cdef void forward(const Layer* layer, const real** x, real* out, Py_ssize_t rows, bint activated, uint64_t step,
                  int* not_finite, real* scratch, real* panel, Ahead* ahead, int thread, int team) noexcept nogil:
    # OUT z = x W + b, and out (rows, n_out) = f(z), in place of z unless f keeps z; where not activated only z.
    # not_finite: raised where a z is not, unless NULL.
    cdef Share s = share(rows, layer.n_out, thread, team)
    cdef Py_ssize_t first = s.r0 * layer.n_out + s.c0
    cdef Product p
    mark(FORWARD_BY_COLUMNS if by_columns(layer.n_out, team) else FORWARD_BY_ROWS)
    p.terms = layer.n_in
    p.lines, p.by_columns = x, False
    p.b, p.b_row, p.b_col = layer.weights, layer.n_out, 1
    p.seed = layer.bias
    p.c, p.c_row = layer.z if layer.activation.keeps_z else out, layer.n_out
    p.carries, p.update = False, NULL
    multiply(&p, s.r0, s.r1, s.c0, s.c1, scratch, ahead)
    if not_finite != NULL and not finite_rows(<const char*>(p.c + first), layer.n_out * sizeof(real), 0, s.r1 - s.r0, s.c1 - s.c0):
        raise_flag(not_finite)
    if activated:
        activate_block(&layer.activation, p.c + first, out + first, s.r1 - s.r0, s.c1 - s.c0, layer.n_out, panel)
    if activated and layer.drop.threshold:
        mark(UNITS_DROPPED)
        drop_block(&layer.drop, step, layer.a, layer.onward, layer.n_out, s.r0, s.r1, s.c0, s.c1)


cdef double sum_of_weights(const real* weights, const int64_t* order, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
    # Of rows first, first + 1, ... of the order; at least something to divide by.
    cdef double total = 0, s
    cdef Py_ssize_t start, i, stop = first + rows
    for start from first <= start < stop by CHUNK:
        s = 0
        for i in range(start, min(start + CHUNK, stop)):
            s = s + <double>weights[order[i] if order != NULL else i]
        total = total + s
    return 1.0 if total == 0 else total


cdef real divisor_of(const Job* job, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
    if job.mode == GRADIENT:
        return job.divisor
    if job.mode == EVALUATE or job.weights == NULL or job.mean_over_rows:
        return <real>rows
    return <real>sum_of_weights(job.weights, job.order, first, rows)


cdef void finish_outputs(Job* job, Py_ssize_t first, Py_ssize_t rows, real* panels, int thread,
                         int team) noexcept nogil:
    # The output layer's a from its z, each row's loss and class, and dL/dz for the way back; rows shared out.
    cdef Layer* layer = &job.layers[job.n_layers - 1]
    cdef Py_ssize_t n = layer.n_out, r1 = rows * (thread + 1) // team, r, count
    cdef real* z = panels
    cdef real* a = panels + n * SIDE
    cdef real* y = panels + 2 * n * SIDE
    cdef real* g = panels + 3 * n * SIDE if layer.activation.keeps_z else z
    cdef double maxima[SIDE]
    cdef double totals[SIDE]
    cdef int classes[SIDE]
    cdef int wanted[SIDE]
    cdef real weights[SIDE]
    cdef bint by_rows
    cdef real divisor = divisor_of(job, first, rows)
    for r from rows * thread // team <= r < r1 by SIDE:
        count = min(SIDE, r1 - r)
        transpose(layer.z + r * n, n, count, n, z, count)
        memcpy(a, z, count * n * sizeof(real))
        by_rows = layer.activation.forward == NULL
        if by_rows:
            mark(layer.activation.forward_branch)
            softmax(a, n, count, maxima, totals)
        else:
            activate_run(&layer.activation, z, a, count * n)
        targets(job, first + r, count, n, y)
        if job.correct != NULL:
            classes_of(a, n, count, classes)
            if job.y.integers:
                labels(job, first + r, count, wanted)
            else:
                classes_of(y, n, count, wanted)
            compare(classes, wanted, count, job.correct + first + r)
        elif job.n_right != NULL:
            count_labels(a, y, n, count, job.n_right + first + r)
        if job.smooths:
            smooth_targets(y, count * n, job.target_scale, job.target_offset)
        row_losses_of(&job.loss, z, a, y, n, count, maxima, totals if by_rows else NULL, job.losses + first + r)
        if job.mode != EVALUATE:
            weights_of(job, first + r, count, weights)
            output_gradient_run(&job.loss, &layer.activation, z, a, y, g, n, count, weights if job.weights != NULL else NULL,
                                divisor)
            transpose(g, count, n, count, layer.grad_z + r * n, n)


cdef inline void weights_of(const Job* job, Py_ssize_t first, Py_ssize_t rows, real* weights) noexcept nogil:
    # OUT weights (rows,), of rows `first` and on, where there are any.
    cdef Py_ssize_t r
    if job.weights != NULL:
        for r in range(first, first + rows):
            weights[r - first] = job.weights[job.order[r] if job.order != NULL else r]


cdef inline void compare(const int* classes, const int* wanted, Py_ssize_t n, uint8_t* correct) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        correct[i] = classes[i] == wanted[i] and classes[i] >= 0


cdef inline void labels(const Job* job, Py_ssize_t first, Py_ssize_t rows, int* classes) noexcept nogil:
    # OUT classes (rows,): the labels of rows `first` and on.
    cdef Py_ssize_t r
    for r in range(rows):
        classes[r] = <int>(<const int64_t*>row_of(&job.y, job.order, first + r))[0]


cdef void targets(const Job* job, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t n, real* y) noexcept nogil:
    # OUT y (n, rows), a panel of the targets of rows `first` and on; labels become ones among zeros.
    cdef Py_ssize_t r, j
    cdef const real* row
    cdef int classes[SIDE]
    if job.y.integers:
        mark(ONE_OUTPUT if n == 1 else LABELS)
        memset(y, 0, n * rows * sizeof(real))
        labels(job, first, rows, classes)
        for r in range(rows):
            if n == 1:
                y[r] = <real>classes[r]
            else:
                y[classes[r] * rows + r] = 1
        return
    mark(TARGETS)
    for r in range(rows):
        row = <const real*>row_of(&job.y, job.order, first + r)
        for j in range(n):
            y[j * rows + r] = row[j]


cdef void backward(const Layer* layer, const Layer* before, Py_ssize_t rows, uint64_t step, real* scratch, int thread,
                   int team) noexcept nogil:
    # OUT before.grad_z (rows, n_in) = (layer.grad_z W^T), through the derivative of before's activation.
    cdef Share s = share(rows, layer.n_in, thread, team)
    cdef Py_ssize_t first, n = layer.n_in
    cdef Product p
    mark(BACKWARD_BY_COLUMNS if by_columns(n, team) else BACKWARD_BY_ROWS)
    p.terms = layer.n_out
    p.lines, p.by_columns = layer.grad_z_lines, False
    p.b, p.b_row, p.b_col = layer.weights, 1, layer.n_out
    p.seed = NULL
    p.c, p.c_row = before.grad_z, n
    p.carries, p.update = False, NULL
    multiply(&p, s.r0, s.r1, s.c0, s.c1, scratch, NULL)
    if before.drop.threshold:
        drop_block(&before.drop, step, before.grad_z, before.grad_z, n, s.r0, s.r1, s.c0, s.c1)
    first = s.r0 * n + s.c0
    if s.c0 == 0 and s.c1 == n:
        gradient_run(&before.activation, before.z + first, before.a + first, before.grad_z + first, (s.r1 - s.r0) * n)
    else:
        for first from s.r0 * n + s.c0 <= first < s.r1 * n by n:
            gradient_run(&before.activation, before.z + first, before.a + first, before.grad_z + first, s.c1 - s.c0)


cdef void differentiate(Job* job, const Update* update, int i, const real** x, Py_ssize_t rows, real* scratch, Ahead* ahead,
                        int thread, int team) noexcept nogil:
    # grad_w = x^T grad_z and grad_b of layer i: OUT to the layer's arrays, or with an update straight into weights and bias.
    cdef const Layer* layer = &job.layers[i]
    cdef Py_ssize_t n = layer.n_out
    cdef Share s = share_of_updates(job, i, thread, team)
    cdef Product p
    if s.r0 >= s.r1 and team > 1:
        return      # others have this layer's rows, and its bias
    if update != NULL:
        mark(update.branch)
    mark(UPDATE_BY_COLUMNS if by_columns(n, team) else UPDATE_BY_ROWS)
    p.terms = rows
    p.lines, p.by_columns = x, True
    p.b, p.b_row, p.b_col = layer.grad_z, n, 1
    p.seed = NULL
    p.c, p.c_row = layer.grad_w, n
    p.carries = update == NULL and job.carries
    p.update = update
    if update != NULL:
        p.at = layer.weights - update.parameters
    multiply(&p, s.r0, s.r1, s.c0, s.c1, scratch, ahead)
    if s.r0 == 0:
        differentiate_bias(job, update, layer, rows, s.c0, s.c1, scratch)


cdef void differentiate_bias(Job* job, const Update* update, const Layer* layer, Py_ssize_t rows, Py_ssize_t c0, Py_ssize_t c1,
                             real* gradients) noexcept nogil:
    cdef Py_ssize_t n = layer.n_out, column, columns
    if update == NULL:
        sum_rows(layer.grad_z + c0, rows, n, layer.grad_b + c0, NULL, job.carries, c1 - c0)
    elif update.fused:
        sum_rows(layer.grad_z + c0, rows, n, layer.bias + c0, update.numbers, False, c1 - c0)
    else:
        for column from c0 <= column < c1 by UPDATE_STRIP:
            columns = min(<Py_ssize_t>UPDATE_STRIP, c1 - column)
            sum_rows(layer.grad_z + column, rows, n, gradients, NULL, False, columns)
            update.rule(update, update.bias_lines, layer.bias + column - update.parameters, 1, columns, columns, gradients)
