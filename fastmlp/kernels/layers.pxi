# What a layer does to its sums: activations and their gates, losses and output gradients, bias gradients, updates.
#
# Each follows its namesake in fastmlp/reference/ operation by operation. Blocks are rows x n, rows `row` apart.

cdef enum:
    IDENTITY, RELU, SIGMOID, TANH, SOFTMAX                       # as numbered in fastmlp/activations.py
    SQUARED_ERROR = 0, CROSS_ENTROPY, BINARY_CROSS_ENTROPY       # as numbered in fastmlp/losses.py


cdef void activate_run(int activation, real* z, Py_ssize_t n) noexcept nogil:
    # IN OUT z (n,): a = f(z) in place, for the activations that go element by element.
    cdef Py_ssize_t i
    if activation == RELU:
        for i in range(n):
            z[i] = <real>0 if z[i] <= 0 else z[i]
    elif activation == SIGMOID:
        for i in range(n):
            z[i] = <real>sigmoid64(<double>z[i])
    elif activation == TANH:
        for i in range(n):
            z[i] = <real>tanh64(<double>z[i])


cdef void activate_block(int activation, real* z, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row) noexcept nogil:
    # IN OUT z (rows, n): a = f(z) in place. A softmax block holds whole rows, n apart.
    cdef Py_ssize_t r
    if activation == IDENTITY:
        return
    if activation == SOFTMAX:
        softmax_powers(z, rows, n)
        for r in range(rows):
            divide(z + r * n, sum_in_order(z + r * n, n), n)
    elif n == row:
        activate_run(activation, z, rows * n)
    else:
        for r in range(rows):
            activate_run(activation, z + r * row, n)


cdef void softmax_powers(real* z, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # IN OUT z (rows, n): e_j = exp(z_j - m), m the row's maximum; all rows in one loop, so that short rows fill vectors as well.
    cdef Py_ssize_t r, j
    cdef real m
    for r in range(rows):
        m = row_maximum(z + r * n, n)
        for j in range(n):
            z[r * n + j] = z[r * n + j] - m
    for j in range(rows * n):
        z[j] = <real>exp64(<double>z[j])


cdef inline void divide(real* values, real total, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        values[j] = values[j] / total


cdef inline real row_maximum(const real* z, Py_ssize_t n) noexcept nogil:
    cdef real m = z[0]
    cdef Py_ssize_t j
    for j in range(1, n):
        m = z[j] if z[j] > m else m
    return m


cdef inline real sum_in_order(const real* values, Py_ssize_t n) noexcept nogil:
    cdef real total = 0, s
    cdef Py_ssize_t start, k
    for start from 0 <= start < n by CHUNK:
        s = 0
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    return total


cdef void gate_run(int activation, const real* a, real* g, Py_ssize_t n) noexcept nogil:
    # IN a (n,); IN OUT g (n,): dL/da becomes dL/dz = dL/da f'(z).
    cdef Py_ssize_t i
    cdef real one = 1
    if activation == RELU:
        for i in range(n):
            g[i] = g[i] if a[i] > 0 else <real>0
    elif activation == SIGMOID:
        for i in range(n):
            g[i] = g[i] * (a[i] * (one - a[i]))
    elif activation == TANH:
        for i in range(n):
            g[i] = g[i] * (one - a[i] * a[i])


cdef void output_gradient_run(int loss, int activation, const real* a, const real* y, real* g, Py_ssize_t n,
                              Py_ssize_t rows) noexcept nogil:
    # OUT g (n,) = dL/dz from a and y (n,), a part of a batch of `rows` rows.
    cdef real count = <real>rows
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = (a[i] - y[i]) / count
    if loss == SQUARED_ERROR:
        gate_run(activation, a, g, n)


cdef double row_loss(int loss, const real* z, const real* a, const real* y, real total, Py_ssize_t n) noexcept nogil:
    # The loss of one row of n outputs, in double; total is softmax's sum of e_j, where the loss is cross entropy.
    cdef double result = 0, s, e, m = 0, log_total = 0
    cdef Py_ssize_t start, j
    if loss == CROSS_ENTROPY:
        m, log_total = <double>row_maximum(z, n), log64(<double>total)
    for start from 0 <= start < n by CHUNK:
        s = 0
        for j in range(start, min(start + CHUNK, n)):
            if loss == SQUARED_ERROR:
                e = <double>a[j] - <double>y[j]
                e = e * e
            elif loss == CROSS_ENTROPY:
                e = 0.0 if y[j] == 0 else -(<double>y[j] * ((<double>z[j] - m) - log_total))
            else:
                e = (((<double>z[j] if z[j] > 0 else 0.0) - <double>z[j] * <double>y[j])
                     + log1p_64(exp64(-<double>z[j] if z[j] > 0 else <double>z[j])))
            s = s + e
        result = result + s
    return 0.5 * result if loss == SQUARED_ERROR else result


cdef Py_ssize_t class_of(const real* outputs, Py_ssize_t n) noexcept nogil:
    # The index of the first largest output; with one output, whether it exceeds 1/2.
    cdef Py_ssize_t j, best = 0
    if n == 1:
        return outputs[0] > <real>0.5
    for j in range(1, n):
        if outputs[j] > outputs[best]:
            best = j
    return best


cdef void sum_rows(const real* g, Py_ssize_t rows, Py_ssize_t row, real* s, real* total, Py_ssize_t n) noexcept nogil:
    # OUT total (n,) = the sum of g (rows, n) over its rows, in order; s (n,) is scratch.
    cdef Py_ssize_t start, r, j
    for j in range(n):
        total[j] = 0
    for start from 0 <= start < rows by CHUNK:
        for j in range(n):
            s[j] = 0
        for r in range(start, min(start + CHUNK, rows)):
            for j in range(n):
                s[j] = s[j] + g[r * row + j]
        for j in range(n):
            total[j] = total[j] + s[j]


cdef void sgd_run(real* w, const real* g, real rate, Py_ssize_t n) noexcept nogil:
    # IN OUT w (n,) = w - (rate * g).
    cdef Py_ssize_t i
    for i in range(n):
        w[i] = w[i] - rate * g[i]
