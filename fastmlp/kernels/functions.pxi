# The layer functions of fastmlp.reference, compiled: the same names, arguments and bits.

cdef class DefaultEnvironment:
    """A context manager: within it numbers round to nearest and none is flushed to zero, whatever was set before."""

    cdef fp_environment before

    def __enter__(self):
        self.before = fp_enter()

    def __exit__(self, *error):
        fp_leave(self.before)


cdef enum:
    MACS_PAY = 400_000      # MACs a thread must have of its own in one function before a team pays, which has slept,
    ELEMENTS_PAY = 100_000  # or numbers to put through a function, or to add up


cdef struct Call:           # of one function, which a team shares: each function uses what it needs
    Product product
    const Activation* f     # or NULL
    const Loss* loss
    int n_threads           # that may be used
    Py_ssize_t rows, n
    const real* z           # (rows, n)
    const real* a
    const real* y
    real* out
    double* losses          # (rows,)
    real divisor
    const real* weights     # (rows,), or NULL
    bint by_rows            # whether the loss is of softmax; whether sums run over rows
    real* scratch           # scratch_size for each thread
    Py_ssize_t scratch_size


cdef run_elementwise(team_work work, Call* call, Py_ssize_t scratch_size):
    # Parts of (rows, n) numbers, with so much memory for each thread. A user's activation may take any time.
    cdef Py_ssize_t size = call.rows * call.n
    cdef int team = team_worth(call.n_threads, size // ELEMENTS_PAY)
    call.scratch, call.scratch_size = NULL, scratch_size
    if scratch_size:
        call.scratch = <real*>malloc(team * scratch_size * sizeof(real))
        if call.scratch == NULL:
            raise MemoryError
    run_parts(work, call, team, size >= ELEMENTS_PAY or (call.f != NULL and call.f.keeps_z))
    free(call.scratch)


cdef inline Py_ssize_t panel_at(Py_ssize_t rows, int part, int team) noexcept nogil:
    # The row where a part begins, of rows that are cut at whole panels.
    return min((rows + SIDE - 1) // SIDE * part // team * SIDE, rows)


cdef object laid_out(array, int ndim):
    # The array, of any strides that are whole numbers of elements: most are so, and as_strided takes a while to find out.
    if (cnp.PyArray_CheckExact(array) and cnp.PyArray_NDIM(<cnp.ndarray>array) == ndim
            and cnp.PyArray_TYPE(<cnp.ndarray>array) == REAL_TYPE and cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray>array)):
        return array
    return strided(array)


cdef cnp.ndarray new_matrix(Py_ssize_t m, Py_ssize_t n):
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = m, n
    return cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0)


cdef cnp.ndarray filled(cnp.npy_intp n, number):
    cdef cnp.ndarray array = cnp.PyArray_EMPTY(1, &n, REAL_TYPE, 0)
    cdef real value = rounded(number)
    cdef Py_ssize_t i
    for i in range(n):
        data_of(array)[i] = value
    return array


def takes_product(a, b, seed, out=None):
    """Whether these can be passed on to sum_of_products, or to dense_forward, as they are: nothing is left to check."""
    return (is_ready(a, 2, REAL_TYPE) and is_ready(b, 2, REAL_TYPE) and is_ready(seed, 1, REAL_TYPE)
            and (<cnp.ndarray>a).shape[1] == (<cnp.ndarray>b).shape[0]
            and (<cnp.ndarray>b).shape[1] == (<cnp.ndarray>seed).shape[0]
            and (out is None or is_ready(out, 2, REAL_TYPE) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out)
                 and (<cnp.ndarray>out).shape[0] == (<cnp.ndarray>a).shape[0]
                 and (<cnp.ndarray>out).shape[1] == (<cnp.ndarray>b).shape[1]
                 and are_apart(out, a) and are_apart(out, b) and are_apart(out, seed)))


def takes_update(parameters, gradients):
    """Whether these can be passed on to sgd_update as they are, whatever their shape."""
    if not (is_contiguous(parameters) and is_contiguous(gradients) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>parameters)
            and cnp.PyArray_SAMESHAPE(<cnp.ndarray>parameters, <cnp.ndarray>gradients)):
        return False
    return bool(are_apart(parameters, gradients))


