/* The team: threads that are there when a job comes, and out of everybody's way when none does.
 *
 * OpenMP makes them, in parallel regions that last as long as the process, each entered by a thread of its own. Between jobs they
 * sleep; so libgomp's idle threads, which spin for milliseconds on processors that other libraries' threads want, never come to be.
 *
 * A caller calls workers, and each has a state of its own:
 *
 *     ABSENT    not yet there
 *     ASLEEP    until it is called
 *     READY     looks for a call for some microseconds, since the next job often comes at once
 *     CALLED    by a caller, who may take that back
 *     ANSWERED  here, and runs its part, once it is told that it is
 *     AT_WORK   where all are to begin together; then it is READY again
 *
 * Jobs are right with any number of threads, and bits do not depend on it: a worker that does not answer at once is gone on without.
 * A team that waits for itself more than it works, since others want the processors too, rests for a while, and is tried again
 * later, each time twice as late. One caller has the team at a time, and others run alone. Where the system has no futex an OpenMP
 * region is opened for each job; without OpenMP there is one thread. */
#ifndef FASTMLP_TEAM_H
#define FASTMLP_TEAM_H

#include "runtime.h"
#include "waiting.h"
#if defined(_OPENMP)
#include <omp.h>
#endif

typedef void (*team_work)(void *job, int part, int parts);

static inline void do_part(team_work work, void *job, int part, int parts) {
    const fp_environment old = fp_enter();
    work(job, part, parts);
    fp_leave(old);
}

/* Threads that one call may use where others have lowered OpenMP's own setting, as threadpoolctl does; it is what
 * OMP_NUM_THREADS says, or the processors, while nobody has. */
