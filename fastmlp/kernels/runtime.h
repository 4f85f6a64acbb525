/* What a kernel needs of the machine: the floating-point environment, and what the CPU can do. */
#ifndef FASTMLP_RUNTIME_H
#define FASTMLP_RUNTIME_H

#include <stdint.h>
#include <stdlib.h>

/* Round to nearest, no flushing of subnormals; enter returns what to give to leave. */
#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#include <immintrin.h>
typedef uint32_t fp_environment;
static inline fp_environment fp_enter(void) {
    fp_environment old = _mm_getcsr();
    _mm_setcsr(0x1F80);
    return old;
}
static inline void fp_leave(fp_environment old) { _mm_setcsr(old); }
#elif defined(__aarch64__)
typedef uint64_t fp_environment;
static inline fp_environment fp_enter(void) {
    fp_environment old;
    __asm__ volatile("mrs %0, fpcr\n\tmsr fpcr, xzr" : "=r"(old) : : "memory");
    return old;
}
static inline void fp_leave(fp_environment old) { __asm__ volatile("msr fpcr, %0" : : "r"(old) : "memory"); }
#else
#include <fenv.h>
typedef fenv_t fp_environment;
static inline fp_environment fp_enter(void) {
    fenv_t old;
    fegetenv(&old);
    fesetenv(FE_DFL_ENV);
    return old;
}
static inline void fp_leave(fp_environment old) { fesetenv(&old); }
#endif

/* By any thread of a team; read after its next barrier. */
static inline void raise_flag(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }

/* Which branches have been taken, for the tests to ask: written once, so that threads do not fight for the cache line. */
static char taken[256];

static inline void mark(int branch) {
    if (!__atomic_load_n(&taken[branch], __ATOMIC_RELAXED)) __atomic_store_n(&taken[branch], 1, __ATOMIC_RELAXED);
}

static inline void prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }

/* Whether the processor has an instruction set and the system keeps its registers, asked of the processor itself: the
 * compiler's own __builtin_cpu_supports answers 0 where a program is linked without its run-time library, as zig does. */
static inline int cpu_has(const char *isa) {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, avx2 = 1u << 5;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const unsigned ymm = 0x06, zmm = 0xE6;
    unsigned a, b, c, d, kept, upper;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (fma | osxsave | avx)) != (fma | osxsave | avx)) return 0;
    __asm__("xgetbv" : "=a"(kept), "=d"(upper) : "c"(0));
    (void)upper;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || (kept & ymm) != ymm) return 0;
    return isa[3] == '2' || ((b & avx512) == avx512 && (kept & zmm) == zmm);
#else
    (void)isa;
    return 0;
#endif
}

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "an unnamed compiler"
#endif

#endif
