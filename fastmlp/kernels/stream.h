/* Sums of products of few rows with a wide matrix: the sums of tile.h, in the order in which memory likes them. They are too few
 * for a tile that goes down its columns to hide the jump from each line of b to the next; here GROUP lines are read side by side
 * from left to right, and the sums wait in the first-level cache meanwhile.
 */
#ifndef FASTMLP_STREAM_H
#define FASTMLP_STREAM_H

#include "tile.h"

/* The sums take a part of the first-level cache, of which lines of b that lie whole pages apart share a few places: there are 8
 * of each on AVX2's processors, 12 on those with AVX-512. */
#define GROUP (REGISTERS == 16 ? 4 : 8)
#define STREAM_SUMS (REGISTERS == 16 ? 16384 / (int)sizeof(real) : 2048)
#define STREAM_AT_MOST (REGISTERS == 16 ? STREAM_SUMS : 1024)
#define STREAM_ROWS (REGISTERS == 16 ? 8 : 2) /* from more of them on tiles are faster */
#define AT_ONCE (REGISTERS == 16 ? 4 : 2)     /* rows, */
#define ABREAST (REGISTERS == 16 ? 2 : 1)     /* and vectors of each line */

/* stream_lines' sums of the columns j .. j + vecs * LANES - 1, of which the last vector may end beyond n. x: a in all lanes. */
ALWAYS_INLINE void stream_vectors(const int rows, const int group, const int vecs, const int first, const vec x[AT_ONCE][GROUP],
                                  const real *b, ptrdiff_t b_row, ptrdiff_t j, ptrdiff_t n, real *s, ptrdiff_t s_row) {
    vec sum[AT_ONCE][ABREAST];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++) sum[r][v] = first ? zero_vec() : load_vec(s + r * s_row + j + v * LANES);
    UNROLL for (int k = 0; k < group; k++)
        UNROLL for (int v = 0; v < vecs; v++) {
        const real *p = b + k * b_row + j + v * LANES;
        const vec bv = vecs > 1 || n - j >= LANES ? load_vec(p) : load_lanes(p, first_lanes(n - j));
        UNROLL for (int r = 0; r < rows; r++) sum[r][v] = fma_vec(x[r][k], bv, sum[r][v]);
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++) store_vec(s + r * s_row + j + v * LANES, sum[r][v]);
}

/* s[r, j] = fma(a[r, at + k], b[k, j], s[r, j]) for k in 0 .. group-1, ascending; where first, s is +0 before. */
ALWAYS_INLINE void stream_lines(const int rows, const int group, const int first, const real *const *a, ptrdiff_t at,
                                const real *b, ptrdiff_t b_row, ptrdiff_t n, real *s, ptrdiff_t s_row) {
    vec x[AT_ONCE][GROUP];
    ptrdiff_t j = 0;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < group; k++) x[r][k] = broadcast(a[r][at + k]);
    for (; ABREAST > 1 && n - j >= ABREAST * LANES; j += ABREAST * LANES)
        stream_vectors(rows, group, ABREAST, first, x, b, b_row, j, n, s, s_row);
    for (; j < n; j += LANES) stream_vectors(rows, group, 1, first, x, b, b_row, j, n, s, s_row);
}

/* The same, for any number of rows, AT_ONCE at a time. */
ALWAYS_INLINE void stream_group(ptrdiff_t rows, const int group, const int first, const real *const *a, ptrdiff_t at,
                                const real *b, ptrdiff_t b_row, ptrdiff_t n, real *s, ptrdiff_t s_row) {
    for (; rows >= AT_ONCE; rows -= AT_ONCE, a += AT_ONCE, s += AT_ONCE * s_row)
        stream_lines(AT_ONCE, group, first, a, at, b, b_row, n, s, s_row);
    if (AT_ONCE > 2 && rows >= 2) {
        stream_lines(2, group, first, a, at, b, b_row, n, s, s_row);
        rows -= 2, a += 2, s += 2 * s_row;
    }
    if (rows) stream_lines(1, group, first, a, at, b, b_row, n, s, s_row);
}

/* OUT c (rows, columns) = seed + a b, with terms >= 1. a[r, k] = a[r][k], b[k, j] = b[k * b_row + j]; seed: or NULL. */
static void stream(ptrdiff_t rows, const real *const *a, ptrdiff_t terms, const real *b, ptrdiff_t b_row, const real *seed,
                   ptrdiff_t columns, real *c, ptrdiff_t c_row) {
    real s[STREAM_SUMS] __attribute__((aligned(64)));
    const ptrdiff_t fit = STREAM_SUMS / rows / LANES * LANES, at_most = fit < STREAM_AT_MOST ? fit : STREAM_AT_MOST;
    for (ptrdiff_t column = 0; column < columns; column += at_most) {
        const ptrdiff_t n = columns - column < at_most ? columns - column : at_most;
        for (ptrdiff_t start = 0; start < terms; start += CHUNK) {
            const ptrdiff_t stop = terms - start < CHUNK ? terms : start + CHUNK;
            const real *from = b + column + start * b_row;
            for (ptrdiff_t k = start, group; k < stop; k += group, from += group * b_row) {
                group = stop - k < GROUP ? 1 : GROUP;
                if (group == 1) stream_group(rows, 1, k == start, a, k, from, b_row, n, s, at_most);
                else stream_group(rows, GROUP, k == start, a, k, from, b_row, n, s, at_most);
            }
            for (int r = 0; r < rows; r++)
                for (ptrdiff_t j = 0; j < n; j += LANES) {
                    const lanes l = first_lanes(n - j);
                    real *total = c + r * c_row + column + j;
                    const vec before = start ? load_lanes(total, l) : seed ? load_lanes(seed + column + j, l)
                                                                           : zero_vec();
                    store_lanes(total, l, before + load_vec(s + r * at_most + j));
                }
        }
    }
}

#endif
