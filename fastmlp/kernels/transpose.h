/* Turning matrices round: out[j, i] = x[i, j], squares of BLOCK x BLOCK reals in registers, what is left one by one. */
#ifndef FASTMLP_TRANSPOSE_H
#define FASTMLP_TRANSPOSE_H

#include "simd.h"

#if defined(__AVX2__) && !defined(FASTMLP_PORTABLE)
#if FASTMLP_DOUBLE
#define BLOCK 4
ALWAYS_INLINE void transpose_block(const real *x, ptrdiff_t x_row, real *out, ptrdiff_t out_row) {
    __m256d r[4], pairs[4];
    UNROLL for (int i = 0; i < 4; i++) r[i] = _mm256_loadu_pd(x + i * x_row);
    UNROLL for (int i = 0; i < 4; i += 2) {
        pairs[i] = _mm256_unpacklo_pd(r[i], r[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_pd(r[i], r[i + 1]);
    }
    UNROLL for (int j = 0; j < 2; j++) {
        _mm256_storeu_pd(out + j * out_row, _mm256_permute2f128_pd(pairs[j], pairs[j + 2], 0x20));
        _mm256_storeu_pd(out + (j + 2) * out_row, _mm256_permute2f128_pd(pairs[j], pairs[j + 2], 0x31));
    }
}
#else
#define BLOCK 8
ALWAYS_INLINE void transpose_block(const real *x, ptrdiff_t x_row, real *out, ptrdiff_t out_row) {
    __m256 r[8], pairs[8], fours[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(x + i * x_row);
    UNROLL for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int h = 0; h < 2; h++) {
            fours[i + 2 * h] = _mm256_shuffle_ps(pairs[i + h], pairs[i + h + 2], 0x44);
            fours[i + 2 * h + 1] = _mm256_shuffle_ps(pairs[i + h], pairs[i + h + 2], 0xEE);
        }
    }
    UNROLL for (int j = 0; j < 4; j++) {
        _mm256_storeu_ps(out + j * out_row, _mm256_permute2f128_ps(fours[j], fours[j + 4], 0x20));
        _mm256_storeu_ps(out + (j + 4) * out_row, _mm256_permute2f128_ps(fours[j], fours[j + 4], 0x31));
    }
}
#endif
#else
#define BLOCK 4
ALWAYS_INLINE void transpose_block(const real *x, ptrdiff_t x_row, real *out, ptrdiff_t out_row) {
    UNROLL for (int j = 0; j < BLOCK; j++)
        UNROLL for (int i = 0; i < BLOCK; i++) out[j * out_row + i] = x[i * x_row + j];
}
#endif

/* OUT out (n, rows), lines out_row apart, from x (rows, n), lines x_row apart. */
static void transpose(const real *x, ptrdiff_t x_row, ptrdiff_t rows, ptrdiff_t n, real *out, ptrdiff_t out_row) {
    const ptrdiff_t whole_rows = rows - rows % BLOCK, whole_n = n - n % BLOCK;
    for (ptrdiff_t j = 0; j < whole_n; j += BLOCK)
        for (ptrdiff_t i = 0; i < whole_rows; i += BLOCK)
            transpose_block(x + i * x_row + j, x_row, out + j * out_row + i, out_row);
    for (ptrdiff_t j = 0; j < n; j++)
        for (ptrdiff_t i = j < whole_n ? whole_rows : 0; i < rows; i++) out[j * out_row + i] = x[i * x_row + j];
}

#endif
