# The Engine of fastmlp.reference.training, compiled: it lays out a Job, allocates its arrays, and opens the team.

cdef enum:
    SHARE_PAYS = 150_000        # products a thread must have of its own in a call before a team is worth opening
    STEP_MAY_PAY = 60_000       # and in a step of training before its threads may be worth waiting for: from here it is
    STEP_PAYS = 4_000_000       # tried, since it depends on how far apart the processors are; from here it always is
    GIVING_PAYS = 400_000       # products from which other Python threads may run meanwhile: to take the GIL back from
                                # them takes longer than fewer
    READING_PAYS = 400_000      # numbers that a thread must have to read, and do no more with
    INFERENCE_ROWS = 96         # rows that go through all layers at a time: they lie in the second-level cache then

cdef int REAL_TYPE = cnp.NPY_FLOAT32 if sizeof(real) == 4 else cnp.NPY_FLOAT64
cdef int threads_at_import = threads_set()
cdef bint forked = False        # OpenMP's threads do not live on in a forked child, and it would wait for them
cdef bint forked_said = False
cdef int calls_under_way = 0    # of Python threads that have given the GIL away, in this module

cdef extern from *:
    """
    static real rounded(double x) {  /* to nearest, whatever the caller's rounding; volatile: done in between */
        const fp_environment old = fp_enter();
        volatile double given = x;
        volatile real result = (real)given;
        fp_leave(old);
        return result;
    }
    """
    real rounded(double x) noexcept


def _after_fork():
    global forked, calls_under_way
    forked, calls_under_way = True, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


