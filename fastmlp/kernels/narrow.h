/* Sums of products with a matrix of few columns: the sums of tile.h, where a tile would leave most lanes of its vectors empty.
 * Here a vector holds the sums of LANES rows with one column. The rows are turned round as they are read, 16 bytes of each at a
 * time, and the sums stay in registers from the first term to the last.
 */
#ifndef FASTMLP_NARROW_H
#define FASTMLP_NARROW_H

#include "tile.h"

#define MOST_NARROW (LANES > 2 ? 2 : 1)  /* columns */
#define PIECE (16 / (int)sizeof(real))   /* terms of a row in 16 bytes */
#define GROUPS (REGISTERS == 16 ? 3 : 1) /* of LANES rows at once: the sums of one group wait for each other, */
#define BESIDE (REGISTERS == 16 ? 2 : 1) /* or chunks of one group's */
#define ROWS_AHEAD (REGISTERS != 16)     /* whether memory is asked for the next rows: with AVX2 that costs more than it brings */

/* OUT v (PIECE,): v[k] = a[0 .. LANES-1][at + k]. */
ALWAYS_INLINE void read_pieces(const real *const *a, ptrdiff_t at, vec *v) {
#if defined(OP)
    vec part[PIECE];  /* of rows r, r + PIECE, r + 2 PIECE, ... */
    UNROLL for (int r = 0; r < PIECE; r++) {
#define OF_ROW(q) _mm_loadu_ps((const float *)(a[r + (q) * PIECE] + at))
#if REGISTERS == 32
        __m512 p = _mm512_castps128_ps512(OF_ROW(0));
        p = _mm512_insertf32x4(p, OF_ROW(1), 1);
        p = _mm512_insertf32x4(p, OF_ROW(2), 2);
        part[r] = (vec)_mm512_insertf32x4(p, OF_ROW(3), 3);
#else
        part[r] = (vec)_mm256_insertf128_ps(_mm256_castps128_ps256(OF_ROW(0)), OF_ROW(1), 1);
#endif
#undef OF_ROW
    }
#if FASTMLP_DOUBLE
    v[0] = OP(unpacklo)(part[0], part[1]);
    v[1] = OP(unpackhi)(part[0], part[1]);
#else
    UNROLL for (int h = 0; h < 2; h++) {
        const vec first = h ? OP(unpackhi)(part[0], part[1]) : OP(unpacklo)(part[0], part[1]);
        const vec second = h ? OP(unpackhi)(part[2], part[3]) : OP(unpacklo)(part[2], part[3]);
        v[2 * h] = OP(shuffle)(first, second, 0x44);
        v[2 * h + 1] = OP(shuffle)(first, second, 0xEE);
    }
#endif
#else
    UNROLL for (int k = 0; k < PIECE; k++)
        UNROLL for (int i = 0; i < LANES; i++) v[k][i] = a[i][at + k];
#endif
}

/* total (groups, columns) = total + the sums of `chunks` chunks, of so many terms each, from term `at` on; of groups * LANES rows
 * a. next: the rows that come after. */