static inline int threads_set(void) {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static inline int has_openmp(void) {
#if defined(_OPENMP)
    return 1;
#else
    return 0;
#endif
}

/* Calls of Python threads that have given the GIL away. */
static int calls_under_way;

static inline void begin_call(void) { __atomic_add_fetch(&calls_under_way, 1, __ATOMIC_RELAXED); }
static inline void end_call(void) { __atomic_sub_fetch(&calls_under_way, 1, __ATOMIC_RELAXED); }
static inline int others_call(void) { return __atomic_load_n(&calls_under_way, __ATOMIC_RELAXED) > 0; }
static inline void forget_calls(void) { __atomic_store_n(&calls_under_way, 0, __ATOMIC_RELAXED); }

static int patient; /* whether callers wait for all that they called, however long: for tests of what so many threads do */

#if defined(_OPENMP) && defined(__linux__)

#include <pthread.h>
#include <signal.h>

enum { MOST_WORKERS = 1023 };

#define READY_FOR 60e-6      /* seconds that a worker looks for the next call before it sleeps, most of them giving way, */
#define LATE_FOR 200e-6      /* or after it was woken too late: the next run of the same job may be about to begin */
#define LEAST_PATIENCE 2e-6  /* seconds that a caller waits for answers: who is READY takes a tenth of that; */
#define MOST_PATIENCE 200e-6 /* more where a job is long, up to this: who is ASLEEP mostly takes 35 us */
#define MOST_LOST 1e-3       /* seconds that a team may wait for itself more than it works, before it rests */
#define LEAST_REST 2e-3      /* seconds that it rests, at first, */
#define MOST_REST 0.25       /* at last, */
#define RESTS_A_TRIAL 16     /* or so many times as long as the job that made it rest */

enum { ABSENT,
       ASLEEP,
       READY,
       CALLED,
       ANSWERED,
       AT_WORK };

typedef struct {
    uint32_t state;
    int part, parts; /* of the job, its own */
    int called;      /* the caller's: whether it was there to be called, */
    int away_from;   /* and the processor that it is kept off */
    pid_t thread;
    char after[40];
} Worker;

static struct {
    char before[64];
    team_work work;
    void *job;
    int together; /* whether a job's parts begin when it is known how many there are */
    char between[64];
    Counter done; /* workers that have done their part */
    char behind[64];
    int held, n_workers;
    double lost, rest, rest_until;
    cpu_set_t allowed;
    Worker workers[MOST_WORKERS] __attribute__((aligned(64)));
} team;

static inline uint32_t state_of(const Worker *w) { return __atomic_load_n(&w->state, __ATOMIC_ACQUIRE); }
static inline void set_state(Worker *w, uint32_t to) { __atomic_store_n(&w->state, to, __ATOMIC_RELEASE); }
static inline int change_state(Worker *w, uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&w->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void await_call(Worker *me) {
    double began = 0, patience = READY_FOR;
    for (int spins = 1; state_of(me) == READY; spins++) {
        if (spins < PAUSES) pause_cpu();
        else give_way();
        if (spins % 16) continue;
        if (began == 0) began = now();
        if (now() - began > patience && change_state(me, READY, ASLEEP)) {
            while (state_of(me) == ASLEEP) sleep_while(&me->state, ASLEEP);
            began = 0, patience = LATE_FOR;
        }
    }
}

static void serve(Worker *me) {
    me->thread = (pid_t)syscall(SYS_gettid);
    me->away_from = -1;
    set_state(me, READY);
    for (;;) {
        await_call(me);
        if (!change_state(me, CALLED, ANSWERED)) continue;
        for (int spins = 0; team.together && state_of(me) == ANSWERED; spins++) {
            if (spins < PAUSES) pause_cpu();
            else give_way();
        }
        do_part(team.work, team.job, me->part, me->parts);
        set_state(me, READY);
        count_up(&team.done);
    }
}

/* The thread that stands in a region for the callers, whose workers have the numbers first .. stop - 1. */
static void *keep_region(void *first_and_stop) {
    const int first = (int)((intptr_t)first_and_stop >> 16), stop = (int)((intptr_t)first_and_stop & 0xFFFF);
#pragma omp parallel num_threads(stop - first + 1)
    {
        static const uint32_t forever = 0;
        if (omp_get_thread_num() > 0) serve(&team.workers[first + omp_get_thread_num() - 1]);
        for (;;) sleep_while(&forever, 0);
    }
    return NULL;
}

/* So many workers will be there, or as many as the system gives; for the caller who has the team. */
static void engage(int workers) {
    pthread_t thread;
    sigset_t all, before;
    if (workers <= team.n_workers) return;
    if (!team.n_workers && sched_getaffinity(0, sizeof(cpu_set_t), &team.allowed)) CPU_ZERO(&team.allowed);
    sigfillset(&all); /* signals are for the interpreter's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!pthread_create(&thread, NULL, keep_region, (void *)((intptr_t)team.n_workers << 16 | workers))) {
        pthread_detach(thread);
        team.n_workers = workers;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void leave_team(void) { __atomic_store_n(&team.held, 0, __ATOMIC_RELEASE); }

/* Takes the team for a job of so many threads: whether there is one to be had. */
static int take_team(int threads) {
    int busy = 0;
    if (threads < 2 || !__atomic_compare_exchange_n(&team.held, &busy, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
    if (team.rest_until != 0 && (patient || now() >= team.rest_until)) team.rest_until = 0;
    if (team.rest_until == 0) {
        engage(threads - 1 < MOST_WORKERS ? threads - 1 : MOST_WORKERS);
        return 1;
    }
    leave_team();
    return 0;
}

static void rest(double took) {
    const double most = RESTS_A_TRIAL * took > MOST_REST ? RESTS_A_TRIAL * took : MOST_REST;
    team.rest = 2 * team.rest > LEAST_REST ? 2 * team.rest : LEAST_REST;
    if (team.rest < 4 * took) team.rest = 4 * took;
    if (team.rest > most) team.rest = most;
    team.rest_until = now() + team.rest;
    team.lost = 0;
}

/* What a job tells of the team that had it: how many came, the seconds that it took, and that they waited for each other. Where
 * each of two waits as long as it works, one of them would have been as fast. */
static void judge(int came, double took, double waited) {
    team.lost += waited - took * (came - 1) / 2;
    if (team.lost > MOST_LOST) {
        rest(took);
    } else if (team.lost <= 0) {
        team.lost = 0;
        team.rest = team.rest > took ? team.rest - took : 0;
    }
}

static int take_back(Worker *w) { return change_state(w, CALLED, READY); }

/* Waits until so many workers more than at `from` have done their part: the seconds that it took. */
static double await_done(uint32_t from, int workers) {
    uint64_t waited = 0;
    for (uint32_t done; (done = counted(&team.done)) != from + (uint32_t)workers;) waited += await_change(&team.done, done);
    return 1e-9 * (double)waited;
}

static void await_presence(int workers) {
    const double began = now();
    for (int i = 0; i < workers; i++)
        while (state_of(&team.workers[i]) == ABSENT && now() - began < 1) give_way();
}

/* Lets a worker run on any processor but its caller's, where the system may put it when others are busy, in spite of theirs being
 * threads that only wait, as OpenBLAS's do for a while. A caller that slept until its worker was done may itself wake up on the
 * worker's processor, so one that is READY is sent away as well: there it would wait for the end of the caller's time slice. */
static void keep_off(Worker *w, int processor) {
    cpu_set_t others = team.allowed;
    if (processor < 0 || processor >= CPU_SETSIZE || w->away_from == processor) return;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others)) sched_setaffinity(w->thread, sizeof others, &others);
    w->away_from = processor;
}

/* Opens a job, and calls so many workers less one as there are: how many. */
static int call_all(team_work work, void *job, int threads, int together) {
    const int workers = threads - 1 < team.n_workers ? threads - 1 : team.n_workers;
    const int processor = sched_getcpu();
    if (patient) await_presence(workers);
    team.work = work, team.job = job, team.together = together;
    for (int i = 0; i < workers; i++) {
        Worker *w = &team.workers[i];
        w->part = i + 1, w->parts = threads;
        w->called = 0;
        if (state_of(w) == ABSENT) continue;
        keep_off(w, processor);
        if ((w->called = change_state(w, READY, CALLED))) continue;
        if ((w->called = change_state(w, ASLEEP, CALLED))) wake(&w->state, 1);
    }
    return workers;
}

/* Waits for answers, as long as that may pay: how many have come, the caller among them, and been told their part. */
static int gather(int workers, double patience) {
    const double began = now();
    int came = 1, answered = 0;
    if (patience < LEAST_PATIENCE) patience = LEAST_PATIENCE;
    if (patience > MOST_PATIENCE) patience = MOST_PATIENCE;
    for (int spins = 1; !answered; spins++) {
        answered = 1;
        for (int i = 0; i < workers; i++) answered = answered && state_of(&team.workers[i]) != CALLED;
        pause_cpu();
        if (spins % 8 == 0 && !patient && now() - began > patience) break;
        if (spins > PAUSES && patient) give_way();
    }
    for (int i = 0; i < workers; i++) {
        Worker *w = &team.workers[i];
        take_back(w);
        if (state_of(w) == ANSWERED) w->part = came++;
    }
    for (int i = 0; i < workers; i++) {
        team.workers[i].parts = came;
        if (state_of(&team.workers[i]) == ANSWERED) set_state(&team.workers[i], AT_WORK);
    }
    return came;
}

/* work(job, part, parts) on as many threads, up to so many, as are there within `patience` seconds, all at once: how many that
 * were. `waited` counts the nanoseconds that they wait for each other. */
static int run_together(team_work work, void *job, int threads, double patience, const uint64_t *waited) {
    if (!take_team(threads)) {
        do_part(work, job, 0, 1);
        return 1;
    }
    const uint32_t done = counted(&team.done);
    double began = now(), waited_for = 0;
    const int workers = call_all(work, job, threads, 1);
    const int came = gather(workers, patience);
    if (came == 1) waited_for = now() - began;
    began = now();
    do_part(work, job, 0, came);
    if (came > 1) waited_for = await_done(done, came - 1) + 1e-9 * (double)*waited;
    judge(came, now() - began, waited_for);
    leave_team();
    return came;
}

/* work(job, part, parts) for each part, on as many threads as there are parts, or on those that come in time. */
static void share_out(team_work work, void *job, int parts) {
    if (!take_team(parts)) {
        for (int part = 0; part < parts; part++) do_part(work, job, part, parts);
        return;
    }
    const uint32_t done = counted(&team.done);
    const double began = now();
    const int workers = call_all(work, job, parts, 0);
    int came = 1;
    do_part(work, job, 0, parts);
    for (int part = 1; part < parts; part++) {
        Worker *w = &team.workers[part - 1];
        if (part <= workers && w->called && (patient || !take_back(w))) came++;
        else do_part(work, job, part, parts);
    }
    const double waited = await_done(done, came - 1);
    judge(came, now() - began, waited);
    leave_team();
}

#else

static int run_together(team_work work, void *job, int threads, double patience, const uint64_t *waited) {
    int came = 1;
    (void)patience, (void)waited;
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        if (omp_get_thread_num() == 0) came = omp_get_num_threads();
        do_part(work, job, omp_get_thread_num(), omp_get_num_threads());
    }
#else
    (void)threads;
    do_part(work, job, 0, 1);
#endif
    return came;
}

static void share_out(team_work work, void *job, int parts) {
    int part;
#if defined(_OPENMP)
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
#endif
    for (part = 0; part < parts; part++) do_part(work, job, part, parts);
}

#endif

#endif
