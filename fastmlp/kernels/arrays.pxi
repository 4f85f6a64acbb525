# NumPy's arrays as the kernels take them: pointers, copies in order, and whether an array needs one.

cdef int REAL_TYPE = cnp.NPY_FLOAT32 if sizeof(real) == 4 else cnp.NPY_FLOAT64


cdef inline real* data_of(cnp.ndarray array) noexcept:
    return <real*>cnp.PyArray_DATA(array)


cdef cnp.ndarray contiguous(array):
    # The array itself where it lies in C order in this module's type and aligned, otherwise a copy that does.
    if is_contiguous(array):
        return array
    return np.require(array, dtype, "CA")


cdef object strided(array):
    # An array of any layout whose strides are whole numbers of elements.
    array = np.asarray(array, dtype)
    if any(stride % array.itemsize for stride in array.strides) or not array.flags.aligned:
        array = array.copy()
    return array


cdef cnp.ndarray new_like(cnp.ndarray array):
    # In C order and in this module's type, of the array's shape.
    return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), REAL_TYPE, 0)


cdef bint is_contiguous(array, int of_type=REAL_TYPE):
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_TYPE(<cnp.ndarray>array) == of_type
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array))


cdef bint is_ready(array, int ndim, int of_type):
    # Whether it is an array as the kernels take it.
    return is_contiguous(array, of_type) and cnp.PyArray_NDIM(<cnp.ndarray>array) == ndim


cdef bint are_apart(cnp.ndarray array, cnp.ndarray other):
    # Whether two arrays in C order share no memory.
    cdef const char* first = <const char*>cnp.PyArray_DATA(array)
    cdef const char* second = <const char*>cnp.PyArray_DATA(other)
    return first + cnp.PyArray_NBYTES(array) <= second or second + cnp.PyArray_NBYTES(other) <= first


cdef int finite_rows(const char* data, Py_ssize_t row, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t n) noexcept nogil:
    # Whether neither NaN nor infinity is in rows first .. stop - 1, `row` bytes apart.
    cdef Py_ssize_t r
    for r in range(first, stop):
        if not finite_run(<const real*>(data + r * row), n):
            return 0
    return 1


cdef inline int finite_run(const real* values, Py_ssize_t n) noexcept nogil:
    # By bits, which no rounding mode touches: an exponent of ones alone, and one more, runs over into the sign.
    cdef bits_of_real bits, sums = 0
    cdef Py_ssize_t i
    for i in range(n):
        memcpy(&bits, values + i, sizeof(real))
        sums |= (bits & EXPONENT) + EXPONENT_ONE
    return sums >> (8 * sizeof(real) - 1) == 0


cdef bint is_finite(cnp.ndarray values):
    return finite_rows(<const char*>cnp.PyArray_DATA(values), values.strides[0], 0, values.shape[0], values.shape[1])
