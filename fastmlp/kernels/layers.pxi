# What a layer does to its sums: activations and their gates, losses and output gradients, bias gradients, updates.
#
# Each follows its namesake in fastmlp/reference/ operation by operation. Blocks are rows x n, rows `row` apart. Panels are
# up to SIDE rows turned on their side, (n, rows): there what goes through a row in order, its maximum, its sums, goes
# through all of them at once.

cdef enum:
    IDENTITY, RELU, SIGMOID, TANH, SOFTMAX, CUSTOM               # as numbered in fastmlp/activations.py; CUSTOM: a user's
    SQUARED_ERROR = 0, CROSS_ENTROPY, BINARY_CROSS_ENTROPY       # as numbered in fastmlp/losses.py
    SIDE = 16                                                    # rows of a panel


cdef struct Activation:
    int number
    # CUSTOM: OUT a = f(z), and IN OUT g = g f'(z) (NULL: no derivative); both (n,), apart from z.
    void (*forward)(const real* z, real* a, Py_ssize_t n) noexcept nogil
    void (*gate)(const real* z, real* g, Py_ssize_t n) noexcept nogil


cdef void activate_run(const Activation* f, const real* z, real* a, Py_ssize_t n) noexcept nogil:
    # IN OUT a (n,) holds z and becomes f(z), for the activations that go element by element. Only CUSTOM reads z itself.
    cdef Py_ssize_t i
    if f.number == RELU:
        for i in range(n):
            a[i] = <real>0 if a[i] <= 0 else a[i]
    elif f.number == SIGMOID:
        for i in range(n):
            a[i] = <real>real_sigmoid(<double>a[i])
    elif f.number == TANH:
        for i in range(n):
            a[i] = <real>real_tanh(<double>a[i])
    elif f.number == CUSTOM:
        mark(CUSTOM_FORWARD)
        f.forward(z, a, n)


cdef void activate_block(const Activation* f, const real* z, real* a, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row,
                         real* panel) noexcept nogil:
    # OUT a (rows, n) = f(z), in place (a is z) unless f is CUSTOM. A softmax block holds whole rows, n apart, and needs
    # panel (n, SIDE).
    cdef Py_ssize_t r
    if f.number == SOFTMAX:
        for r from 0 <= r < rows by SIDE:
            transpose(a + r * n, n, min(SIDE, rows - r), n, panel, min(SIDE, rows - r))
            softmax(panel, n, min(SIDE, rows - r), NULL, NULL)
            transpose(panel, min(SIDE, rows - r), n, min(SIDE, rows - r), a + r * n, n)
    elif n == row:
        activate_run(f, z, a, rows * n)
    else:
        for r in range(rows):
            activate_run(f, z + r * row, a + r * row, n)


cdef void softmax(real* z, Py_ssize_t n, Py_ssize_t rows, double* maxima, double* totals) noexcept nogil:
    # IN OUT z (n, rows), a panel: p_j = e_j / s. OUT, unless NULL: each row's m and s.
    cdef real m[SIDE]
    cdef real s[SIDE]
    cdef real total[SIDE]
    cdef Py_ssize_t r, j, start
    for r in range(rows):
        m[r], total[r] = z[r], 0
    for j in range(1, n):
        for r in range(rows):
            m[r] = z[j * rows + r] if z[j * rows + r] > m[r] else m[r]
    for j in range(n):
        for r in range(rows):
            z[j * rows + r] = z[j * rows + r] - m[r]
    for j in range(n * rows):
        z[j] = <real>real_exp(<double>z[j])
    for start from 0 <= start < n by CHUNK:
        for r in range(rows):
            s[r] = 0
        for j in range(start, min(start + CHUNK, n)):
            for r in range(rows):
                s[r] = s[r] + z[j * rows + r]
        for r in range(rows):
            total[r] = total[r] + s[r]
    for j in range(n):
        for r in range(rows):
            z[j * rows + r] = z[j * rows + r] / total[r]
    if maxima != NULL:
        for r in range(rows):
            maxima[r], totals[r] = m[r], total[r]


