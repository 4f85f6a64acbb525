# The Engine of fastmlp.reference.engine, compiled: it describes a Job, has its arrays laid out, and runs it by a team.

cdef enum:
    SHARE_PAYS = 150_000        # MACs a thread must have of its own in a call before a team is worth opening
    STEP_MAY_PAY = 60_000       # and in a step of training before its threads may be worth waiting for: from here it is
    STEP_PAYS = 4_000_000       # tried, since it depends on how far apart the processors are; from here it always is
    GIVING_PAYS = 400_000       # MACs from which other Python threads may run meanwhile: to take the GIL back from
                                # them takes longer than fewer
    READING_PAYS = 400_000      # numbers that a thread must have to read, and do no more with
    INFERENCE_ROWS = 96         # rows that go through all layers at a time: they lie in the second-level cache then

cdef extern from *:
    """
    /* Both to nearest, whatever the caller's rounding. volatile: the compiler would compute before or after that is set. */
    static real rounded(double x) {
        const fp_environment old = fp_enter();
        volatile double given = x;
        volatile real result = (real)given;
        fp_leave(old);
        return result;
    }

    static double mean_in_order(const double *values, ptrdiff_t n) {
        const fp_environment old = fp_enter();
        double total = 0;
        for (ptrdiff_t start = 0; start < n; start += CHUNK) {
            double s = 0;
            for (ptrdiff_t k = start; k < n && k < start + CHUNK; k++) s = s + values[k];
            total = total + s;
        }
        volatile double mean = total / n;
        fp_leave(old);
        return mean;
    }

    static double weighted_mean_in_order(const double *values, const real *weights, const int64_t *order, ptrdiff_t n,
                                         double sum_of_weights) {
        const fp_environment old = fp_enter();
        double total = 0;
        for (ptrdiff_t start = 0; start < n; start += CHUNK) {
            double s = 0;
            for (ptrdiff_t k = start; k < n && k < start + CHUNK; k++) s = s + weights[order ? order[k] : k] * values[k];
            total = total + s;
        }
        volatile double mean = total / sum_of_weights;
        fp_leave(old);
        return mean;
    }

    static double quotient(double a, double b) {
        const fp_environment old = fp_enter();
        volatile double x = a, y = b, result = x / y;
        fp_leave(old);
        return result;
    }

    static double norm_of(double squares, double eps) {
        const fp_environment old = fp_enter();
        volatile double x = squares, result = sqrt(x) + eps;
        fp_leave(old);
        return result;
    }
    """
    real rounded(double x) noexcept
    double quotient(double a, double b) noexcept
    double norm_of(double squares, double eps) noexcept
    double mean_in_order(const double* values, Py_ssize_t n) noexcept
    double weighted_mean_in_order(const double* values, const real* weights, const int64_t* order, Py_ssize_t n,
                                  double sum_of_weights) noexcept


cdef inline double scale_of(uint32_t threshold) noexcept:
    return 65536.0 / (65536 - threshold)


cdef inline Py_ssize_t rows_at_a_time(Py_ssize_t rows) noexcept:
    cdef Py_ssize_t block = min(rows, max(INFERENCE_ROWS, PACKING_B_ROWS))
    mark(ONE_BLOCK if block == rows else BLOCKS_OF_ROWS)
    return block


cdef double weight_of_rows(const Job* job, Py_ssize_t first, Py_ssize_t rows) noexcept:
    cdef fp_environment environment = fp_enter()
    cdef double total = sum_of_weights(job.weights, job.order, first, rows)
    fp_leave(environment)
    return total


cdef inline object item(parts, Py_ssize_t i):
    # Of a named tuple, by position: Cython unpacks only plain tuples without an iterator.
    return <object>PyTuple_GET_ITEM(parts, i)


cdef struct Reading:        # of rows for what is not finite
    const char* data
    Py_ssize_t row, rows, n
    int infinite


