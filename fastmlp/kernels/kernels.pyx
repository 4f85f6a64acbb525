# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""The compiled kernels for one element type and one instruction set; setup.py builds this source once for each.

    simd.h, softfma.h   the vector operations of an instruction set
    tile.h              the register tile, the inner loop of all sums of products
    stream.h            the same sums for few rows and many outputs,
    narrow.h            and for few outputs
    updates.h           the update rules, and sums over flat arrays
    dropout.h           dropout
    transpose.h         matrices turned round
    runtime.h           floating-point environment, what the CPU can do
    team.h, waiting.h   the team of threads, and how they wait for each other
    branches.pxi        which ways a call went, for the tests
    arrays.pxi          NumPy's arrays as pointers
    products.pxi        blocking, packing and tiling around the register tile
    elementary.pxi      exp, log, sigmoid, tanh
    smooth.pxi          softplus, silu, gelu and their kin
    activations.pxi     activations and their derivatives
    losses.pxi          losses, the gradient at the output, classes
    updates.pxi         the update rules, found by name
    norms.pxi           what waits for all gradients of a step: penalties, clipping by the norm
    network.pxi         a team of threads takes batches forward and backward through a network
    workspace.pxi       where the arrays of a call lie
    team.pxi            how a team runs jobs, and autotune.pxi whether that pays

Here they meet Python: functions.pxi and engine.pxi have the signatures of fastmlp.reference, for arrays of this one type.
Nothing is checked below this file, and little in it: fastmlp/validation.py has done so.
"""

import os
import warnings

import numpy as np

cimport numpy as cnp
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from .. import architecture
from ..activations import ACTIVATIONS
from ..losses import LOSSES
from ..losses import name_of as _name_of, parameter_of as _parameter_of
from ..update_rules import LINES

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
    /* Whether a call that keeps the GIL has all that is an engine's to itself. */
    #if defined(Py_GIL_DISABLED)
    #define ONE_AT_A_TIME 0
    #else
    #define ONE_AT_A_TIME 1
    #endif
    #if FASTMLP_DOUBLE
    typedef uint64_t bits_of_real;
    #define EXPONENT 0x7FF0000000000000ull
    #define EXPONENT_ONE 0x0010000000000000ull
    #else
    typedef uint32_t bits_of_real;
    #define EXPONENT 0x7F800000u
    #define EXPONENT_ONE 0x00800000u
    #endif
    """
    ctypedef unsigned long long bits_of_real
    const bint ONE_AT_A_TIME
    const bits_of_real EXPONENT, EXPONENT_ONE

cdef extern from "tile.h":
    ctypedef struct Strip:
        Py_ssize_t terms, tiles
        const real** lines
        Py_ssize_t offset, fetches, tile_step
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
    const int CHUNK, WIDE, PACKING_B_ROWS, PACKING_HALVES_ROWS, PACKING_PAGES_ROWS, MAX_VECS, MAX_CHUNKS, BY_ROWS, BY_COLUMNS
    const int tile_rows[2][9]
    strip_function strips[2][17][9][5]
    char strips_run[2][17][9][5]
    void run_strip(int by, int rows, int vecs, int chunks, const Strip* s) noexcept nogil
    void copy_strips(const real* b, Py_ssize_t b_row, Py_ssize_t terms, Py_ssize_t columns, int vecs,
                     real* strips) noexcept nogil
    void sum_rows(const real* g, Py_ssize_t rows, Py_ssize_t row, real* total, const real* rate, int carries,
                  Py_ssize_t n) noexcept nogil

cdef extern from "stream.h":
    const int STREAM_ROWS
    void stream(Py_ssize_t rows, const real* const* lines, Py_ssize_t terms, const real* b, Py_ssize_t b_row, const real* seed,
                Py_ssize_t columns, real* c, Py_ssize_t c_row) noexcept nogil

cdef extern from "narrow.h":
    const int MOST_NARROW
    void narrow(const real* const* lines, Py_ssize_t rows, Py_ssize_t terms, const real* b, Py_ssize_t b_row, Py_ssize_t b_col,
                const real* seed, Py_ssize_t columns, real* c, Py_ssize_t c_row) noexcept nogil

cdef extern from "updates.h":
    enum: CLIP_VALUE, L2, L1, DECAY, AVERAGE, SCALE
    ctypedef struct Update:
        void (*rule)(const Update* u, int lines, Py_ssize_t at, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row,
                     const real* g) noexcept nogil
        const real* numbers
        real* parameters
        real* state[2]
        real* average
        real scale
        int lines, bias_lines, fused, branch
    ctypedef struct Rule:
        const char* name
        void (*run)(const Update* u, int lines, Py_ssize_t at, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row,
                    const real* g) noexcept nogil
        int n_numbers, n_state
    const int N_RULES, SUM_BLOCK
    void prefetch_block(const Update* u, Py_ssize_t at, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row) noexcept nogil
    const Rule* rules
    void sum_blocks(const real* x, Py_ssize_t n, Py_ssize_t first, Py_ssize_t stop, int magnitudes,
                    double* totals) noexcept nogil

cdef extern from "dropout.h":
    ctypedef struct Drop:
        uint32_t threshold, seed, layer
        real scale
    void drop_block(const Drop* d, uint64_t step, const real* a, real* out, Py_ssize_t n, Py_ssize_t r0, Py_ssize_t r1,
                    Py_ssize_t c0, Py_ssize_t c1) noexcept nogil

cdef extern from "transpose.h":
    void transpose(const real* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t n, real* out,
                   Py_ssize_t out_row) noexcept nogil

cdef extern from "runtime.h":
    ctypedef struct fp_environment:
        pass
    fp_environment fp_enter() noexcept nogil
    void fp_leave(fp_environment old) noexcept nogil
    void raise_flag(int* flag) noexcept nogil
    void mark(int branch) noexcept nogil
    char taken[256]
    void prefetch(const void* p) noexcept nogil
    bint cpu_has(const char* isa) noexcept
    const char* COMPILER

cdef extern from "team.h":
    ctypedef struct Barrier:
        uint64_t waited
    ctypedef void (*team_work)(void* job, int part, int parts) noexcept nogil
    void barrier_wait(Barrier* barrier, int team) noexcept nogil
    double now() noexcept nogil
    int run_together(team_work work, void* job, int threads, double patience, const uint64_t* waited) noexcept nogil
    void share_out(team_work work, void* job, int parts) noexcept nogil
    void do_part(team_work work, void* job, int part, int parts) noexcept nogil
    void begin_call() noexcept nogil
    void end_call() noexcept nogil
    bint others_call() noexcept nogil
    void forget_calls() noexcept nogil
    int patient
    int has_openmp() noexcept
    int threads_set() noexcept

dtype = np.dtype(np.float32 if sizeof(real) == 4 else np.float64)

include "branches.pxi"
include "arrays.pxi"
include "products.pxi"
include "elementary.pxi"
include "smooth.pxi"
include "activations.pxi"
include "losses.pxi"
include "norms.pxi"
include "network.pxi"
include "workspace.pxi"
include "autotune.pxi"
include "team.pxi"
include "updates.pxi"
include "functions.pxi"
include "engine.pxi"

compiler = COMPILER.decode()
openmp = bool(has_openmp())


def cpu_supports(isa):
    """Whether this processor, and its operating system, run code for "avx512" or "avx2"."""
    return bool(cpu_has(isa.encode()))
