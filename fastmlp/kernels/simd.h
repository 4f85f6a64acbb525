/* The vector operations that an instruction set must give, for one element type `real`.
 *
 * vec holds LANES reals. lanes names the first lanes of a vector: all of them, or fewer at the edge of an array,
 * where the others are neither read nor written. Everything above this file is written once in these operations.
 * FASTMLP_DOUBLE selects the type; the instruction set is the one the compiler was told, unless FASTMLP_PORTABLE
 * asks for the path that needs none. fma rounds once, on every path.
 */
#ifndef FASTMLP_SIMD_H
#define FASTMLP_SIMD_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "fastmlp promises bits, and -ffast-math (or -Ofast) changes them: remove it from CFLAGS"
#endif
#if FLT_EVAL_METHOD != 0
#error "fastmlp needs arithmetic without excess precision (x87): compile for SSE2, for example with -mfpmath=sse"
#endif

#if FASTMLP_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* Numbers and their bits. */
ALWAYS_INLINE uint64_t to_bits(double x) { uint64_t b; memcpy(&b, &x, sizeof b); return b; }
ALWAYS_INLINE double from_bits(uint64_t b) { double x; memcpy(&x, &b, sizeof x); return x; }

#if defined(__AVX512F__) && !defined(FASTMLP_PORTABLE)
#include <immintrin.h>
#define REGISTERS 32
#define MASKS_ARE_FREE 1
#if FASTMLP_DOUBLE
#define LANES 8
typedef __m512d vec;
typedef __mmask8 lanes;
#define OP(name) _mm512_##name##_pd
#else
#define LANES 16
typedef __m512 vec;
typedef __mmask16 lanes;
#define OP(name) _mm512_##name##_ps
#endif
ALWAYS_INLINE lanes first_lanes(ptrdiff_t n) { return n >= LANES ? (lanes)-1 : (lanes)((1u << n) - 1); }
ALWAYS_INLINE vec load_lanes(const real *p, lanes l) { return OP(maskz_loadu)(l, p); }
ALWAYS_INLINE void store_lanes(real *p, lanes l, vec v) { OP(mask_storeu)(p, l, v); }
ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) { return OP(fmadd)(a, b, c); }

#elif defined(__AVX2__) && defined(__FMA__) && !defined(FASTMLP_PORTABLE)
#include <immintrin.h>
#define REGISTERS 16
typedef __m256i lanes;
#if FASTMLP_DOUBLE
#define LANES 4
typedef __m256d vec;
#define OP(name) _mm256_##name##_pd
ALWAYS_INLINE lanes first_lanes(ptrdiff_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
#else
#define LANES 8
typedef __m256 vec;
#define OP(name) _mm256_##name##_ps
ALWAYS_INLINE lanes first_lanes(ptrdiff_t n) {
    int m = n > LANES ? LANES : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(m), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif
ALWAYS_INLINE vec load_lanes(const real *p, lanes l) { return OP(maskload)(p, l); }
ALWAYS_INLINE void store_lanes(real *p, lanes l, vec v) { OP(maskstore)(p, l, v); }
ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) { return OP(fmadd)(a, b, c); }

#else
#define LANES (16 / (int)sizeof(real))
typedef real vec __attribute__((vector_size(16)));
typedef ptrdiff_t lanes;
ALWAYS_INLINE lanes first_lanes(ptrdiff_t n) { return n > LANES ? LANES : n; }
ALWAYS_INLINE vec load_lanes(const real *p, lanes l) {
    vec v = {0};
    if (l == LANES) memcpy(&v, p, sizeof v);
    else for (lanes i = 0; i < l; i++) v[i] = p[i];
    return v;
}
ALWAYS_INLINE void store_lanes(real *p, lanes l, vec v) {
    if (l == LANES) memcpy(p, &v, sizeof v);
    else for (lanes i = 0; i < l; i++) p[i] = v[i];
}
#if defined(__aarch64__)
#include <arm_neon.h>
#define REGISTERS 32
#if FASTMLP_DOUBLE
ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) { return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
#else
ALWAYS_INLINE vec fma_vec(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#endif
#else
#define REGISTERS 8
#include "softfma.h"
#endif
#endif

#ifndef MASKS_ARE_FREE
#define MASKS_ARE_FREE 0
#endif

/* The same everywhere: compilers give these for vectors as for numbers, each rounded on its own. */
ALWAYS_INLINE vec zero_vec(void) { return (vec){0}; }
ALWAYS_INLINE vec broadcast(real x) { return x - zero_vec(); }  /* x - 0 is x, also for -0 */
ALWAYS_INLINE vec load_vec(const real *p) { vec v; memcpy(&v, p, sizeof v); return v; }
ALWAYS_INLINE void store_vec(real *p, vec v) { memcpy(p, &v, sizeof v); }

#endif
