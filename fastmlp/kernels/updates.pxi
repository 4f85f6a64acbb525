# The update rules of updates.h from Python's side: found by name, and run over flat arrays.

cdef dict rule_rows = {}        # name: (its number in the table, its branch)
cdef list LINE_NAMES = list(LINES)

for row in range(N_RULES):
    rule_rows[rules[row].name.decode()] = row, new_branch(f"update by {rules[row].name.decode()}")


cdef Update update_of(cnp.ndarray parameters, rule, cnp.ndarray numbers, state, lines, bint penalise_biases,
                      bint scales) except *:
    # The description of an update, whose arrays must live as long; scales: whether gradients are scaled.
    cdef Update u
    cdef int i
    memset(&u, 0, sizeof(Update))
    if rule not in rule_rows:
        raise ValueError(f"the compiled kernels have no update rule {rule!r}")
    i, u.branch = rule_rows[rule]
    if (numbers.shape[1], len(state)) != (rules[i].n_numbers + len(lines), rules[i].n_state + ("average" in lines)):
        raise ValueError(f"update rule {rule!r} takes {rules[i].n_numbers} numbers and {rules[i].n_state} arrays, and one for "
                         "each line that has one")
    u.rule, u.numbers, u.parameters = rules[i].run, data_of(numbers), data_of(parameters)
    for i, array in enumerate(state[: rules[i].n_state]):
        u.state[i] = data_of(array)
    for line in lines:
        u.lines |= 1 << <int>LINE_NAMES.index(line)
    if u.lines & AVERAGE:
        u.average = data_of(state[len(state) - 1])
    u.scale = 1
    u.lines |= SCALE if scales else 0
    u.bias_lines = u.lines if penalise_biases else u.lines & ~(L2 | L1 | DECAY)
    u.fused = rule == "sgd" and u.lines == 0
    return u


cdef struct Updating:
    const Update* update
    const Layer* layers
    int n_layers
    const real* gradients
    Py_ssize_t n


cdef void update_part(void* updating, int part, int parts) noexcept nogil:
    cdef Updating* u = <Updating*>updating
    update_share(u.update, u.layers, u.n_layers, u.gradients, u.n, part, parts)


cdef run_update(const Update* update, const Layer* layers, int n_layers, cnp.ndarray gradients, int team):
    # IN OUT all parameters of the layers, from their gradients.
    cdef Updating updating = Updating(update, layers, n_layers, data_of(gradients), gradients.size)
    run_parts(update_part, &updating, team, True)


def update(rule, parameters, gradients, state, numbers, lines=(), scale=None, int n_threads=1):
    """One step by an update rule, in place, for flat C-contiguous arrays. See fastmlp.reference.update."""
    cdef cnp.ndarray in_real = np.array(numbers, dtype).reshape(1, -1)
    cdef Update u = update_of(parameters, rule, in_real, state, lines, True, scale is not None)
    cdef Layer all_of_them
    u.scale = rounded(1 if scale is None else scale)
    all_of_them.n_in, all_of_them.n_out = parameters.size, 1
    run_update(&u, &all_of_them, 1, contiguous(gradients), team_worth(n_threads, parameters.size // READING_PAYS))


def sgd_update(parameters, gradients, learning_rate, int n_threads=1):
    """w = w - learning_rate * g, in place, for flat C-contiguous arrays. See fastmlp.reference.sgd_update."""
    update("sgd", parameters, gradients, (), (learning_rate,), n_threads=n_threads)


cdef double lane_sum(array, int magnitudes):
    cdef cnp.ndarray x = contiguous(array)
    cdef Py_ssize_t blocks = blocks_of(x.size)
    cdef cnp.ndarray totals = np.empty(blocks)
    cdef fp_environment environment = fp_enter()
    cdef double total
    sum_blocks(data_of(x), x.size, 0, blocks, magnitudes, <double*>cnp.PyArray_DATA(totals))
    total = added_up(<const double*>cnp.PyArray_DATA(totals), blocks)
    fp_leave(environment)
    return total


def sum_of_squares(array):
    """The sum of squares of a flat array, float64. See fastmlp.reference.sum_of_squares."""
    return lane_sum(array, 0)


def sum_of_magnitudes(array):
    """The sum of absolute values of a flat array, float64. See fastmlp.reference.sum_of_magnitudes."""
    return lane_sum(array, 1)