cdef class Engine:
    """A network's computation over its flat parameter array; see fastmlp.reference.Engine."""

    cdef Layer* layers
    cdef int n_layers, loss, n_threads
    cdef bint custom                    # whether a layer has a user's activation, which may take any time
    cdef Py_ssize_t products            # a forward pass's, for one row
    cdef cnp.ndarray parameters
    cdef object names                   # of the activations, or the users' own, whose code must live as long
    cdef void* workspace                # kept between calls of train, with room for
    cdef Py_ssize_t workspace_rows
    cdef bint workspace_unpacks
    cdef Trial trial

    def __cinit__(self, layer_sizes, activations, loss, cnp.ndarray parameters, int n_threads=1):
        cdef real* p = data_of(parameters)
        cdef int i
        self.parameters, self.names = parameters, activations
        self.n_layers = <int>len(activations)
        self.layers = <Layer*>calloc(self.n_layers, sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.loss = loss_number(loss)
        self.n_threads = n_threads if has_openmp() else 1
        begin_trials(&self.trial)
        for i in range(self.n_layers):
            layer = &self.layers[i]
            layer.n_in, layer.n_out = layer_sizes[i], layer_sizes[i + 1]
            layer.activation = activation_of(activations[i])
            self.custom = self.custom or layer.activation.number == CUSTOM
            layer.weights, layer.bias = p, p + layer.n_in * layer.n_out
            p += (layer.n_in + 1) * layer.n_out
            self.products += layer.n_in * layer.n_out

    def __dealloc__(self):
        free(self.layers)
        free(self.workspace)

    cpdef forward(self, x, cnp.ndarray out):
        """Write the outputs for x into out (rows, n_out)."""
        cdef Job job
        self.describe(&job, FORWARD, x)
        job.out = data_of(out)
        self.split_rows(&job)

    def quick_forward(self, x):
        """The outputs in a new array, if x is an array (rows, n_in) of this type in C order with rows in it, else None."""
        cdef cnp.ndarray out
        cdef cnp.npy_intp shape[2]
        if not is_ready(x, 2, REAL_TYPE) or not self.takes(x):
            return None
        shape[0], shape[1] = (<cnp.ndarray>x).shape[0], self.layers[self.n_layers - 1].n_out
        out = cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0)
        self.forward(x, out)
        return out

    cdef bint takes(self, cnp.ndarray x):
        return x.shape[1] == self.layers[0].n_in and x.shape[0] > 0

    def quick_step(self, x, y, learning_rate, lock):
        """One step on all rows, and the mean loss before it, if nothing has to be converted or refused; else None.

        lock: held by whoever trains the network.
        """
        cdef cnp.ndarray losses
        cdef cnp.npy_intp rows
        cdef bint is_long
        if not (is_ready(x, 2, REAL_TYPE) and self.takes(x) and self.is_apart(x) and all_finite(x)
                and self.takes_targets(x, y) and type(learning_rate) is float and learning_rate >= 0
                and isfinite(rounded(learning_rate)) and not lock.locked()):
            return None
        rows = (<cnp.ndarray>x).shape[0]
        losses = cnp.PyArray_EMPTY(1, &rows, cnp.NPY_FLOAT64, 0)
        is_long = self.is_long(rows)
        if is_long and not lock.acquire(False):
            return None
        try:    # a short step keeps the GIL, and nothing in it calls Python: it needs no lock
            self.train(x, y, None, 0, rows, rows, learning_rate, losses, None)
        finally:
            if is_long:
                lock.release()
        return mean_in_order(<const double*>cnp.PyArray_DATA(losses), rows)

    cdef bint takes_targets(self, cnp.ndarray x, y):
        # Labels of a network with several outputs, or finite targets that need not be probabilities.
        cdef Py_ssize_t n_out = self.layers[self.n_layers - 1].n_out, i
        cdef const int64_t* labels
        if is_ready(y, 2, REAL_TYPE):
            return (self.loss == SQUARED_ERROR and y.shape[0] == x.shape[0] and y.shape[1] == n_out
                    and self.is_apart(y) and all_finite(y))
        if n_out == 1 or not is_ready(y, 1, cnp.NPY_INT64) or y.shape[0] != x.shape[0]:
            return False
        labels = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>y)
        for i in range(x.shape[0]):
            if not 0 <= labels[i] < n_out:
                return False
        return self.is_apart(y)

    cdef bint is_apart(self, cnp.ndarray array):
        # Whether it shares no memory with the parameters, which change.
        cdef const char* data = <const char*>cnp.PyArray_DATA(array)
        cdef const char* parameters = <const char*>cnp.PyArray_DATA(self.parameters)
        return data + cnp.PyArray_NBYTES(array) <= parameters or parameters + cnp.PyArray_NBYTES(self.parameters) <= data

    def evaluate(self, x, y, cnp.ndarray losses, correct):
        """Fill losses (rows,) float64, and correct (rows,) uint8 unless it is None, without training."""
        cdef Job job
        self.describe(&job, EVALUATE, x)
        y = self.describe_targets(&job, y, losses, correct)
        self.split_rows(&job)

    def activations(self, x):
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        cdef int i
        if x.dtype == np.uint8:
            x = x.astype(dtype) / dtype.type(255)
        sizes = [self.layers[0].n_in] + [self.layers[i].n_out for i in range(self.n_layers)]
        results = [x]
        for i, (weights, bias) in enumerate(layout.layer_views(self.parameters, sizes)):
            a = sum_of_products(results[i], weights, bias)
            apply_activation(self.layers[i].activation, a)
            results.append(a)
        return results

    def gradients(self, x, y, cnp.ndarray gradients):
        """Write d(mean loss)/d(parameters) into the flat array gradients; return the mean loss."""
        cdef Job job
        cdef real* g = data_of(gradients)
        cdef int i
        cdef Py_ssize_t rows = x.shape[0]
        cdef cnp.ndarray losses = np.empty(rows)
        cdef void* memory
        cdef int team = self.team_worth(3 * rows * self.products // SHARE_PAYS)
        self.describe(&job, GRADIENT, x)
        y = self.describe_targets(&job, y, losses, None)
        job.batch_size = rows
        layers = <Layer*>malloc(self.n_layers * sizeof(Layer))
        memory = NULL if layers == NULL else self.allocate(&job, layers, team)
        if memory == NULL:
            free(layers)
            raise MemoryError
        for i in range(self.n_layers):
            layers[i].grad_w, layers[i].grad_b = g, g + layers[i].n_in * layers[i].n_out
            g += (layers[i].n_in + 1) * layers[i].n_out
        run_jobs(<const char*>&job, 0, team, self.is_long(rows), NULL)
        free(memory)
        free(layers)
        return mean_in_order(job.losses, rows)

    cpdef train(self, x, y, order, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t batch_size, learning_rate,
              cnp.ndarray losses, correct):
        """Steps of gradient descent on the rows order[start:stop]; see fastmlp.reference.Engine.train."""
        cdef Job job
        cdef int team
        cdef Py_ssize_t products
        batch_size = min(batch_size, stop - start)
        products = 3 * batch_size * self.products
        team = self.team_worth(products // STEP_MAY_PAY)
        self.describe(&job, TRAIN, x)
        y = self.describe_targets(&job, y, losses, correct)
        job.start, job.stop, job.batch_size = start, stop, batch_size
        job.rate = rounded(learning_rate)
        if order is not None:
            job.order = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>order)
        if batch_size > self.workspace_rows or (job.x.coded and not self.workspace_unpacks):
            free(self.workspace)
            self.workspace, self.workspace_rows, self.workspace_unpacks = NULL, batch_size, job.x.coded
        job.layers = self.layers
        self.workspace = self.allocate(&job, self.layers, self.n_threads)
        if self.workspace == NULL:
            self.workspace_rows = 0
            raise MemoryError
        if (stop - start) % batch_size:
            mark(SHORT_LAST_BATCH)
        self.trial.products = products
        run_jobs(<const char*>&job, 0, team, self.is_long(stop - start),
                 &self.trial if team > 1 and products < team * <Py_ssize_t>STEP_PAYS else NULL)

    def all_finite(self, cnp.ndarray values):
        """Whether neither NaN nor infinity is in values (rows, n), whose rows are contiguous."""
        global calls_under_way
        cdef const char* data = <const char*>cnp.PyArray_DATA(values)
        cdef Py_ssize_t rows = values.shape[0], n = values.shape[1], row = values.strides[0]
        cdef int team = self.team_worth(rows * n // READING_PAYS), part, infinite = 0
        calls_under_way += 1
        for part in prange(team, num_threads=team, schedule="static", nogil=True):
            infinite += not finite_rows(data, row, rows * part // team, rows * (part + 1) // team, n)
        calls_under_way -= 1
        return not infinite

    cdef describe(self, Job* job, Mode mode, x):
        cdef cnp.ndarray inputs = x
        memset(job, 0, sizeof(Job))
        job.mode, job.n_layers, job.loss, job.layers = mode, self.n_layers, self.loss, self.layers
        job.x.data, job.x.stride = <const char*>cnp.PyArray_DATA(inputs), inputs.strides[0]
        job.x.coded = cnp.PyArray_TYPE(inputs) == cnp.NPY_UINT8
        job.stop = inputs.shape[0]

    cdef describe_targets(self, Job* job, y, cnp.ndarray losses, correct):
        # Returns the array of targets that the job points into, for the caller to keep.
        cdef cnp.ndarray targets = y
        if targets.ndim == 2 and targets.strides[1] != sizeof(real):
            targets = contiguous(y)
        job.y.data, job.y.stride = <const char*>cnp.PyArray_DATA(targets), targets.strides[0]
        job.y.coded = targets.ndim == 1
        job.losses = <double*>cnp.PyArray_DATA(losses)
        job.correct = NULL if correct is None else <uint8_t*>cnp.PyArray_DATA(<cnp.ndarray>correct)
        return targets

    cdef bint is_long(self, Py_ssize_t rows):
        # Whether other Python threads may run meanwhile.
        return self.custom or rows * self.products >= GIVING_PAYS

    cdef int team_worth(self, Py_ssize_t threads):
        cdef int team = <int>min(<Py_ssize_t>self.n_threads, max(threads, <Py_ssize_t>1))
        if team > 1 and calls_under_way:
            return 1    # two teams on the same processors would wait for each other
        if team > 1 and threads_set() < threads_at_import:
            team = min(team, threads_set())
        if team > 1 and forked:
            say_forked()
            return 1
        return team

    cdef split_rows(self, Job* job):
        # Inference: every thread takes its own rows through all layers, in arrays of its own.
        cdef Py_ssize_t rows = job.stop
        cdef int team = <int>min(max(rows, <Py_ssize_t>1), <Py_ssize_t>self.team_worth(rows * self.products // SHARE_PAYS))
        cdef int i
        cdef size_t of_job = sizeof(Job) + self.n_layers * sizeof(Layer)
        cdef char* jobs = <char*>calloc(team, of_job + sizeof(void*))
        cdef Job* own
        cdef void** memory = <void**>(jobs + team * of_job)
        cdef bint failed = jobs == NULL
        if rows == 0:
            free(jobs)
            return
        mark(ONE_THREAD if team == 1 else ROWS_TO_EACH_THREAD)
        if not failed:
            for i in range(team):
                own = <Job*>(jobs + i * of_job)
                memcpy(own, job, sizeof(Job))
                own.start, own.stop = rows * i // team, rows * (i + 1) // team
                own.batch_size = min(own.stop - own.start, max(INFERENCE_ROWS, PACKING_PAYS))
                mark(ONE_BLOCK if own.batch_size >= own.stop - own.start else BLOCKS_OF_ROWS)
                memory[i] = self.allocate(own, <Layer*>(own + 1), 1)
                failed = failed or memory[i] == NULL
        if not failed:
            run_jobs(jobs, of_job, team, self.is_long(rows), NULL)
        if jobs != NULL:
            for i in range(team):
                free(memory[i])
        free(jobs)
        if failed:
            raise MemoryError

    cdef void* allocate(self, Job* job, Layer* layers, int team):
        # One block of memory for all arrays of a job, laid out over `layers`; NULL if there is none. The block that
        # train keeps is laid out again at each call, since pointers into the job are the call's own.
        cdef Py_ssize_t rows = job.batch_size, n_in = self.layers[0].n_in, total = 0, weights = 0
        cdef Py_ssize_t n_out = self.layers[self.n_layers - 1].n_out, x_size = 0, lines, sums = 0
        cdef int output = self.layers[self.n_layers - 1].activation.number
        cdef bint learns = job.mode == GRADIENT or job.mode == TRAIN
        cdef real* p
        cdef const real** line
        cdef void* memory = self.workspace if job.mode == TRAIN else NULL
        cdef int i
        for i in range(self.n_layers):
            total += padded(rows * self.layers[i].n_out)
            if self.layers[i].activation.number == CUSTOM:
                sums += padded(rows * self.layers[i].n_out)
            weights += padded(self.layers[i].n_in * self.layers[i].n_out)
        if job.x.coded:
            x_size = padded(rows * n_in)
        lines = padded((team + 2 * self.n_layers) * rows * <Py_ssize_t>sizeof(real*) // <Py_ssize_t>sizeof(real))
        if learns or rows >= PACKING_PAYS:
            job.panels = BUFFER
        job.scratch_size = job.panels
        if job.mode != FORWARD or output == SOFTMAX:
            job.scratch_size += padded((4 if output == CUSTOM else 3) * n_out * SIDE)
        if job.mode != TRAIN or rows <= CHUNK:
            weights = 0     # no totals to keep between chunks
        if memory == NULL:
            memory = malloc(64 + sizeof(real) * (x_size + lines + (2 if learns else 1) * total + sums + weights
                                                 + team * job.scratch_size))
        if memory == NULL:
            return NULL
        p = <real*>((<size_t>memory + 63) // 64 * 64)
        if layers != self.layers:
            memcpy(layers, self.layers, self.n_layers * sizeof(Layer))
        job.layers = layers
        job.x_batch = p
        p += x_size
        job.x_lines = line = <const real**>p
        line += team * rows
        p += lines
        job.scratch = p
        p += team * job.scratch_size
        for i in range(self.n_layers):
            layers[i].a, layers[i].a_lines = p, line
            lines_of(p, layers[i].n_out, rows, line)
            p += padded(rows * layers[i].n_out)
            line += rows
            layers[i].z = layers[i].a
            if layers[i].activation.number == CUSTOM:
                layers[i].z = p
                p += padded(rows * layers[i].n_out)
            if learns:
                layers[i].grad_z, layers[i].grad_z_lines = p, line
                lines_of(p, layers[i].n_out, rows, line)
                p += padded(rows * layers[i].n_out)
                line += rows
        if job.mode == TRAIN:
            # Totals of its own for each layer: a thread may begin the next layer while another is still at this one.
            for i in range(self.n_layers):
                layers[i].grad_w = p
                p += padded(layers[i].n_in * layers[i].n_out) if weights else 0
        return memory


cdef inline Py_ssize_t padded(Py_ssize_t n) noexcept:
    return (n + 15) // 16 * 16      # every array begins on a cache line


cdef bint is_ready(array, int ndim, int of_type):
    # Whether it is an array as the kernels take it.
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_NDIM(<cnp.ndarray>array) == ndim
            and cnp.PyArray_TYPE(<cnp.ndarray>array) == of_type and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array))


cdef void run_jobs(const char* jobs, size_t of_job, int count, bint is_long, Trial* trial):
    # By a team of `count` threads: a job of its own for each, `of_job` bytes apart, or one job for all (of_job 0), by trial
    # where there is one. Other Python threads may run meanwhile if that takes long.
    global calls_under_way
    if not is_long:
        run_all(jobs, of_job, count, trial)
        return
    calls_under_way += 1
    with nogil:
        run_all(jobs, of_job, count, trial)
    calls_under_way -= 1


cdef void run_all(const char* jobs, size_t of_job, int count, Trial* trial) noexcept nogil:
    if trial == NULL:
        open_team(jobs, of_job, count)
    else:
        run_by_trial(<Job*>jobs, count, trial)


cdef void open_team(const char* jobs, size_t of_job, int count) noexcept nogil:
    if of_job == 0:
        mark(ONE_THREAD if count == 1 else TEAM)
    if count == 1:
        run(<Job*>jobs, 0, 1)
        return
    hand_over()
    with parallel(num_threads=count):
        hand_over()
        run_share(jobs, of_job, count, threadid(), team_size())
        hand_over()
    hand_over()


cdef void run_share(const char* jobs, size_t of_job, int count, int thread, int team) noexcept nogil:
    # OpenMP may give fewer threads than were asked for: each takes every team-th job then.
    cdef int i
    if of_job == 0:
        run(<Job*>jobs, thread, team)
        return
    for i from thread <= i < count by team:
        run(<Job*>(jobs + i * of_job), 0, 1)


cdef double mean_in_order(const double* values, Py_ssize_t n) noexcept:
    cdef double total = 0, s
    cdef Py_ssize_t start, k
    cdef fp_environment environment = fp_enter()
    for start from 0 <= start < n by CHUNK:
        s = 0
        for k in range(start, min(start + CHUNK, n)):
            s = s + values[k]
        total = total + s
    total = total / n
    fp_leave(environment)
    return total


cdef say_forked():
    global forked_said
    if not forked_said:
        forked_said = True
        warnings.warn("fastmlp runs on one thread in a forked process: OpenMP's threads stayed with the parent. "
                      "The results are the same; start processes by spawn or forkserver to use more threads.",
                      RuntimeWarning, stacklevel=2)