ALWAYS_INLINE void add_chunks(const int groups, const int chunks, const int columns, const real *const *a, const real *const *next,
                              ptrdiff_t at, ptrdiff_t terms, const real *b, ptrdiff_t b_row, ptrdiff_t b_col,
                              vec total[GROUPS][MOST_NARROW]) {
    vec s[BESIDE][GROUPS][MOST_NARROW] = {0};
    const ptrdiff_t end = at + terms;
    ptrdiff_t k = at;
    for (; k + PIECE <= end; k += PIECE) {
        if (ROWS_AHEAD && (k - at) % LINE == 0)
            UNROLL for (int i = 0; i < groups * LANES; i++) __builtin_prefetch(next[i] + k, 0, 2);
        UNROLL for (int q = 0; q < chunks; q++)
            UNROLL for (int g = 0; g < groups; g++) {
            vec v[PIECE];
            read_pieces(a + g * LANES, k + q * CHUNK, v);
            UNROLL for (int t = 0; t < PIECE; t++)
                UNROLL for (int j = 0; j < columns; j++)
                    s[q][g][j] = fma_vec(v[t], broadcast(b[(k + q * CHUNK + t) * b_row + j * b_col]), s[q][g][j]);
        }
    }
    for (; k < end; k++) /* of the last chunk alone: the others have no rest */
        UNROLL for (int g = 0; g < groups; g++) {
            real of_rows[LANES];
            for (int i = 0; i < LANES; i++) of_rows[i] = a[g * LANES + i][k];
            UNROLL for (int j = 0; j < columns; j++)
                s[0][g][j] = fma_vec(load_vec(of_rows), broadcast(b[k * b_row + j * b_col]), s[0][g][j]);
        }
    UNROLL for (int q = 0; q < chunks; q++)
        UNROLL for (int g = 0; g < groups; g++)
            UNROLL for (int j = 0; j < columns; j++) total[g][j] = total[g][j] + s[q][g][j];
}

/* OUT total (groups, columns): of groups * LANES rows a, each with all terms. */
ALWAYS_INLINE void sum_narrow(const int groups, const int columns, const real *const *a, const real *const *next, ptrdiff_t terms,
                              const real *b, ptrdiff_t b_row, ptrdiff_t b_col, const real *seed, vec total[GROUPS][MOST_NARROW]) {
    UNROLL for (int g = 0; g < groups; g++)
        UNROLL for (int j = 0; j < columns; j++) total[g][j] = seed ? broadcast(seed[j]) : zero_vec();
    ptrdiff_t at = 0;
    for (; BESIDE > 1 && groups == 1 && terms - at >= BESIDE * CHUNK; at += BESIDE * CHUNK)
        add_chunks(groups, BESIDE, columns, a, next, at, CHUNK, b, b_row, b_col, total);
    for (; at < terms; at += CHUNK)
        add_chunks(groups, 1, columns, a, next, at, terms - at < CHUNK ? terms - at : CHUNK, b, b_row, b_col, total);
}

/* OUT c (rows, columns) = seed + a b, for at most MOST_NARROW columns. a[i, k] = lines[i][k], b[k, j] = b[k * b_row + j * b_col];
 * seed: or NULL. */
static void narrow(const real *const *lines, ptrdiff_t rows, ptrdiff_t terms, const real *b, ptrdiff_t b_row, ptrdiff_t b_col,
                   const real *seed, ptrdiff_t columns, real *c, ptrdiff_t c_row) {
    const real *a[2 * GROUPS * LANES];
    /* Rows that lie half a page apart, or more, share two places in the first-level cache: those of one group fill them. */
    const int apart = rows > LANES && ((uintptr_t)lines[1] - (uintptr_t)lines[0]) % 2048;
    for (ptrdiff_t row = 0, n; row < rows; row += n) {
        vec total[GROUPS][MOST_NARROW];
        real of_rows[LANES];
        const int groups = apart && rows - row > LANES ? GROUPS : 1;
        n = groups * LANES;
        /* Where rows end, the last one is read again, and its sums are left alone. */
        for (int i = 0; i < (1 + ROWS_AHEAD) * n; i++) a[i] = lines[row + i < rows ? row + i : rows - 1];
#define SUM(groups, columns) sum_narrow(groups, columns, a, a + n, terms, b, b_row, b_col, seed, total)
        if (columns == 1 && groups == 1) SUM(1, 1);
        else if (columns == 1) SUM(GROUPS, 1);
        else if (groups == 1) SUM(1, MOST_NARROW);
        else SUM(GROUPS, MOST_NARROW);
#undef SUM
        for (int i = 0; i < n && row + i < rows; i += LANES)
            for (int j = 0; j < columns; j++) {
                store_vec(of_rows, total[i / LANES][j]);
                for (int r = 0; r < LANES && row + i + r < rows; r++) c[(row + i + r) * c_row + j] = of_rows[r];
            }
    }
}

#endif
