# The layer functions of fastmlp.reference, compiled: the same names, arguments and bits.

cdef class DefaultEnvironment:
    """A context manager: within it numbers round to nearest and none is flushed to zero, whatever was set before."""

    cdef fp_environment before

    def __enter__(self):
        self.before = fp_enter()

    def __exit__(self, *error):
        fp_leave(self.before)


def sum_of_products(a, b, seed, out=None):
    """total[i, j] = seed[j] + sum_k a[i, k] b[k, j]; any layouts. See fastmlp.reference.sum_of_products."""
    a, b = strided(a), strided(b)
    cdef cnp.ndarray x = a, w = b
    cdef Py_ssize_t m = a.shape[0], n = b.shape[1]
    cdef cnp.ndarray start = contiguous(np.broadcast_to(np.asarray(seed, dtype), (n,)))
    cdef cnp.ndarray total = np.empty((m, n), dtype) if out is None else out
    cdef Product p
    cdef fp_environment environment
    cdef Py_ssize_t row = x.strides[0] // <Py_ssize_t>sizeof(real), column = x.strides[1] // <Py_ssize_t>sizeof(real)
    cdef real* buffer = <real*>malloc(BUFFER * sizeof(real) + max(m, x.shape[1]) * sizeof(real*))
    if buffer == NULL:
        raise MemoryError
    p.terms = a.shape[1]
    p.by_columns, p.step = row == 1 and column != 1, column
    p.lines = <const real**>(buffer + BUFFER)
    if p.by_columns:
        lines_of(data_of(x), column, p.terms, p.lines)
    else:
        lines_of(data_of(x), row, m, p.lines)
    p.b, p.b_row, p.b_col = data_of(w), w.strides[0] // <Py_ssize_t>sizeof(real), w.strides[1] // <Py_ssize_t>sizeof(real)
    p.seed, p.c, p.c_row, p.carries, p.update = data_of(start), data_of(total), n, False, NULL
    with nogil:
        environment = fp_enter()
        multiply(&p, 0, m, 0, n, buffer, NULL)
        fp_leave(environment)
    free(buffer)
    return total


def dense_forward(x, weights, bias, activation="identity", out=None):
    """a = f(x W + b), (rows, n_out); written into out where given. See fastmlp.reference.dense_forward."""
    cdef cnp.ndarray a = sum_of_products(x, weights, bias, out)
    apply_activation(activation_of(activation), a)
    return a


def dense_backward(x, weights, grad_z, input_gradient=True):
    """(grad_w, grad_b, grad_x) of one layer from grad_z = dL/dz. See fastmlp.reference.dense_backward."""
    x, weights, grad_z = np.asarray(x), np.asarray(weights), np.asarray(grad_z)
    grad_w = sum_of_products(x.T, grad_z, 0)
    grad_b = ordered_sum(grad_z.T)
    grad_x = sum_of_products(grad_z, weights.T, 0) if input_gradient else None
    return grad_w, grad_b, grad_x


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


def activate(activation, z):
    """a = f(z), a new array; softmax row by row. See fastmlp.reference.activate."""
    cdef cnp.ndarray a = np.array(z, dtype, order="C")
    apply_activation(activation_of(activation), a)
    return a


