/* Sums of products of one or two rows with a wide matrix: the sums of tile.h, in the order in which memory likes them. So few
 * rows are too few for a tile that goes down its columns to hide the jump from each line of b to the next; here GROUP lines are
 * read side by side from left to right, and the sums wait in the first-level cache meanwhile.
 */
#ifndef FASTMLP_STREAM_H
#define FASTMLP_STREAM_H

#include "tile.h"

#define GROUP 8
#define STREAM_COLUMNS 1024  /* sums of each row that the first-level cache holds beside the lines of b */

/* s[r, j] = fma(a[r, at + k], b[k, j], s[r, j]) for k in 0 .. group-1, ascending; where first, s is +0 before. */
ALWAYS_INLINE void stream_group(const int rows, const int group, const int first, const real *const *a, ptrdiff_t at,
                                const real *b, ptrdiff_t b_row, ptrdiff_t n, real s[2][STREAM_COLUMNS]) {
    vec x[2][GROUP];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < group; k++) x[r][k] = broadcast(a[r][at + k]);
    for (ptrdiff_t j = 0; j < n; j += LANES) {
        const lanes l = first_lanes(n - j);
        vec sum[2];
        UNROLL for (int r = 0; r < rows; r++) sum[r] = first ? zero_vec() : load_vec(s[r] + j);
        UNROLL for (int k = 0; k < group; k++) {
            const vec bv = n - j >= LANES ? load_vec(b + k * b_row + j) : load_lanes(b + k * b_row + j, l);
            UNROLL for (int r = 0; r < rows; r++) sum[r] = fma_vec(x[r][k], bv, sum[r]);
        }
        UNROLL for (int r = 0; r < rows; r++) store_vec(s[r] + j, sum[r]);
    }
}

/* OUT c (rows, columns) = seed + a b, with terms >= 1. a[r, k] = a[r][k], b[k, j] = b[k * b_row + j]; seed: or NULL. */
ALWAYS_INLINE void stream_rows(const int rows, const real *const *a, ptrdiff_t terms, const real *b, ptrdiff_t b_row,
                               const real *seed, ptrdiff_t columns, real *c, ptrdiff_t c_row) {
    real s[2][STREAM_COLUMNS] __attribute__((aligned(64)));
    for (ptrdiff_t column = 0; column < columns; column += STREAM_COLUMNS) {
        const ptrdiff_t n = columns - column < STREAM_COLUMNS ? columns - column : STREAM_COLUMNS;
        for (ptrdiff_t start = 0; start < terms; start += CHUNK) {
            const ptrdiff_t stop = terms - start < CHUNK ? terms : start + CHUNK;
            const real *from = b + column + start * b_row;
            for (ptrdiff_t k = start, group; k < stop; k += group, from += group * b_row) {
                group = stop - k < GROUP ? 1 : GROUP;
                if (group == 1) stream_group(rows, 1, k == start, a, k, from, b_row, n, s);
                else stream_group(rows, GROUP, k == start, a, k, from, b_row, n, s);
            }
            for (int r = 0; r < rows; r++)
                for (ptrdiff_t j = 0; j < n; j += LANES) {
                    const lanes l = first_lanes(n - j);
                    real *total = c + r * c_row + column + j;
                    const vec before = start ? load_lanes(total, l) : seed ? load_lanes(seed + column + j, l)
                                                                           : zero_vec();
                    store_lanes(total, l, before + load_vec(s[r] + j));
                }
        }
    }
}

/* For one row or two. */
static void stream(ptrdiff_t rows, const real *const *a, ptrdiff_t terms, const real *b, ptrdiff_t b_row, const real *seed,
                   ptrdiff_t columns, real *c, ptrdiff_t c_row) {
    if (rows == 1) stream_rows(1, a, terms, b, b_row, seed, columns, c, c_row);
    else stream_rows(2, a, terms, b, b_row, seed, columns, c, c_row);
}

#endif
