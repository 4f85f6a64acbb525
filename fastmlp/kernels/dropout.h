/* Dropout, after fastmlp/reference/dropout.py: a = a * scale where the draw of unit, row, step and layer is not below the
 * threshold, else 0. A counter of Philox 4x32-10 serves one unit in eight rows, so that the lanes of a vector are units next
 * to each other, and nothing is shuffled.
 */
#ifndef FASTMLP_DROPOUT_H
#define FASTMLP_DROPOUT_H

#include "simd.h"

#define ROWS_A_COUNTER 8

typedef struct {
    uint32_t threshold;     /* of 16 bits; 0 leaves nothing out */
    uint32_t seed, layer;
    real scale;
} Drop;

/* UNITS counters at once, in 32-bit lanes. */
#if defined(__AVX512F__) && !defined(FASTMLP_PORTABLE)
#define UNITS 16
typedef __m512i words;
ALWAYS_INLINE words all_words(uint32_t x) { return _mm512_set1_epi32((int)x); }
ALWAYS_INLINE void multiply_words(words a, words b, words *high, words *low) {
    const words even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
    *high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    *low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}
#elif defined(__AVX2__) && !defined(FASTMLP_PORTABLE)
#define UNITS 8
typedef __m256i words;
ALWAYS_INLINE words all_words(uint32_t x) { return _mm256_set1_epi32((int)x); }
ALWAYS_INLINE void multiply_words(words a, words b, words *high, words *low) {
    const words even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
#else
#define UNITS 4
typedef uint32_t words __attribute__((vector_size(16)));
ALWAYS_INLINE words all_words(uint32_t x) { return (words){x, x, x, x}; }
ALWAYS_INLINE void multiply_words(words a, words b, words *high, words *low) {
    for (int i = 0; i < UNITS; i++) *high = (*high), (*high)[i] = (uint32_t)((uint64_t)a[i] * b[i] >> 32);
    *low = a * b;
}
#endif
typedef uint32_t lanes_of_words __attribute__((vector_size(4 * UNITS)));
typedef int32_t draws __attribute__((vector_size(4 * UNITS)));  /* of 16 bits */
#define XOR_WORDS(a, b) ((words)((lanes_of_words)(a) ^ (lanes_of_words)(b)))

/* OUT drawn: four words for each of the units from `unit` on. */
ALWAYS_INLINE void draw(const Drop *d, uint32_t unit, uint32_t group, uint64_t step, words drawn[4]) {
    lanes_of_words units;
    for (int i = 0; i < UNITS; i++) units[i] = (uint32_t)i;
    words c0 = (words)(units + unit), c1 = all_words(group), c2 = all_words((uint32_t)step);
    words c3 = all_words(d->layer + 65536u * (uint32_t)(step >> 32));
    const words m0 = all_words(0xD2511F53u), m1 = all_words(0xCD9E8D57u);
    uint32_t k0 = d->seed, k1 = 0x64726F70u;
    UNROLL for (int round = 0; round < 10; round++) {
        words high0 = c0, low0 = c0, high1 = c0, low1 = c0;
        multiply_words(c0, m0, &high0, &low0);
        multiply_words(c2, m1, &high1, &low1);
        c0 = XOR_WORDS(XOR_WORDS(high1, c1), all_words(k0));
        c2 = XOR_WORDS(XOR_WORDS(high0, c3), all_words(k1));
        c1 = low1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    drawn[0] = c0;
    drawn[1] = c1;
    drawn[2] = c2;
    drawn[3] = c3;
}

/* a * scale where the draw is not below the threshold, else 0, for the units of `draws` that a vector holds. */
#if FASTMLP_DOUBLE
typedef int64_t wide_draws __attribute__((vector_size(sizeof(vec))));
ALWAYS_INLINE vec keep_vec(draws keep, int part, vec a) {
    typedef int32_t narrow __attribute__((vector_size(4 * LANES)));
    narrow n;
    memcpy(&n, (const char *)&keep + part * (int)sizeof n, sizeof n);
    const wide_draws mask = __builtin_convertvector(n, wide_draws);
    return (vec)(mask & (wide_draws)a);
}
#else
ALWAYS_INLINE vec keep_vec(draws keep, int part, vec a) {
    (void)part;
    return (vec)(keep & (draws)a);
}
#endif

/* IN a, OUT out (which may be a): rows r0 .. r1 - 1 and columns c0 .. c1 - 1 of (rows, n). */
static void drop_block(const Drop *d, uint64_t step, const real *a, real *out, ptrdiff_t n, ptrdiff_t r0, ptrdiff_t r1,
                       ptrdiff_t c0, ptrdiff_t c1) {
    const vec scale = broadcast(d->scale);
    const int32_t threshold = (int32_t)d->threshold;
    for (ptrdiff_t group = r0 / ROWS_A_COUNTER; group * ROWS_A_COUNTER < r1; group++) {
        for (ptrdiff_t c = c0; c < c1; c += UNITS) {
            words drawn[4];
            draw(d, (uint32_t)c, (uint32_t)group, step, drawn);
            UNROLL for (int i = 0; i < ROWS_A_COUNTER; i++) {
                const ptrdiff_t r = group * ROWS_A_COUNTER + i;
                const lanes_of_words word = (lanes_of_words)drawn[i / 2];
                const draws keep = (draws)(i & 1 ? word >> 16 : word & 0xFFFF) >= threshold;
                if (r < r0 || r >= r1) continue;
                const real *from = a + r * n + c;
                real *to = out + r * n + c;
                UNROLL for (int part = 0; part * LANES < UNITS; part++) {
                    const ptrdiff_t left = c1 - c - part * LANES;
                    if (left >= LANES) {
                        store_vec(to + part * LANES, keep_vec(keep, part, load_vec(from + part * LANES) * scale));
                    } else if (left > 0) {
                        const lanes l = first_lanes(left);
                        store_lanes(to + part * LANES, l, keep_vec(keep, part, load_lanes(from + part * LANES, l) * scale));
                    }
                }
            }
        }
    }
}

#endif