cdef apply_activation(Activation f, cnp.ndarray a):
    # IN OUT a, in C order: z becomes f(z).
    cdef fp_environment environment
    cdef cnp.ndarray copy = a.copy() if f.keeps_z else a
    cdef real* z = data_of(copy)
    cdef real* out = data_of(a)
    cdef Py_ssize_t n = a.shape[a.ndim - 1] if a.ndim > 1 else 1, size = a.size
    cdef real* panel = <real*>malloc((n + 1) * SIDE * sizeof(real))
    if panel == NULL:
        raise MemoryError
    if size:
        with nogil:
            environment = fp_enter()
            activate_block(&f, z, out, size // n, n, n, panel)
            fp_leave(environment)
    free(panel)


def activation_gradient(activation, a, grad_a, z=None):
    """dL/dz = dL/da f'(z), a new array. See fastmlp.reference.activation_gradient."""
    cdef Activation f = activation_of(activation)
    cdef cnp.ndarray outputs = contiguous(a), sums = outputs if z is None else contiguous(z)
    cdef cnp.ndarray g = np.array(grad_a, dtype, order="C")
    cdef fp_environment environment
    if f.gradient == NULL:
        raise ValueError(f"activation {activation!r} has no derivative of its own")
    environment = fp_enter()
    gradient_run(&f, data_of(sums), data_of(outputs), data_of(g), g.size)
    fp_leave(environment)
    return g


def output_gradient(loss, activation, a, y, z=None, divisor=None, weights=None):
    """dL/dz at the output. See fastmlp.reference.output_gradient."""
    cdef Activation f = activation_of(activation)
    cdef cnp.ndarray outputs = contiguous(a.T), targets = contiguous(y.T), g = np.empty_like(outputs)
    cdef cnp.ndarray sums = outputs if z is None else contiguous(z.T)
    cdef cnp.ndarray of_rows_weights = outputs if weights is None else contiguous(weights)
    cdef Loss of_rows = loss_of(loss)
    cdef real count = rounded(a.shape[0] if divisor is None else divisor)
    cdef fp_environment environment = fp_enter()
    output_gradient_run(&of_rows, &f, data_of(sums), data_of(outputs), data_of(targets), data_of(g), g.shape[0], g.shape[1],
                        NULL if weights is None else data_of(of_rows_weights), count)
    fp_leave(environment)
    return contiguous(g.T)


def row_losses(loss, z, a, y):
    """The loss of each row, (rows,) float64. See fastmlp.reference.row_losses."""
    cdef Py_ssize_t rows = z.shape[0], n = z.shape[1]
    cdef cnp.ndarray losses = np.empty(rows), panels, powers
    cdef double maxima[SIDE]
    cdef double totals[SIDE]
    cdef Loss of_rows = loss_of(loss)
    cdef bint is_softmax = "softmax" in LOSSES[_name_of(loss)].output_activations
    cdef Py_ssize_t r
    cdef fp_environment environment
    for r from 0 <= r < rows by SIDE:
        panels = np.array([contiguous(part[r : r + SIDE].T) for part in (z, a, y)])
        powers = panels[0].copy()
        environment = fp_enter()
        if is_softmax:
            softmax(data_of(powers), n, panels.shape[2], maxima, totals)
        row_losses_of(&of_rows, data_of(panels), data_of(panels) + panels.strides[0] // <Py_ssize_t>sizeof(real),
                      data_of(panels) + panels.strides[0] // <Py_ssize_t>sizeof(real) * 2, n, panels.shape[2], maxima,
                      totals if is_softmax else NULL, <double*>cnp.PyArray_DATA(losses) + r)
        fp_leave(environment)
    return losses


cdef inline real sum_in_order(const real* values, Py_ssize_t n) noexcept nogil:
    cdef real total = 0, s
    cdef Py_ssize_t start, k
    for start from 0 <= start < n by CHUNK:
        s = 0
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    return total


def ordered_sum(values):
    """The sum over the last axis, in order and in chunks. See fastmlp.reference.ordered_sum."""
    values = np.asarray(values)
    if values.ndim == 2 and values.T.flags.c_contiguous:
        return sum_over_rows(values.T)
    cdef cnp.ndarray terms = contiguous(values), totals = np.empty(values.shape[: values.ndim - 1], dtype)
    cdef Py_ssize_t n = values.shape[values.ndim - 1], i
    cdef fp_environment environment = fp_enter()
    for i in range(totals.size):
        data_of(totals)[i] = sum_in_order(data_of(terms) + i * n, n)
    fp_leave(environment)
    return totals[()]


cdef sum_over_rows(values):
    cdef cnp.ndarray terms = contiguous(values), totals = np.empty(values.shape[1], dtype)
    cdef fp_environment environment = fp_enter()
    sum_rows(data_of(terms), values.shape[0], totals.size, data_of(totals), NULL, False, totals.size)
    fp_leave(environment)
    return totals


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
