/* The update rules, after fastmlp/reference/updates.py, operation by operation: w = w - u, with u from g, the rule's arrays
 * and its numbers.
 *
 * A rule is one function of vectors and a row of the table at the end, found by its name in fastmlp/update_rules.py. It is run
 * over blocks: rows x columns of the flat arrays from `at` on, `row` apart, whose gradients lie `columns` apart in a strip
 * that the first-level cache holds. Whoever owns the parameters of a block owns their part of the rule's arrays.
 */
#ifndef FASTMLP_UPDATES_H
#define FASTMLP_UPDATES_H

#include <math.h>
#include "simd.h"

#define MOST_STATE 2
#define MOST_NUMBERS 8

/* Lines around the rule, see fastmlp/reference/updates.py. */
enum { CLIP_VALUE = 1,
       L2 = 2,
       L1 = 4,
       DECAY = 8,
       AVERAGE = 16,
       SCALE = 32,
       N_LINES = 5 };

typedef struct Update Update;
struct Update {
    /* IN OUT the parameters flat[at], and what is laid out like them; IN g. lines: which are taken. */
    void (*rule)(const Update *u, int lines, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, const real *g);
    const real *numbers;        /* IN     of this step: the rule's, then those of its lines in the order of their bits */
    real *parameters;           /* IN OUT flat */
    real *state[MOST_STATE];    /* IN OUT flat, like the parameters */
    real *average;              /* IN OUT flat */
    real scale;                 /* IN     of the gradients, where SCALE is a line */
    int lines, bias_lines;      /* of weights, and of biases */
    int fused;                  /* whether tiles make this update themselves: plain gradient descent */
    int branch;
};

ALWAYS_INLINE vec sqrt_vec(vec v) {
#if defined(OP)
    return OP(sqrt)(v);
#else
    for (int i = 0; i < LANES; i++) v[i] = sizeof(real) == 4 ? (real)sqrtf((float)v[i]) : (real)sqrt((double)v[i]);
    return v;
#endif
}

/* +0 for subnormal numbers and for -0; NaN passes. */
ALWAYS_INLINE vec settle_vec(vec v) {
    const vec least = broadcast(sizeof(real) == 4 ? (real)FLT_MIN : (real)DBL_MIN);
    const __typeof__(v < v) small = (v < least) & (v > -least);
    return (vec)(~small & (__typeof__(small))v);
}

/* IN g, numbers; IN OUT s: the rule's arrays. Each returns u. */
ALWAYS_INLINE vec sgd(vec g, vec *s, const vec *number) {
    (void)s;
    return number[0] * g;
}

ALWAYS_INLINE vec momentum(vec g, vec *s, const vec *number) {
    const vec mu = number[0], k = number[1], r = number[2];
    s[0] = settle_vec(mu * s[0] + k * g);
    return r * s[0];
}

ALWAYS_INLINE vec nesterov(vec g, vec *s, const vec *number) {
    const vec mu = number[0], k = number[1], r = number[2], p = k * g;
    s[0] = settle_vec(mu * s[0] + p);
    return r * (mu * s[0] + p);
}

ALWAYS_INLINE vec adam(vec g, vec *s, const vec *number) {
    const vec b1 = number[0], k1 = number[1], b2 = number[2], k2 = number[3], a = number[4], e = number[5];
    s[0] = settle_vec(b1 * s[0] + k1 * g);
    s[1] = settle_vec(b2 * s[1] + (k2 * g) * g);
    return (a * s[0]) / (sqrt_vec(s[1]) + e);
}

ALWAYS_INLINE vec rmsprop(vec g, vec *s, const vec *number) {
    const vec b2 = number[0], k2 = number[1], k = number[2], e1 = number[3], e2 = number[4];
    s[0] = settle_vec(b2 * s[0] + (k2 * g) * g);
    return (k * g) / (sqrt_vec(s[0] + e1) + e2);
}

ALWAYS_INLINE vec rmsprop_momentum(vec g, vec *s, const vec *number) {
    const vec mu = number[5], r = number[6], u = rmsprop(g, s, number);
    s[1] = settle_vec(mu * s[1] + u);
    return r * s[1];
}

ALWAYS_INLINE vec load_where(const real *p, const int masked, lanes last) { return masked ? load_lanes(p, last) : load_vec(p); }
ALWAYS_INLINE void store_where(real *p, const int masked, lanes last, vec v) {
    if (masked) store_lanes(p, last, v);
    else store_vec(p, v);
}
ALWAYS_INLINE vec select_vec(__typeof__((vec){0} < (vec){0}) condition, vec chosen, vec other) {
    return (vec)((condition & (__typeof__(condition))chosen) | (~condition & (__typeof__(condition))other));
}

/* Numbers of lines, by the position of their bits. */
ALWAYS_INLINE void update_vector(vec (*rule)(vec, vec *, const vec *), const int n_state, const Update *u, const int lines,
                                 ptrdiff_t at, const real *g, const vec *number, const vec *line, const int masked,
                                 lanes last) {
    vec s[MOST_STATE];
    real *const p = u->parameters + at;
    vec w = load_where(p, masked, last), gradient = load_where(g, masked, last);
    if (lines & SCALE) gradient = gradient * broadcast(u->scale);
    if (lines & CLIP_VALUE) {
        const vec c = line[0], below = select_vec(gradient < -c, -c, gradient);
        gradient = select_vec(gradient > c, c, below);
    }
    if (lines & L2) gradient = gradient + line[1] * w;
    if (lines & L1) {
        const vec zero = zero_vec(), of_negative = select_vec(w < zero, -line[2], zero);
        gradient = gradient + select_vec(w > zero, line[2], of_negative);
    }
    UNROLL for (int k = 0; k < n_state; k++) s[k] = load_where(u->state[k] + at, masked, last);
    vec step = rule(gradient, s, number);
    UNROLL for (int k = 0; k < n_state; k++) store_where(u->state[k] + at, masked, last, s[k]);
    if (lines & DECAY) step = step + line[3] * w;
    w = w - step;
    store_where(p, masked, last, w);
    if (lines & AVERAGE) {
        const vec average = load_where(u->average + at, masked, last);
        store_where(u->average + at, masked, last, average + line[4] * (w - average));
    }
}