cdef void read_part(void* reading, int part, int parts) noexcept nogil:
    cdef Reading* r = <Reading*>reading
    if not finite_rows(r.data, r.row, r.rows * part // parts, r.rows * (part + 1) // parts, r.n):
        raise_flag(&r.infinite)


cdef struct Jobs:           # one for each part, so many bytes apart
    char* first
    size_t of_job


cdef void run_one_of(void* jobs, int part, int parts) noexcept nogil:
    cdef Jobs* j = <Jobs*>jobs
    run(j.first + part * j.of_job, 0, 1)


cdef class Engine:
    """A network's computation over its flat parameter array; see fastmlp.reference.Engine."""

    cdef Layer* layers
    cdef int n_layers, n_threads
    cdef Loss loss
    cdef bint takes_any_targets         # whether targets may be any numbers
    cdef bint custom                    # whether a layer has a user's activation, which may take any time
    cdef real input_scale
    cdef Py_ssize_t macs                # a forward pass's, for one row
    cdef cnp.ndarray parameters
    cdef readonly object dtype          # of the parameters
    cdef object names                   # of the activations, or the users' own, whose code must live as long
    cdef Workspace training, inference  # kept between calls of train, and between short calls of the others
    cdef Layer* inference_layers        # without dropout: short calls work in them, others copy them
    cdef object last_update             # whose description is
    cdef Update update
    cdef Py_ssize_t numbers_step
    cdef double clip_norm, clip_eps
    cdef Autotune autotune

    def __cinit__(self, layer_sizes, activations, loss, cnp.ndarray parameters, int n_threads=1, double input_scale=1):
        cdef real* p = data_of(parameters)
        cdef int i
        self.parameters, self.dtype, self.names = parameters, dtype, activations
        self.n_layers = <int>len(activations)
        self.layers = <Layer*>calloc(2 * self.n_layers, sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.loss, self.takes_any_targets = loss_of(loss), LOSSES[_name_of(loss)].takes_any_targets
        self.n_threads = n_threads if has_openmp() else 1
        self.input_scale = rounded(input_scale)
        begin_autotune(&self.autotune)
        for i in range(self.n_layers):
            layer = &self.layers[i]
            layer.n_in, layer.n_out = layer_sizes[i], layer_sizes[i + 1]
            layer.activation = activation_of(activations[i])
            self.custom = self.custom or not isinstance(activations[i], str)
            layer.weights, layer.bias = p, p + layer.n_in * layer.n_out
            p += (layer.n_in + 1) * layer.n_out
            self.macs += layer.n_in * layer.n_out
        self.inference_layers = self.layers + self.n_layers
        memcpy(self.inference_layers, self.layers, self.n_layers * sizeof(Layer))

    def __dealloc__(self):
        free(self.layers)
        free(self.training.memory)
        free(self.inference.memory)

    cpdef bint takes(self, x):
        """Whether a user's x can be passed on as it is. See fastmlp.reference.Engine.takes."""
        return (is_ready(x, 2, REAL_TYPE) and (<cnp.ndarray>x).shape[1] == self.layers[0].n_in
                and (<cnp.ndarray>x).shape[0] > 0)

    def takes_samples(self, x, y):
        """Whether a user's x and y can be passed on as they are. See fastmlp.reference.Engine.takes_samples."""
        cdef Py_ssize_t n_out = self.layers[self.n_layers - 1].n_out, i
        cdef const int64_t* labels
        if not (self.takes(x) and are_apart(x, self.parameters)):
            return False
        if is_ready(y, 2, REAL_TYPE):
            return (self.takes_any_targets and y.shape[0] == x.shape[0] and y.shape[1] == n_out
                    and are_apart(y, self.parameters) and is_finite(y))
        if n_out == 1 or not is_ready(y, 1, cnp.NPY_INT64) or (<cnp.ndarray>y).shape[0] != (<cnp.ndarray>x).shape[0]:
            return False
        labels = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>y)
        for i in range((<cnp.ndarray>y).shape[0]):
            if not 0 <= labels[i] < n_out:
                return False
        return are_apart(y, self.parameters)

    def forward(self, x, cnp.ndarray out=None):
        """The outputs (rows, n_out) for x, written into out where given."""
        cdef Job job
        cdef cnp.npy_intp shape[2]
        self.describe(&job, FORWARD, x)
        if out is None:
            shape[0], shape[1] = job.stop, self.layers[self.n_layers - 1].n_out
            out = cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0)
        job.out = data_of(out)
        self.split_rows(&job)
        return out

    def activations(self, x):
        """Every layer's activations, input first: a list of arrays (rows, size)."""
        cdef int i
        with np.errstate(all="ignore"):
            x = x.astype(dtype, copy=False) / dtype.type(self.input_scale)
        sizes = [self.layers[0].n_in] + [self.layers[i].n_out for i in range(self.n_layers)]
        results = [x]
        for i, (weights, bias) in enumerate(architecture.layer_views(self.parameters, sizes)):
            results.append(product(results[i], weights, bias, None, &self.layers[i].activation, self.n_threads))
        return results

    def evaluate(self, samples, cnp.ndarray losses, correct):
        """Fill losses (rows,) float64, and correct (rows,) unless it is None, without training; see train."""
        cdef Job job
        self.describe(&job, EVALUATE, item(samples, 0))
        y = self.describe_targets(&job, samples, losses, correct)
        self.split_rows(&job)

    def gradients(self, samples, cnp.ndarray gradients, cnp.ndarray losses, divisor=None, bint carry=False):
        """Write the gradients of the rows' losses into a flat array. See fastmlp.reference.Engine.gradients."""
        cdef Job job
        cdef real* g = data_of(gradients)
        cdef int i, team
        cdef Py_ssize_t rows
        cdef Layer* layers
        cdef void* memory
        self.describe(&job, GRADIENT, item(samples, 0))
        y = self.describe_targets(&job, samples, losses, None)
        rows = job.stop
        team = team_worth(self.n_threads, 3 * rows * self.macs // SHARE_PAYS)
        job.batch_size, job.carries = rows, carry
        if divisor is None:
            divisor = rows if job.weights == NULL or job.mean_over_rows else weight_of_rows(&job, 0, rows)
        job.divisor = rounded(divisor)
        layers = <Layer*>malloc(self.n_layers * sizeof(Layer))
        if layers == NULL:
            raise MemoryError
        memcpy(layers, self.inference_layers, self.n_layers * sizeof(Layer))
        job.layers = layers
        memory = new_workspace(&job, team)
        if memory == NULL:
            free(layers)
            raise MemoryError
        for i in range(self.n_layers):
            layers[i].grad_w, layers[i].grad_b = g, g + layers[i].n_in * layers[i].n_out
            g += (layers[i].n_in + 1) * layers[i].n_out
        run_network(&job, team, 3 * rows * self.macs, self.is_long(rows), NULL)
        free(memory)
        free(layers)

    def apply(self, gradients, update):
        """One step from gradients that were made elsewhere. See fastmlp.reference.Engine.apply."""
        cdef Update clipped
        cdef double norm
        self.describe_update(update)
        clipped = self.update
        if update.clip_norm is not None:
            largest, eps = update.clip_norm
            norm = norm_of(lane_sum(gradients, 0), eps)
            clipped.scale = rounded(quotient(largest, norm) if norm > largest else 1.0)
        run_update(&clipped, self.layers, self.n_layers, gradients, team_worth(self.n_threads, gradients.size // READING_PAYS))

    def train(self, samples, update, steps=None, cnp.ndarray losses=None, correct=None, penalties=None, dropout=None):
        """Take the steps, or one on all rows; return their mean loss, or None. See fastmlp.reference.Engine.train."""
        cdef Job job
        cdef int team
        cdef Py_ssize_t macs, start, stop, batch_size
        cdef cnp.npy_intp length
        self.describe(&job, TRAIN, item(samples, 0))
        order = None
        if steps is None:
            start, stop, batch_size = 0, job.stop, job.stop
        else:
            start, stop, batch_size, order = item(steps, 0), item(steps, 1), item(steps, 2), item(steps, 3)
            job.step = item(steps, 4)
            batch_size = min(batch_size, stop - start)
        if losses is None:
            length = stop
            losses = cnp.PyArray_EMPTY(1, &length, cnp.NPY_FLOAT64, 0)
        macs = 3 * batch_size * self.macs
        team = team_worth(self.n_threads, macs // STEP_MAY_PAY)
        y = self.describe_targets(&job, samples, losses, correct)
        if update is not self.last_update:
            self.describe_update(update)
        job.update, job.numbers_step = self.update, self.numbers_step
        job.clip_norm, job.clip_eps = self.clip_norm, self.clip_eps
        job.n_parameters = self.parameters.size
        if penalties is not None:
            coefficients, totals = penalties
            job.coefficients = <const double*>cnp.PyArray_DATA(<cnp.ndarray>coefficients)
            job.coefficients_step = 2 if coefficients.shape[0] > 1 else 0
            job.penalties = <double*>cnp.PyArray_DATA(<cnp.ndarray>totals)
            job.penalises_biases = update.penalise_biases
        self.describe_dropout(&job, dropout)
        job.start, job.stop, job.batch_size = start, stop, batch_size
        if order is not None:
            job.order = <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>order)
        if not place_in(&self.training, &job, self.n_threads):
            raise MemoryError
        job.watches = True
        if (stop - start) % batch_size:
            mark(SHORT_LAST_BATCH)
        run_network(&job, team, macs, self.is_long(stop - start), &self.autotune)
        if job.not_finite:
            if not (job.x.integers or is_finite(item(samples, 0))):
                return None
            # The weights are not finite, or too large: go on from there.
            job.watches = job.not_finite = False
            skip_steps(&job, (job.stopped_at - job.start) // batch_size)
            job.start, job.stop = job.stopped_at, stop
            run_network(&job, team, macs, self.is_long(stop - start), &self.autotune)
        if job.weights == NULL:
            return mean_in_order(job.losses + start, stop - start)
        return weighted_mean_in_order(job.losses + start, job.weights if job.order != NULL else job.weights + start,
                                      job.order + start if job.order != NULL else NULL, stop - start,
                                      weight_of_rows(&job, start, stop - start))

    def all_finite(self, cnp.ndarray values):
        """Whether neither NaN nor infinity is in values (rows, n), whose rows are contiguous."""
        cdef Reading reading
        reading.data, reading.row = <const char*>cnp.PyArray_DATA(values), values.strides[0]
        reading.rows, reading.n, reading.infinite = values.shape[0], values.shape[1], 0
        run_parts(read_part, &reading, team_worth(self.n_threads, values.size // READING_PAYS), True)
        return not reading.infinite

    cdef describe(self, Job* job, Mode mode, x):
        cdef cnp.ndarray inputs = x
        memset(job, 0, sizeof(Job))
        job.mode, job.n_layers, job.loss, job.layers = mode, self.n_layers, self.loss, self.layers
        job.x.data, job.x.stride = <const char*>cnp.PyArray_DATA(inputs), inputs.strides[0]
        job.x.integers, job.input_scale = cnp.PyArray_TYPE(inputs) == cnp.NPY_UINT8, self.input_scale
        job.stop = inputs.shape[0]

    cdef describe_targets(self, Job* job, samples, cnp.ndarray losses, correct):
        # Returns the array of targets that the job points into, for the caller to keep.
        cdef cnp.ndarray targets = item(samples, 1)
        cdef Py_ssize_t n_classes
        if targets.ndim == 2 and targets.strides[1] != sizeof(real):
            targets = contiguous(targets)
        weights, smoothing = item(samples, 2), item(samples, 4)
        if weights is not None:
            job.weights = data_of(weights)
            job.mean_over_rows = item(samples, 3)
        if smoothing:
            n_classes = self.layers[self.n_layers - 1].n_out if self.names[self.n_layers - 1] == "softmax" else 2
            job.smooths = True
            job.target_scale, job.target_offset = rounded(1 - smoothing), rounded(quotient(smoothing, n_classes))
        job.y.data, job.y.stride = <const char*>cnp.PyArray_DATA(targets), targets.strides[0]
        job.y.integers = targets.ndim == 1
        job.losses = <double*>cnp.PyArray_DATA(losses)
        if correct is not None and cnp.PyArray_TYPE(<cnp.ndarray>correct) == cnp.NPY_INT32:
            job.n_right = <int32_t*>cnp.PyArray_DATA(<cnp.ndarray>correct)
        elif correct is not None:
            job.correct = <uint8_t*>cnp.PyArray_DATA(<cnp.ndarray>correct)
        return targets

    cdef describe_update(self, update):
        rule, numbers, state, lines, penalise_biases, clip_norm = update
        self.last_update = None     # until the description is whole
        self.update = update_of(self.parameters, rule, numbers, state, lines, penalise_biases, clip_norm is not None)
        self.numbers_step = numbers.shape[1] if numbers.shape[0] > 1 else 0
        self.clip_norm, self.clip_eps = (0, 0) if clip_norm is None else clip_norm
        self.last_update = update

    cdef describe_dropout(self, Job* job, dropout):
        cdef int i
        cdef uint32_t seed
        if dropout is None:
            for i in range(self.n_layers):
                self.layers[i].drop.threshold = 0
            return
        thresholds, seed = dropout
        job.drop = Drop(thresholds[0], seed, 0, rounded(scale_of(thresholds[0])))
        for i in range(1, self.n_layers):
            self.layers[i - 1].drop = Drop(thresholds[i], seed, i, rounded(scale_of(thresholds[i])))

    cdef bint is_long(self, Py_ssize_t rows):
        # Whether other Python threads may run meanwhile.
        return self.custom or rows * self.macs >= GIVING_PAYS

    cdef split_rows(self, Job* job):
        # Inference: every thread takes its own rows through all layers, in arrays of its own.
        cdef Py_ssize_t rows = job.stop
        cdef int team = <int>min(max(rows, <Py_ssize_t>1),
                                 <Py_ssize_t>team_worth(self.n_threads, rows * self.macs // SHARE_PAYS))
        if rows == 0:
            return
        if team > 1 or self.is_long(rows) or not ONE_AT_A_TIME:
            self.split_rows_among(job, team)
            return
        mark(ONE_THREAD)
        job.layers, job.batch_size = self.inference_layers, rows_at_a_time(rows)
        if not place_in(&self.inference, job, 1):
            raise MemoryError
        do_part(run, job, 0, 1)

    cdef split_rows_among(self, Job* job, int team):
        cdef int i
        cdef Py_ssize_t rows = job.stop
        cdef size_t of_job = sizeof(Job) + self.n_layers * sizeof(Layer)
        cdef char* jobs = <char*>calloc(team, of_job + sizeof(void*))
        cdef Jobs all_of_them
        cdef Job* own
        cdef void** memory = <void**>(jobs + team * of_job)
        cdef bint failed = jobs == NULL
        mark(ONE_THREAD if team == 1 else ROWS_TO_EACH_THREAD)
        if not failed:
            for i in range(team):
                own = <Job*>(jobs + i * of_job)
                memcpy(own, job, sizeof(Job))
                own.layers = <Layer*>(own + 1)
                memcpy(own.layers, self.inference_layers, self.n_layers * sizeof(Layer))
                own.start, own.stop = rows * i // team, rows * (i + 1) // team
                own.batch_size = rows_at_a_time(own.stop - own.start)
                memory[i] = new_workspace(own, 1)
                failed = failed or memory[i] == NULL
        if not failed:
            all_of_them.first, all_of_them.of_job = jobs, of_job
            run_parts(run_one_of, &all_of_them, team, self.is_long(rows))
        if jobs != NULL:
            for i in range(team):
                free(memory[i])
        free(jobs)
        if failed:
            raise MemoryError
