# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled kernels for one element type and one instruction set; setup.py builds this source once for each.

    simd.h, softfma.h   the vector operations of an instruction set
    tile.h              the register tile, the inner loop of all sums of products
    transpose.h         matrices turned round
    products.pxi        blocking, packing and tiling around it
    branches.pxi        which ways a call went, for the tests
    elementary.pxi      exp, log, sigmoid, tanh
    layers.pxi          activations, gates, losses, updates
    network.pxi         a team of threads takes batches forward and backward through a network
    runtime.h           floating-point environment, barrier, what the CPU can do

Here they meet Python: functions and an Engine with the signatures of fastmlp.reference, for arrays of this one type.
Nothing is checked below this file, and little in it: fastmlp/border.py has done so.
"""

import os
import warnings

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from .. import layout

cnp.import_array()

cdef extern from "simd.h":
    ctypedef double real                # float or double, as simd.h says
    ctypedef struct lanes:
        pass
    const int LANES
    lanes first_lanes(Py_ssize_t n) noexcept nogil
    uint64_t to_bits(double x) noexcept nogil
    double from_bits(uint64_t b) noexcept nogil

cdef extern from *:
    """
    #if FASTMLP_DOUBLE
    typedef uint64_t bits_of_real;
    #define EXPONENT 0x7FF0000000000000ull
    #else
    typedef uint32_t bits_of_real;
    #define EXPONENT 0x7F800000u
    #endif
    """
    ctypedef unsigned long long bits_of_real
    const bits_of_real EXPONENT

cdef extern from "tile.h":
    ctypedef struct Strip:
        Py_ssize_t terms, tiles
        const real** lines
        Py_ssize_t offset, step, fetches, tile_step
        const real* b
        Py_ssize_t b_row
        lanes last
        Py_ssize_t last_lanes
        const real* seed
        const real* carried
        Py_ssize_t carried_row
        real* c
        Py_ssize_t c_row
        const real* rate
    ctypedef void (*strip_function)(const Strip*) noexcept nogil
    const int CHUNK, WIDE, PACKING_PAYS, ROWS_AHEAD_PAY, MAX_VECS, MAX_CHUNKS, BY_ROWS, BY_COLUMNS
    const int tile_rows[2][9]
    strip_function strips[2][17][9][5]
    char strips_run[2][17][9][5]
    void run_strip(int by, int rows, int vecs, int chunks, const Strip* s) noexcept nogil
    void copy_strip(const real* b, Py_ssize_t b_row, Py_ssize_t terms, Py_ssize_t columns, int vecs,
                    real* strip) noexcept nogil
    void sum_rows(const real* g, Py_ssize_t rows, Py_ssize_t row, real* total, const real* rate,
                  Py_ssize_t n) noexcept nogil

cdef extern from "transpose.h":
    void transpose(const real* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t n, real* out,
                   Py_ssize_t out_row) noexcept nogil

cdef extern from "runtime.h":
    ctypedef struct fp_environment:
        pass
    ctypedef struct Barrier:
        pass
    fp_environment fp_enter() noexcept nogil
    void fp_leave(fp_environment old) noexcept nogil
    void barrier_wait(Barrier* barrier, int team) noexcept nogil
    int team_size() noexcept nogil
    double now() noexcept nogil
    void hand_over() noexcept nogil
    void mark(int branch) noexcept nogil
    char taken[64]
    void prefetch(const void* p) noexcept nogil
    int has_openmp() noexcept
    int threads_set() noexcept
    bint cpu_has(const char* isa) noexcept
    const char* COMPILER

include "branches.pxi"
include "products.pxi"
include "elementary.pxi"
include "layers.pxi"
include "network.pxi"
include "functions.pxi"
include "trials.pxi"
include "engine.pxi"

dtype = np.dtype(np.float32 if sizeof(real) == 4 else np.float64)
compiler = COMPILER.decode()
openmp = bool(has_openmp())


def cpu_supports(isa):
    """Whether this processor, and its operating system, run code for "avx512" or "avx2"."""
    return bool(cpu_has(isa.encode()))
