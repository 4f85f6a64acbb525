/* The update rules, after fastmlp/reference/updates.py, operation by operation: w = w - u, with u from g, the rule's arrays
 * and its numbers.
 *
 * A rule is one function of vectors and a row of the table at the end, found by its name in fastmlp/optimizers.py. It is run
 * over blocks: rows x columns of the flat arrays from `at` on, `row` apart, whose gradients lie `columns` apart in a strip
 * that the first-level cache holds. Whoever owns the parameters of a block owns their part of the rule's arrays.
 */
#ifndef FASTMLP_UPDATES_H
#define FASTMLP_UPDATES_H

#include <math.h>
#include "simd.h"

#define MOST_STATE 2
#define MOST_NUMBERS 8

typedef struct Update Update;
struct Update {
    void (*rule)(const Update *u, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, const real *g);
    const real *numbers;        /* IN     of this step */
    real *parameters;           /* IN OUT flat */
    real *state[MOST_STATE];    /* IN OUT flat, like the parameters */
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

ALWAYS_INLINE void update_vector(vec (*rule)(vec, vec *, const vec *), const int n_state, const Update *u, ptrdiff_t at,
                                 const real *g, const vec *number, const int masked, lanes last) {
    vec s[MOST_STATE];
    UNROLL for (int k = 0; k < n_state; k++)
        s[k] = masked ? load_lanes(u->state[k] + at, last) : load_vec(u->state[k] + at);
    const vec step = rule(masked ? load_lanes(g, last) : load_vec(g), s, number);
    real *w = u->parameters + at;
    if (masked) store_lanes(w, last, load_lanes(w, last) - step);
    else store_vec(w, load_vec(w) - step);
    UNROLL for (int k = 0; k < n_state; k++) {
        if (masked) store_lanes(u->state[k] + at, last, s[k]);
        else store_vec(u->state[k] + at, s[k]);
    }
}

ALWAYS_INLINE void update_block(vec (*rule)(vec, vec *, const vec *), const int n_numbers, const int n_state,
                                const Update *u, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row,
                                const real *g) {
    vec number[MOST_NUMBERS];
    UNROLL for (int k = 0; k < n_numbers; k++) number[k] = broadcast(u->numbers[k]);
    if (row == columns) {  /* one run */
        columns *= rows;
        rows = 1;
    }
    const ptrdiff_t whole = columns / LANES * LANES;
    const lanes last = first_lanes(columns - whole);
    for (ptrdiff_t i = 0; i < rows; i++, at += row, g += columns) {
        for (ptrdiff_t j = 0; j < whole; j += LANES) update_vector(rule, n_state, u, at + j, g + j, number, 0, last);
        if (whole < columns) update_vector(rule, n_state, u, at + whole, g + whole, number, 1, last);
    }
}

/* X(name, how many numbers, how many arrays) */
#define RULES(X) X(sgd, 1, 0) X(momentum, 3, 1) X(nesterov, 3, 1) X(adam, 6, 2) X(rmsprop, 5, 1) X(rmsprop_momentum, 7, 2)
#define DEFINE_RULE(name, n_numbers, n_state) \
    static void update_by_##name(const Update *u, ptrdiff_t at, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t row, \
                                 const real *g) { \
        update_block(name, n_numbers, n_state, u, at, rows, columns, row, g); \
    }
RULES(DEFINE_RULE)

typedef void (*rule_function)(const Update *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const real *);
#define ROW_OF_RULE(name, n_numbers, n_state) {#name, update_by_##name, n_numbers, n_state},
typedef struct { const char *name; rule_function run; int n_numbers, n_state; } Rule;
static const Rule rules[] = {RULES(ROW_OF_RULE)};
enum { N_RULES = sizeof rules / sizeof rules[0] };

#endif