cdef inline real sum_in_order(const real* values, Py_ssize_t n) noexcept nogil:
    cdef real total = 0, s
    cdef Py_ssize_t start, k
    for start from 0 <= start < n by CHUNK:
        s = 0
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    return total


cdef void gate_run(const Activation* f, const real* z, const real* a, real* g, Py_ssize_t n) noexcept nogil:
    # IN a (n,), or z where f is CUSTOM; IN OUT g (n,): dL/da becomes dL/dz = dL/da f'(z).
    cdef Py_ssize_t i
    cdef real one = 1
    if f.number == RELU:
        for i in range(n):
            g[i] = g[i] if a[i] > 0 else <real>0
    elif f.number == SIGMOID:
        for i in range(n):
            g[i] = g[i] * (a[i] * (one - a[i]))
    elif f.number == TANH:
        for i in range(n):
            g[i] = g[i] * (one - a[i] * a[i])
    elif f.number == CUSTOM:
        mark(CUSTOM_GATE)
        f.gate(z, g, n)


cdef void output_gradient_run(int loss, const Activation* f, const real* z, const real* a, const real* y, real* g,
                              Py_ssize_t n, Py_ssize_t rows) noexcept nogil:
    # OUT g (n,) = dL/dz from a and y (n,), a part of a batch of `rows` rows. Only a CUSTOM f reads z, which g is apart
    # from then.
    cdef real count = <real>rows
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = (a[i] - y[i]) / count
    if loss == SQUARED_ERROR:
        gate_run(f, z, a, g, n)


cdef void row_losses_of(int loss, const real* z, const real* a, const real* y, Py_ssize_t n, Py_ssize_t rows,
                        const double* maxima, const double* totals, double* losses) noexcept nogil:
    # OUT losses (rows,), in double, from panels z, a, y (n, rows). maxima and totals: softmax's m and s, for cross
    # entropy.
    cdef double s[SIDE]
    cdef double result[SIDE]
    cdef double log_total[SIDE]
    cdef double e, x, t
    cdef Py_ssize_t start, j, r
    for r in range(rows):
        result[r] = 0
        log_total[r] = log53(totals[r]) if loss == CROSS_ENTROPY else 0
    for start from 0 <= start < n by CHUNK:
        for r in range(rows):
            s[r] = 0
        for j in range(start, min(start + CHUNK, n)):
            if loss == SQUARED_ERROR:
                for r in range(rows):
                    e = <double>a[j * rows + r] - <double>y[j * rows + r]
                    s[r] = s[r] + e * e
            elif loss == CROSS_ENTROPY:
                for r in range(rows):
                    t = <double>y[j * rows + r]
                    e = -(t * ((<double>z[j * rows + r] - maxima[r]) - log_total[r]))
                    s[r] = s[r] + (0.0 if t == 0 else e)
            else:
                for r in range(rows):
                    x, t = <double>z[j * rows + r], <double>y[j * rows + r]
                    s[r] = s[r] + (((x if x > 0 else 0.0) - x * t) + log1p53(exp53(-x if x > 0 else x)))
        for r in range(rows):
            result[r] = result[r] + s[r]
    for r in range(rows):
        losses[r] = 0.5 * result[r] if loss == SQUARED_ERROR else result[r]


cdef void classes_of(const real* outputs, Py_ssize_t n, Py_ssize_t rows, int* classes) noexcept nogil:
    # OUT classes (rows,) of a panel (n, rows): each row's first largest output; with one output, whether it exceeds 1/2.
    cdef real largest[SIDE]
    cdef int best[SIDE]
    cdef Py_ssize_t j, r
    for r in range(rows):
        largest[r], best[r] = outputs[r], n == 1 and outputs[r] > <real>0.5
    for j in range(1, n):
        for r in range(rows):
            best[r] = <int>j if outputs[j * rows + r] > largest[r] else best[r]
            largest[r] = outputs[j * rows + r] if outputs[j * rows + r] > largest[r] else largest[r]
    memcpy(classes, best, rows * sizeof(int))


cdef void sgd_run(real* w, const real* g, real rate, Py_ssize_t n) noexcept nogil:
    # IN OUT w (n,) = w - (rate * g).
    cdef Py_ssize_t i
    for i in range(n):
        w[i] = w[i] - rate * g[i]
