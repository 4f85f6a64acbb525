// C's fma as a ufunc of NumPy's: fma(a, b, c) of float32 or float64 arrays.

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <Python.h>
#include <math.h>
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#define LOOP(name, number, function)                                                                                       \
    static void name(char **data, const npy_intp *count, const npy_intp *strides, void *unused) {                         \
        for (npy_intp i = 0; i < *count; i++) {                                                                            \
            const number a = *(number *)(data[0] + i * strides[0]), b = *(number *)(data[1] + i * strides[1]);             \
            *(number *)(data[3] + i * strides[3]) = function(a, b, *(number *)(data[2] + i * strides[2]));                 \
        }                                                                                                                  \
    }

LOOP(of_float32, float, fmaf)
LOOP(of_float64, double, fma)

static PyUFuncGenericFunction loops[] = {of_float32, of_float64};
static const char types[] = {NPY_FLOAT, NPY_FLOAT, NPY_FLOAT, NPY_FLOAT,
                             NPY_DOUBLE, NPY_DOUBLE, NPY_DOUBLE, NPY_DOUBLE};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "quick_fma", NULL, -1, NULL};

PyMODINIT_FUNC PyInit_quick_fma(void) {
    import_array();
    import_umath();
    PyObject *module = PyModule_Create(&definition);
    PyObject *fma = PyUFunc_FromFuncAndData(loops, NULL, types, 2, 3, 1, PyUFunc_None, "fma", NULL, 0);
    if (module && fma && PyModule_AddObject(module, "fma", fma) == 0) return module;
    return NULL;
}
