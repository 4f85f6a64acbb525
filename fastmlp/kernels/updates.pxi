# The update rules of updates.h from Python's side: found by name, and run over flat arrays.

cdef dict rule_branches = {rules[i].name.decode(): (i, new_branch(f"update by {rules[i].name.decode()}")) for i in range(N_RULES)}


cdef Update update_of(rule, cnp.ndarray numbers, cnp.ndarray parameters, state) except *:
    # The description of an update; its arrays must live as long.
    cdef Update u
    cdef int i
    if rule not in rule_branches:
        raise ValueError(f"the compiled kernels have no update rule {rule!r}")
    i, u.branch = rule_branches[rule]
    if (numbers.shape[1], len(state)) != (rules[i].n_numbers, rules[i].n_state):
        raise ValueError(f"update rule {rule!r} takes {rules[i].n_numbers} numbers and {rules[i].n_state} arrays")
    u.rule, u.fused, u.numbers, u.parameters = rules[i].run, rule == "sgd", data_of(numbers), data_of(parameters)
    for i, array in enumerate(state):
        u.state[i] = data_of(array)
    return u


cdef run_update(const Update* update, cnp.ndarray gradients, int team):
    # IN OUT all parameters of the update, from their gradients; cut at cache lines.
    global calls_under_way
    cdef Py_ssize_t lines = (gradients.size + 15) // 16, first, stop, n = gradients.size
    cdef const real* g = data_of(gradients)
    cdef int part
    cdef fp_environment environment
    mark(update.branch)
    calls_under_way += 1
    for part in prange(team, num_threads=team, schedule="static", nogil=True):
        first, stop = lines * part // team * 16, min(lines * (part + 1) // team * 16, n)
        environment = fp_enter()
        update.rule(update, first, 1, stop - first, stop - first, g + first)
        fp_leave(environment)
    calls_under_way -= 1


def update(rule, parameters, gradients, state, numbers):
    """One step by an update rule, in place, for flat C-contiguous arrays. See fastmlp.reference.update."""
    cdef cnp.ndarray in_real = np.array(numbers, dtype).reshape(1, -1)
    cdef Update u = update_of(rule, in_real, parameters, state)
    run_update(&u, contiguous(gradients), 1)


def sgd_update(parameters, gradients, learning_rate):
    """w = w - learning_rate * g, in place, for flat C-contiguous arrays. See fastmlp.reference.sgd_update."""
    update("sgd", parameters, gradients, (), (learning_rate,))
