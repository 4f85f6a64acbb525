/* How threads wait for each other: a thread looks for some microseconds, then lets whoever wants its processor have it, then sleeps.
 *
 * A wait that is over soon, as all are while every thread has a processor, makes no system call; and nobody spins through the time
 * slice of another thread, which may be the one that is waited for. */
#ifndef FASTMLP_WAITING_H
#define FASTMLP_WAITING_H

#include <stdint.h>
#include <time.h>
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define pause_cpu() _mm_pause()
#elif defined(__aarch64__)
#define pause_cpu() __asm__ volatile("yield")
#else
#define pause_cpu() ((void)0)
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define give_way() sched_yield()
#else
#define give_way() ((void)0)
#endif
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#define sleep_while(word, value) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0)
#define wake(word, count) syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, 0, 0, 0)
#else /* who waits goes on giving way */
#define sleep_while(word, value) give_way()
#define wake(word, count) ((void)0)
#endif

enum { PAUSES = 200 };     /* two to ten microseconds */
#define GIVING_WAY 100e-6  /* seconds before a thread sleeps: the shares of a step differ by less */

static inline double now(void) {
    struct timespec t;
#if defined(CLOCK_MONOTONIC)
    clock_gettime(CLOCK_MONOTONIC, &t);
#else
    timespec_get(&t, TIME_UTC);
#endif
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A word that counts up, and how many sleep until it does. */
typedef struct {
    uint32_t word, sleepers;
} Counter;

static inline uint32_t counted(const Counter *c) { return __atomic_load_n(&c->word, __ATOMIC_ACQUIRE); }

static inline void count_up(Counter *c) {
    /* Sequentially consistent, as are the sleepers: either they see the new word, or they are seen here. */
    __atomic_add_fetch(&c->word, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&c->sleepers, __ATOMIC_SEQ_CST)) wake(&c->word, INT32_MAX);
}

/* The nanoseconds beyond the pauses that it took the word to be something else than `from`. */
static inline uint64_t await_change(Counter *c, uint32_t from) {
    for (int i = 0; i < PAUSES; i++) {
        if (counted(c) != from) return 0;
        pause_cpu();
    }
    const double began = now();
    double waited = 0;
    while (counted(c) == from) {
        if (waited < GIVING_WAY) {
            give_way();
        } else {
            __atomic_add_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
            while (counted(c) == from) sleep_while(&c->word, from);
            __atomic_sub_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
        }
        waited = now() - began;
    }
    return (uint64_t)(waited * 1e9);
}

/* A barrier for a team that is inside one job, on a cache line of its own. */
typedef struct {
    char before[64];
    Counter round;
    int arrived;
    uint64_t waited; /* nanoseconds, by all of the team */
    char after[64];
} Barrier;

static inline void barrier_wait(Barrier *b, int team) {
    if (team == 1) return;
    const uint32_t round = counted(&b->round);
    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_ACQ_REL) == team) {
        __atomic_store_n(&b->arrived, 0, __ATOMIC_RELAXED);
        count_up(&b->round);
        return;
    }
    const uint64_t waited = await_change(&b->round, round);
    if (waited) __atomic_add_fetch(&b->waited, waited, __ATOMIC_RELAXED);
}

#endif
