# The losses of rows, the gradient at the output, and the classes of rows, after fastmlp/reference/losses.py.
#
# A loss is two functions and a row of the table below, found by its name in fastmlp/losses.py. Panels are
# (n_out, rows), see activations.pxi.

cdef enum:
    MOST_LOSSES = 16


cdef struct Loss:
    # IN OUT s (rows,) in double: s plus what outputs add to the loss of each row, in order, from panels z, a, y (n, rows).
    # maxima and log_totals (rows,): softmax's m and log s, where the output is softmax.
    void (*add)(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil
    # OUT g (n,), the loss's derivative by a, from a and y (n,), which g is apart from.
    void (*error)(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil
    double factor               # of the sum of a row's terms
    bint through_activation     # whether the gradient goes through the output activation's derivative
    real parameter              # such as Huber's delta
    int branch


cdef void add_squared_error(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                            Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            e = <double>a[j + r] - <double>y[j + r]
            s[r] = s[r] + e * e


cdef void add_absolute_error(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                             Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            e = <double>a[j + r] - <double>y[j + r]
            s[r] = s[r] + (-e if e < 0 else e)


cdef void add_huber(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                    Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e, squared, straight
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            e = <double>a[j + r] - <double>y[j + r]
            e = -e if e < 0 else e
            squared, straight = 0.5 * (e * e), parameter * (e - 0.5 * parameter)
            s[r] = s[r] + (squared if e <= parameter else straight)


cdef void add_quantile(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                       Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e, high, low
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            e = <double>a[j + r] - <double>y[j + r]
            high, low = (1.0 - parameter) * e, -(parameter * e)
            s[r] = s[r] + (high if e > 0 else low)


cdef void add_poisson(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                      Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e, t
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            t = <double>y[j + r]
            e = t * log53(t)
            s[r] = s[r] + ((<double>a[j + r] - t * <double>z[j + r]) + ((0.0 if t == 0 else e) - t))


cdef void add_cross_entropy(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                            Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double e, t
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            t = <double>y[j + r]
            e = -(t * ((<double>z[j + r] - maxima[r]) - log_totals[r]))
            s[r] = s[r] + (0.0 if t == 0 else e)


cdef void add_binary_cross_entropy(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                                   Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil:
    cdef Py_ssize_t j, r
    cdef double x, t
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            x, t = <double>z[j + r], <double>y[j + r]
            s[r] = s[r] + (((x if x > 0 else 0.0) - x * t) + log1p53(exp53(-x if x > 0 else x)))


cdef void difference(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = a[i] - y[i]


cdef void sign_of_difference(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil:
    cdef Py_ssize_t i
    cdef real d, one = 1
    for i in range(n):
        d = a[i] - y[i]
        d = -one if d < 0 else d
        g[i] = one if d > 0 else d


cdef void clipped_difference(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil:
    cdef Py_ssize_t i
    cdef real d
    for i in range(n):
        d = a[i] - y[i]
        d = -parameter if d < -parameter else d
        g[i] = parameter if d > parameter else d


cdef void quantile_error(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil:
    cdef Py_ssize_t i
    cdef real d, rest = <real>1 - parameter
    for i in range(n):
        d = a[i] - y[i]
        d = -parameter if d < 0 else d
        g[i] = rest if d > 0 else d


ctypedef void (*add_function)(const real* z, const real* a, const real* y, const double* maxima, const double* log_totals,
                              Py_ssize_t n, Py_ssize_t rows, double parameter, double* s) noexcept nogil
ctypedef void (*error_function)(const real* a, const real* y, real* g, Py_ssize_t n, real parameter) noexcept nogil

cdef Loss loss_table[MOST_LOSSES]
cdef dict loss_rows = {}        # name: its number in the table


cdef new_loss(name, add_function add, error_function error, double factor, bint through_activation):
    loss_table[<int>len(loss_rows)] = Loss(add, error, factor, through_activation, 0, new_branch(f"loss {name}"))
    loss_rows[name] = len(loss_rows)


new_loss("squared_error", add_squared_error, difference, 0.5, True)
new_loss("absolute_error", add_absolute_error, sign_of_difference, 1, True)
new_loss("huber", add_huber, clipped_difference, 1, True)
new_loss("quantile", add_quantile, quantile_error, 1, True)
new_loss("poisson", add_poisson, difference, 1, False)
new_loss("cross_entropy", add_cross_entropy, difference, 1, False)
new_loss("binary_cross_entropy", add_binary_cross_entropy, difference, 1, False)


cdef Loss loss_of(loss) except *:
    # From a name, or from an object of fastmlp.losses.
    cdef Loss found
    name = _name_of(loss)
    if name not in loss_rows:
        raise ValueError(f"the compiled kernels have no loss {name!r}")
    found = loss_table[<int>loss_rows[name]]
    found.parameter = rounded(_parameter_of(loss))
    return found


cdef void row_losses_of(const Loss* loss, const real* z, const real* a, const real* y, Py_ssize_t n, Py_ssize_t rows,
                        const double* maxima, const double* totals, double* losses) noexcept nogil:
    # OUT losses (rows,), in double, from panels z, a, y (n, rows). maxima, totals (rows,): softmax's m and s, or NULL.
    cdef double s[SIDE]
    cdef double result[SIDE]
    cdef double log_totals[SIDE]
    cdef Py_ssize_t start, r
    mark(loss.branch)
    for r in range(rows):
        result[r] = 0
    if totals != NULL:
        for r in range(rows):
            log_totals[r] = log53(totals[r])
    for start from 0 <= start < n by CHUNK:
        for r in range(rows):
            s[r] = 0
        loss.add(z + start * rows, a + start * rows, y + start * rows, maxima, log_totals, min(CHUNK, n - start), rows,
                 loss.parameter, s)
        for r in range(rows):
            result[r] = result[r] + s[r]
    for r in range(rows):
        losses[r] = loss.factor * result[r]


cdef void output_gradient_run(const Loss* loss, const Activation* f, const real* z, const real* a, const real* y, real* g,
                              Py_ssize_t n, Py_ssize_t rows, const real* weights, real divisor) noexcept nogil:
    # OUT g = dL/dz from a and y, panels (n, rows), for L the sum of the rows' losses, times weights (rows,) unless they are
    # NULL, over divisor. Only an f that keeps z reads z, which g is apart from then.
    cdef Py_ssize_t i, j, r
    loss.error(a, y, g, n * rows, loss.parameter)
    if weights != NULL:
        mark(WEIGHTED_ROWS)
        for j from 0 <= j < n * rows by rows:
            for r in range(rows):
                g[j + r] = g[j + r] * weights[r]
    for i in range(n * rows):
        g[i] = g[i] / divisor
    if loss.through_activation:
        gradient_run(f, z, a, g, n * rows)


cdef void smooth_targets(real* y, Py_ssize_t n, real scale, real offset) noexcept nogil:
    # IN OUT y (n,), drawn towards a number of its own for every class.
    cdef Py_ssize_t i
    mark(SMOOTHED_TARGETS)
    for i in range(n):
        y[i] = y[i] * scale + offset


cdef void classes_of(const real* outputs, Py_ssize_t n, Py_ssize_t rows, int* classes) noexcept nogil:
    # OUT classes (rows,) of a panel (n, rows): each row's first largest output; with one output, whether it exceeds 1/2; -1
    # where there is a NaN.
    cdef real largest[SIDE]
    cdef int best[SIDE]
    cdef Py_ssize_t j, r
    for r in range(rows):
        largest[r], best[r] = outputs[r], n == 1 and outputs[r] > <real>0.5
    for j in range(1, n):
        for r in range(rows):
            best[r] = <int>j if outputs[j * rows + r] > largest[r] else best[r]
            largest[r] = outputs[j * rows + r] if outputs[j * rows + r] > largest[r] else largest[r]
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            best[r] = best[r] if outputs[j + r] == outputs[j + r] else -1
    memcpy(classes, best, rows * sizeof(int))


cdef void count_labels(const real* a, const real* y, Py_ssize_t n, Py_ssize_t rows, int32_t* n_right) noexcept nogil:
    # OUT n_right (rows,): how many outputs of panels a, y (n, rows) lie on the same side of 1/2, which NaN does on neither.
    cdef int32_t count[SIDE]
    cdef Py_ssize_t j, r
    for r in range(rows):
        count[r] = 0
    for j from 0 <= j < n * rows by rows:
        for r in range(rows):
            count[r] += (a[j + r] > <real>0.5 and y[j + r] > <real>0.5) or (a[j + r] <= <real>0.5 and y[j + r] <= <real>0.5)
    memcpy(n_right, count, rows * sizeof(int32_t))