ALWAYS_INLINE void update_rows(vec (*rule)(vec, vec *, const vec *), const int n_state, const Update *u, const int lines,
                               ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, const real *g,
                               const vec *number, const vec *line) {
    const ptrdiff_t whole = columns / LANES * LANES;
    const lanes last = first_lanes(columns - whole);
    for (ptrdiff_t i = 0; i < rows; i++, at += row, g += columns) {
        for (ptrdiff_t j = 0; j < whole; j += LANES)
            update_vector(rule, n_state, u, lines, at + j, g + j, number, line, 0, last);
        if (whole < columns) update_vector(rule, n_state, u, lines, at + whole, g + whole, number, line, 1, last);
    }
}

/* Asks memory for what the update of a block reads: where its rows lie apart, nothing else would. */
static inline void prefetch_block(const Update *u, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row) {
    const real *arrays[MOST_STATE + 2] = {u->parameters, u->state[0], u->state[1], u->average};
    for (int k = 0; k < MOST_STATE + 2; k++)
        for (ptrdiff_t i = 0; arrays[k] && i < rows; i++)
            for (ptrdiff_t j = 0; j < columns; j += 64 / (ptrdiff_t)sizeof(real))
                __builtin_prefetch(arrays[k] + at + i * row + j, 1);
}

/* A rule alone and a rule with decay have bodies of their own; the others ask for each line as they go. */
ALWAYS_INLINE void update_block(vec (*rule)(vec, vec *, const vec *), const int n_numbers, const int n_state,
                                const Update *u, int lines, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row,
                                const real *g) {
    vec number[MOST_NUMBERS], line[N_LINES] = {0};
    UNROLL for (int k = 0; k < n_numbers; k++) number[k] = broadcast(u->numbers[k]);
    const real *next = u->numbers + n_numbers;
    for (int k = 0; k < N_LINES; k++)
        if (u->lines >> k & 1) line[k] = broadcast(*next++);
    if (row == columns) {  /* one run */
        columns *= rows;
        rows = 1;
        row = columns;
    }
    if (lines == 0) update_rows(rule, n_state, u, 0, at, rows, columns, row, g, number, line);
    else if (lines == DECAY) update_rows(rule, n_state, u, DECAY, at, rows, columns, row, g, number, line);
    else update_rows(rule, n_state, u, lines, at, rows, columns, row, g, number, line);
}

/* X(name, how many numbers, how many arrays) */
#define RULES(X) X(sgd, 1, 0) X(momentum, 3, 1) X(nesterov, 3, 1) X(adam, 6, 2) X(rmsprop, 5, 1) X(rmsprop_momentum, 7, 2)
#define DEFINE_RULE(name, n_numbers, n_state) \
    static void update_by_##name(const Update *u, int lines, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, \
                                 ptrdiff_t row, const real *g) { \
        update_block(name, n_numbers, n_state, u, lines, at, rows, columns, row, g); \
    }
RULES(DEFINE_RULE)

typedef void (*rule_function)(const Update *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const real *);
#define ROW_OF_RULE(name, n_numbers, n_state) {#name, update_by_##name, n_numbers, n_state},
typedef struct {
    const char *name;
    rule_function run;
    int n_numbers, n_state;
} Rule;
static const Rule rules[] = {RULES(ROW_OF_RULE)};
enum { N_RULES = sizeof rules / sizeof rules[0] };

/* The lane rule of fastmlp/reference/norms.py: OUT totals (stop - first,), for each block of SUM_BLOCK numbers of x (n,) the
 * sum of their squares, or of their magnitudes. */
#define SUM_BLOCK 4096
#define SUM_LANES 16
static void sum_blocks(const real *x, ptrdiff_t n, ptrdiff_t first, ptrdiff_t stop, int magnitudes, double *totals) {
    for (ptrdiff_t block = first; block < stop; block++) {
        const real *p = x + block * SUM_BLOCK;
        const ptrdiff_t left = n - block * SUM_BLOCK, count = left < SUM_BLOCK ? left : SUM_BLOCK;
        double s[SUM_LANES] = {0}, t = 0;
        ptrdiff_t k = 0;
        if (magnitudes)
            for (; k + SUM_LANES <= count; k += SUM_LANES)
                for (int l = 0; l < SUM_LANES; l++) s[l] = s[l] + (double)(p[k + l] < 0 ? -p[k + l] : p[k + l]);
        else
            for (; k + SUM_LANES <= count; k += SUM_LANES)
                for (int l = 0; l < SUM_LANES; l++) s[l] = s[l] + (double)p[k + l] * (double)p[k + l];
        for (int l = 0; k + l < count; l++)
            s[l] = s[l] + (magnitudes ? fabs((double)p[k + l]) : (double)p[k + l] * (double)p[k + l]);
        for (int l = 0; l < SUM_LANES; l++) t = t + s[l];
        totals[block - first] = t;
    }
}

#endif
