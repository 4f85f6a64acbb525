# The activations and their derivatives, after fastmlp/reference/activations.py, operation by operation.
#
# Each is a pair of functions over runs of n numbers, and a row of the table at the end, found by its name in
# fastmlp/activations.py. Blocks are rows x n, rows `row` apart; panels are up to SIDE rows turned on their side, (n, rows):
# there what goes through a row in order, its maximum, its sums, goes through all of them at once.

cdef enum:
    SIDE = 16           # rows of a panel
    MOST_ACTIVATIONS = 32


cdef struct Activation:
    # IN OUT a (n,) holds z and becomes f(z), unless keeps_z: then IN z (n,), OUT a (n,), which lie apart. NULL: softmax,
    # which goes by rows.
    void (*forward)(const real* z, real* a, Py_ssize_t n) noexcept nogil
    # IN a (n,), or z if keeps_z; IN OUT g (n,): dL/da becomes dL/dz = dL/da f'(z). NULL: no derivative of its own.
    void (*gradient)(const real* a, real* g, Py_ssize_t n) noexcept nogil
    bint keeps_z
    int forward_branch, gradient_branch


cdef void identity_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    pass


cdef void identity_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    pass


cdef void relu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>0 if a[i] <= 0 else a[i]


cdef void relu_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = g[i] if a[i] > 0 else <real>0


cdef void sigmoid_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_sigmoid(<double>a[i])


cdef void sigmoid_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real one = 1
    for i in range(n):
        g[i] = g[i] * (a[i] * (one - a[i]))


cdef void tanh_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_tanh(<double>a[i])


cdef void tanh_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real one = 1
    for i in range(n):
        g[i] = g[i] * (one - a[i] * a[i])


cdef void leaky_relu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real slope = <real>0.01
    for i in range(n):
        a[i] = a[i] if a[i] > 0 else slope * a[i]


cdef void leaky_relu_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real slope = <real>0.01
    for i in range(n):
        g[i] = g[i] if a[i] > 0 else slope * g[i]


cdef void elu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_elu(<double>a[i])


cdef void elu_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real one = 1
    for i in range(n):
        g[i] = g[i] if a[i] > 0 else g[i] * (a[i] + one)


cdef void selu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_selu(<double>a[i])


cdef void selu_gradient(const real* a, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef real scale = <real>SELU_SCALE, scale_alpha = <real>SELU_SCALE_ALPHA
    for i in range(n):
        g[i] = scale * g[i] if a[i] > 0 else g[i] * (a[i] + scale_alpha)


cdef void softplus_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_softplus(<double>z[i])


cdef void softplus_gradient(const real* z, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = g[i] * <real>real_sigmoid(<double>z[i])


cdef void silu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_silu(<double>z[i]).value


cdef void silu_gradient(const real* z, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = g[i] * <real>real_silu(<double>z[i]).derivative


cdef void gelu_tanh_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_gelu_tanh(<double>z[i]).value


cdef void gelu_tanh_gradient(const real* z, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = g[i] * <real>real_gelu_tanh(<double>z[i]).derivative


cdef void gelu_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_gelu(<double>z[i]).value


cdef void gelu_gradient(const real* z, real* g, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        g[i] = g[i] * <real>real_gelu(<double>z[i]).derivative


cdef void exp_forward(const real* z, real* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        a[i] = <real>real_exp(<double>a[i])


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


cdef inline void activate_run(const Activation* f, const real* z, real* a, Py_ssize_t n) noexcept nogil:
    # a (n,) = f(z), see Activation.forward.
    mark(f.forward_branch)
    f.forward(z, a, n)


cdef inline void gradient_run(const Activation* f, const real* z, const real* a, real* g, Py_ssize_t n) noexcept nogil:
    # IN OUT g (n,) becomes dL/dz, see Activation.gradient.
    mark(f.gradient_branch)
    f.gradient(z if f.keeps_z else a, g, n)


cdef void activate_block(const Activation* f, const real* z, real* a, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row,
                         real* panel) noexcept nogil:
    # OUT a (rows, n) = f(z), in place (a is z) unless f keeps z. A softmax block holds whole rows, n apart, and needs
    # panel (n, SIDE).
    cdef Py_ssize_t r
    if f.forward == NULL:
        mark(f.forward_branch)
        for r from 0 <= r < rows by SIDE:
            transpose(a + r * n, n, min(SIDE, rows - r), n, panel, min(SIDE, rows - r))
            softmax(panel, n, min(SIDE, rows - r), NULL, NULL)
            transpose(panel, min(SIDE, rows - r), n, min(SIDE, rows - r), a + r * n, n)
    elif n == row:
        activate_run(f, z, a, rows * n)
    else:
        for r in range(rows):
            activate_run(f, z + r * row, a + r * row, n)


ctypedef void (*forward_function)(const real* z, real* a, Py_ssize_t n) noexcept nogil
ctypedef void (*gradient_function)(const real* a, real* g, Py_ssize_t n) noexcept nogil

cdef Activation activation_table[MOST_ACTIVATIONS]
cdef dict activation_rows = {}      # name: its number in the table


cdef add_activation(name, forward_function forward, gradient_function gradient):
    cdef Activation* f = &activation_table[len(activation_rows)]
    f.forward, f.gradient, f.keeps_z = forward, gradient, ACTIVATIONS[name].keeps_z
    f.forward_branch = new_branch(f"forward of {name}")
    f.gradient_branch = new_branch(f"gradient of {name}") if gradient != NULL else 0
    activation_rows[name] = len(activation_rows)


add_activation("identity", identity_forward, identity_gradient)
add_activation("relu", relu_forward, relu_gradient)
add_activation("sigmoid", sigmoid_forward, sigmoid_gradient)
add_activation("tanh", tanh_forward, tanh_gradient)
add_activation("leaky_relu", leaky_relu_forward, leaky_relu_gradient)
add_activation("elu", elu_forward, elu_gradient)
add_activation("selu", selu_forward, selu_gradient)
add_activation("softplus", softplus_forward, softplus_gradient)
add_activation("silu", silu_forward, silu_gradient)
add_activation("gelu", gelu_forward, gelu_gradient)
add_activation("gelu_tanh", gelu_tanh_forward, gelu_tanh_gradient)
add_activation("softmax", NULL, NULL)
add_activation("exp", exp_forward, NULL)

cdef int custom_forward = new_branch("forward of a user's activation")
cdef int custom_gradient = new_branch("gradient of a user's activation")


cdef Activation activation_of(activation) except *:
    # From a name, or from a user's activation, which gives its functions' addresses (0: no derivative).
    cdef Activation f
    if isinstance(activation, str):
        if activation not in activation_rows:
            raise ValueError(f"the compiled kernels have no activation {activation!r}")
        return activation_table[<int>activation_rows[activation]]
    forward, gradient = activation.addresses(dtype)
    f.forward, f.gradient, f.keeps_z = <forward_function><size_t>forward, <gradient_function><size_t>gradient, True
    f.forward_branch, f.gradient_branch = custom_forward, custom_gradient
    return f