def sum_of_products(a, b, seed, out=None, int n_threads=1):
    """total[i, j] = seed[j] + sum_k a[i, k] b[k, j]; any layouts. See fastmlp.reference.sum_of_products."""
    return product(a, b, seed, out, NULL, n_threads)


def dense_forward(x, weights, bias, activation="identity", out=None, int n_threads=1):
    """a = f(x W + b), (rows, n_out); written into out where given. See fastmlp.reference.dense_forward."""
    cdef Activation f = activation_of(activation)
    return product(x, weights, bias, out, &f, n_threads)


def dense_backward(x, weights, grad_z, input_gradient=True, out=(None, None, None), int n_threads=1):
    """(grad_w, grad_b, grad_x) of one layer from grad_z = dL/dz. See fastmlp.reference.dense_backward."""
    cdef cnp.ndarray rows = np.asarray(x), w = np.asarray(weights), g = np.asarray(grad_z)
    grad_w = product(rows.T, g, None, out[0], NULL, n_threads)
    grad_b = ordered_sum(g.T, out[1], n_threads)
    grad_x = product(g, w.T, None, out[2], NULL, n_threads) if input_gradient else None
    return grad_w, grad_b, grad_x


cdef product(a, b, seed, out, const Activation* f, int n_threads):
    # f(seed + a b); seed: None for +0; f: NULL for none. Memory is asked for only if something is copied, or there are many
    # lines.
    a, b = laid_out(a, 2), laid_out(b, 2)
    if a.shape[1] > 1 and a.strides[0] != sizeof(real) and a.strides[1] != sizeof(real):
        a = contiguous(a)   # rows, or columns, whose numbers lie side by side
    cdef cnp.ndarray x = a, w = b, start
    cdef Py_ssize_t m = x.shape[0], n = w.shape[1], terms = x.shape[1], macs = m * n * terms
    cdef Py_ssize_t row = x.strides[0] // <Py_ssize_t>sizeof(real), column = x.strides[1] // <Py_ssize_t>sizeof(real)
    cdef cnp.ndarray total = new_matrix(m, n) if out is None else out
    cdef cnp.ndarray z = new_matrix(m, n) if f != NULL and f.keeps_z else total
    cdef bint by_columns = row == 1 and column != 1
    cdef Py_ssize_t lines = terms if by_columns else m
    cdef int team = team_worth(n_threads, macs // MACS_PAY)
    cdef const real* few[CHUNK]
    cdef Call call
    cdef Product* p = &call.product
    p.seed = NULL
    if seed is not None:
        start = seed if is_ready(seed, 1, REAL_TYPE) else filled(n, seed) if np.ndim(seed) == 0 else contiguous(seed)
        p.seed = data_of(start)
    p.terms, p.by_columns, p.lines = terms, by_columns, few
    p.b, p.b_row, p.b_col = data_of(w), w.strides[0] // <Py_ssize_t>sizeof(real), w.strides[1] // <Py_ssize_t>sizeof(real)
    p.c, p.c_row, p.carries, p.update = data_of(z), n, False, NULL
    call.f, call.rows, call.n, call.n_threads, call.out = f, m, n, n_threads, data_of(total)
    call.scratch, call.scratch_size = NULL, BUFFER if p.b_col != 1 or by_columns or pays_to_pack_b(m, p.b_row) else 0
    if call.scratch_size or lines > CHUNK:
        call.scratch = <real*>malloc(team * call.scratch_size * sizeof(real) + lines * sizeof(real*))
        if call.scratch == NULL:
            raise MemoryError
        p.lines = <const real**>(call.scratch + team * call.scratch_size)
    lines_of(data_of(x), column if by_columns else row, lines, p.lines)
    run_parts(multiply_part, &call, team, macs >= GIVING_PAYS or (f != NULL and f.keeps_z))
    free(call.scratch)
    if f != NULL and f.forward == NULL and total.size:
        call.z = call.out
        run_elementwise(activate_part, &call, n * SIDE)
    return total


cdef void multiply_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef const Product* p = &call.product
    cdef Share s = share(call.rows, call.n, part, team)
    cdef Py_ssize_t first = s.r0 * call.n + s.c0
    multiply(p, s.r0, s.r1, s.c0, s.c1, call.scratch + part * call.scratch_size, NULL)
    if call.f != NULL and call.f.forward != NULL and s.r1 > s.r0 and s.c1 > s.c0:
        activate_block(call.f, p.c + first, call.out + first, s.r1 - s.r0, s.c1 - s.c0, call.n, NULL)


def dense_update(x, weights, bias, grad_z, learning_rate):
    """The gradients of one layer and their step of gradient descent at once, in place.

    weights (n_in, n_out) and bias (n_out,) are C-contiguous; W = W - learning_rate x^T grad_z, and b likewise.
    """
    x = strided(x)
    cdef cnp.ndarray inputs = x, w = weights, b = bias, g = contiguous(grad_z)
    cdef Py_ssize_t n = w.shape[1], rows = x.shape[0]
    cdef Layer layer
    cdef Job job
    cdef cnp.ndarray numbers = np.array([[rounded(learning_rate)]], dtype)
    cdef Update update = update_of(w, "sgd", numbers, (), (), True, False)
    cdef const real** lines
    cdef fp_environment environment
    cdef real* scratch = <real*>malloc((BUFFER + w.size) * sizeof(real) + (rows + 1) * sizeof(real*))
    if scratch == NULL:
        raise MemoryError
    if x.strides[1] != sizeof(real):
        inputs = contiguous(x)
    lines = <const real**>(scratch + BUFFER)
    lines_of(data_of(inputs), inputs.strides[0] // <Py_ssize_t>sizeof(real), rows, lines)
    job.layers = &layer
    layer.n_in, layer.n_out = w.shape[0], n
    layer.weights, layer.bias, layer.grad_z = data_of(w), data_of(b), data_of(g)
    layer.grad_w, layer.grad_b = <real*>(lines + rows), NULL
    with nogil:
        environment = fp_enter()
        differentiate(&job, &update, 0, lines, rows, scratch, NULL, 0, 1)
        fp_leave(environment)
    free(scratch)


def activate(activation, z, out=None, int n_threads=1):
    """a = f(z), a new array; softmax row by row. See fastmlp.reference.activate."""
    cdef Activation f = activation_of(activation)
    cdef cnp.ndarray sums = contiguous(z)
    cdef cnp.ndarray a = new_like(sums) if out is None else out
    cdef Call call
    if not f.keeps_z:
        memcpy(data_of(a), data_of(sums), sums.size * sizeof(real))
    if sums.size:
        call.n = sums.shape[sums.ndim - 1] if sums.ndim > 1 else 1
        call.f, call.rows, call.n_threads = &f, sums.size // call.n, n_threads
        call.z, call.out = data_of(sums) if f.keeps_z else data_of(a), data_of(a)
        run_elementwise(activate_part, &call, 0 if f.forward else call.n * SIDE)
    return a


cdef void activate_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef Py_ssize_t first = panel_at(call.rows, part, team), rows = panel_at(call.rows, part + 1, team) - first
    activate_block(call.f, call.z + first * call.n, call.out + first * call.n, rows, call.n, call.n,
                   call.scratch + part * call.scratch_size)


def activation_gradient(activation, a, grad_a, z=None, out=None, int n_threads=1):
    """dL/dz = dL/da f'(z), a new array. See fastmlp.reference.activation_gradient."""
    cdef Activation f = activation_of(activation)
    cdef cnp.ndarray outputs = contiguous(a), sums = outputs if z is None else contiguous(z), grad = contiguous(grad_a)
    cdef cnp.ndarray g = new_like(grad) if out is None else out
    cdef Call call
    if f.gradient == NULL:
        raise ValueError(f"activation {activation!r} has no derivative of its own")
    memcpy(data_of(g), data_of(grad), g.size * sizeof(real))
    call.f, call.rows, call.n, call.n_threads = &f, g.size, 1, n_threads
    call.z, call.a, call.out = data_of(sums), data_of(outputs), data_of(g)
    run_elementwise(activation_gradient_part, &call, 0)
    return g


cdef void activation_gradient_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef Py_ssize_t first = call.rows * part // team, n = call.rows * (part + 1) // team - first
    gradient_run(call.f, call.z + first, call.a + first, call.out + first, n)


def output_gradient(loss, activation, a, y, z=None, divisor=None, weights=None, out=None, int n_threads=1):
    """dL/dz at the output. See fastmlp.reference.output_gradient."""
    cdef Activation f = activation_of(activation)
    cdef Loss of_rows = loss_of(loss)
    cdef cnp.ndarray outputs = contiguous(a), targets = contiguous(y), sums = outputs if z is None else contiguous(z)
    cdef cnp.ndarray g = new_like(outputs) if out is None else out
    cdef Call call
    cdef cnp.ndarray of_each_row = outputs if weights is None else contiguous(weights)
    call.f, call.loss, call.rows, call.n, call.n_threads = &f, &of_rows, outputs.shape[0], outputs.shape[1], n_threads
    call.weights = NULL if weights is None else data_of(of_each_row)
    call.z, call.a, call.y, call.out = data_of(sums), data_of(outputs), data_of(targets), data_of(g)
    call.divisor = rounded(outputs.shape[0] if divisor is None else divisor)
    run_elementwise(output_gradient_part, &call, 0)
    return g


cdef void output_gradient_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef Py_ssize_t r = call.rows * part // team, stop = call.rows * (part + 1) // team, n = call.n, rows
    while r < stop:
        rows = 1 if call.weights != NULL else stop - r
        output_gradient_run(call.loss, call.f, call.z + r * n, call.a + r * n, call.y + r * n, call.out + r * n, rows * n, 1,
                            call.weights + r if call.weights != NULL else NULL, call.divisor)
        r += rows


def row_losses(loss, z, a, y, out=None, int n_threads=1):
    """The loss of each row, (rows,) float64. See fastmlp.reference.row_losses."""
    cdef Loss of_rows = loss_of(loss)
    cdef cnp.ndarray sums = contiguous(z), outputs = contiguous(a), targets = contiguous(y)
    cdef cnp.ndarray losses = np.empty(sums.shape[0]) if out is None else out
    cdef Call call
    call.f, call.loss, call.rows, call.n, call.n_threads = NULL, &of_rows, sums.shape[0], sums.shape[1], n_threads
    call.z, call.a, call.y = data_of(sums), data_of(outputs), data_of(targets)
    call.losses, call.by_rows = <double*>cnp.PyArray_DATA(losses), "softmax" in LOSSES[_name_of(loss)].output_activations
    run_elementwise(row_losses_part, &call, 4 * call.n * SIDE)
    return losses


cdef void row_losses_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef Py_ssize_t n = call.n, stop = panel_at(call.rows, part + 1, team), r, count
    cdef real* z = call.scratch + part * call.scratch_size
    cdef real* a = z + n * SIDE
    cdef real* y = z + 2 * n * SIDE
    cdef real* powers = z + 3 * n * SIDE
    cdef double maxima[SIDE]
    cdef double totals[SIDE]
    for r from panel_at(call.rows, part, team) <= r < stop by SIDE:
        count = min(SIDE, stop - r)
        transpose(call.z + r * n, n, count, n, z, count)
        transpose(call.a + r * n, n, count, n, a, count)
        transpose(call.y + r * n, n, count, n, y, count)
        if call.by_rows:
            memcpy(powers, z, n * count * sizeof(real))
            softmax(powers, n, count, maxima, totals)
        row_losses_of(call.loss, z, a, y, n, count, maxima, totals if call.by_rows else NULL, call.losses + r)


cdef inline real sum_in_order(const real* values, Py_ssize_t n) noexcept nogil:
    cdef real total = 0, s
    cdef Py_ssize_t start, k
    for start from 0 <= start < n by CHUNK:
        s = 0
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    return total


def ordered_sum(values, out=None, int n_threads=1):
    """The sum over the last axis, in order and in chunks. See fastmlp.reference.ordered_sum."""
    cdef cnp.ndarray of_rows = np.asarray(values), terms
    cdef Call call
    call.by_rows = of_rows.ndim == 2 and cnp.PyArray_IS_F_CONTIGUOUS(of_rows)   # each sum in a lane of its own
    terms = contiguous(of_rows.T if call.by_rows else of_rows)
    cdef cnp.ndarray totals = cnp.PyArray_EMPTY(of_rows.ndim - 1, of_rows.shape, REAL_TYPE, 0) if out is None else out
    call.f, call.rows, call.n, call.n_threads = NULL, totals.size, of_rows.shape[of_rows.ndim - 1], n_threads
    call.z, call.out = data_of(terms), data_of(totals)
    run_elementwise(sum_part, &call, 0)
    return totals[()] if out is None else out


cdef void sum_part(void* given, int part, int team) noexcept nogil:
    cdef const Call* call = <const Call*>given
    cdef Py_ssize_t first = call.rows * part // team, stop = call.rows * (part + 1) // team, i
    if call.by_rows:
        sum_rows(call.z + first, call.n, call.rows, call.out + first, NULL, False, stop - first)
        return
    for i in range(first, stop):
        call.out[i] = sum_in_order(call.z + i * call.n, call.n)


def all_finite(cnp.ndarray values):
    """Whether neither NaN nor infinity is in values (rows, n), whose rows are contiguous."""
    return bool(is_finite(values))


def fma(a, b, c):
    """a * b + c with one rounding, as the register tile computes it; the arguments broadcast."""
    a, b, c = np.broadcast_arrays(np.asarray(a, dtype), np.asarray(b, dtype), np.asarray(c, dtype))
    cdef cnp.ndarray x = contiguous(a), y = contiguous(b), z = contiguous(c), result = np.empty(a.shape, dtype)
    cdef fp_environment environment = fp_enter()
    fma_run(data_of(x), data_of(y), data_of(z), data_of(result), result.size)
    fp_leave(environment)
    return result[()]


cdef extern from *:
    """
    static void fma_run(const real *a, const real *b, const real *c, real *out, ptrdiff_t n) {
        for (ptrdiff_t i = 0; i < n; i += LANES) {
            lanes l = first_lanes(n - i);
            store_lanes(out + i, l, fma_vec(load_lanes(a + i, l), load_lanes(b + i, l), load_lanes(c + i, l)));
        }
    }
    """
    void fma_run(const real* a, const real* b, const real* c, real* out, Py_ssize_t n) noexcept nogil


cdef extern from *:
    """
    static real fma_rounds(ptrdiff_t rounds) {
        vec s[12], a = broadcast((real)0.5), total = zero_vec();
        for (int i = 0; i < 12; i++) s[i] = broadcast((real)i);
        for (ptrdiff_t r = 0; r < rounds; r++) {
            UNROLL for (int i = 0; i < 12; i++) s[i] = fma_vec(s[i], a, a);
        }
        for (int i = 0; i < 12; i++) total = total + s[i];
        return total[0];
    }
    """
    real fma_rounds(Py_ssize_t rounds) noexcept nogil


def fma_peak_work(Py_ssize_t rounds):
    """Fused multiply-adds on registers alone, for measuring the peak of one core: returns how many FLOPs it did."""
    cdef real result
    with nogil:
        result = fma_rounds(rounds)
    return rounds * 12 * LANES * 2 if result == result else 0


cdef enum Function:
    EXP, EXPM1, LOG, LOG1P


cdef elementwise(int function, z):
    cdef cnp.ndarray x = contiguous(z), result = np.empty(np.shape(z), dtype)
    cdef const real* p = data_of(x)
    cdef real* out = data_of(result)
    cdef Py_ssize_t i, n = result.size
    cdef fp_environment environment
    with nogil:
        environment = fp_enter()
        if function == EXP:
            for i in range(n):
                out[i] = <real>real_exp(<double>p[i])
        elif function == EXPM1:
            for i in range(n):
                out[i] = <real>real_expm1(<double>p[i])
        elif function == LOG:
            for i in range(n):
                out[i] = <real>real_log(<double>p[i])
        else:
            for i in range(n):
                out[i] = <real>real_log1p(<double>p[i])
        fp_leave(environment)
    return result[()]


def exp(z):
    """e to the power z."""
    return elementwise(EXP, z)


def expm1(z):
    """e to the power z, minus 1."""
    return elementwise(EXPM1, z)


def log(z):
    """The natural logarithm."""
    return elementwise(LOG, z)


def log1p(z):
    """log(1 + z)."""
    return elementwise(LOG1P, z)


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return activate("sigmoid", z)


def tanh(z):
    """The hyperbolic tangent."""
    return activate("tanh", z)
