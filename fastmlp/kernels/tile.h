/* The register tile: the inner loop of every sum of products.
 *
 * A strip is a column of tiles, rows x (vecs * LANES) outputs each, that share b. For each of its outputs
 *     s = +0;  for k in 0 .. terms-1: s = fma(a[i, k], b[k, j], s);  total = total + s
 * with s in a register from first to last. IN a[i * a_row + k * a_col], b[k * b_row + j]. total starts from seed[j]
 * (or from carried[i, j], the total of the chunks before, or +0). OUT c = total, or, with a learning rate, the
 * weights c = c - (rate * total).
 * chunks > 1 sums that many chunks of `terms` side by side to hide latency, and adds their s to total in order.
 */
#ifndef FASTMLP_TILE_H
#define FASTMLP_TILE_H

#include "simd.h"

typedef struct {
    ptrdiff_t terms, tiles;
    const real *a; ptrdiff_t a_row, a_col;
    const real *b; ptrdiff_t b_row;
    lanes last;                         /* lanes of the last vector of a row */
    const real *seed, *carried; ptrdiff_t carried_row;
    real *c; ptrdiff_t c_row;
    const real *rate;
} Strip;

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* Only the last vector of a row is masked: a mask for the others would take a register that the sums need. */
ALWAYS_INLINE vec load_part(const real *p, const int edge, lanes last) {
    return edge ? load_lanes(p, last) : load_vec(p);
}
ALWAYS_INLINE void store_part(real *p, const int edge, lanes last, vec v) {
    if (edge) store_lanes(p, last, v);
    else memcpy(p, &v, sizeof v);
}

ALWAYS_INLINE void strip_body(const int rows, const int vecs, const int chunks, const Strip *strip) {
    const Strip t = *strip;  /* a copy, which the stores to c cannot change */
    for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
        vec s[32];
        UNROLL for (int i = 0; i < rows * vecs * chunks; i++) s[i] = zero_vec();
        /* A pointer for every three rows, whose neighbours are reached by an index, keeps addresses in registers. */
        const real *a[6], *b = t.b;
        UNROLL for (int i = 0; i < rows; i += 3) a[i / 3] = t.a + (tile * rows + i) * t.a_row;
        for (ptrdiff_t k = 0; k < t.terms; k++) {
            UNROLL for (int q = 0; q < chunks; q++) {
                vec bv[8];
                const real *bq = b + q * t.terms * t.b_row;
                UNROLL for (int v = 0; v < vecs - 1; v++) bv[v] = load_vec(bq + v * LANES);
                bv[vecs - 1] = load_lanes(bq + (vecs - 1) * LANES, t.last);
                UNROLL for (int i = 0; i < rows; i++) {
                    vec av = broadcast(a[i / 3][(i % 3) * t.a_row + q * t.terms * t.a_col]);
                    UNROLL for (int v = 0; v < vecs; v++) {
                        vec *sum = &s[(q * rows + i) * vecs + v];
                        *sum = fma_vec(av, bv[v], *sum);
                    }
                }
            }
            UNROLL for (int i = 0; i < rows; i += 3) a[i / 3] += t.a_col;
            b += t.b_row;
        }
        UNROLL for (int v = 0; v < vecs; v++) {
            const int edge = v == vecs - 1;
            real *c = t.c + tile * rows * t.c_row + v * LANES;
            vec total[16];
            if (t.carried) {
                const real *carried = t.carried + tile * rows * t.carried_row + v * LANES;
                UNROLL for (int i = 0; i < rows; i++) total[i] = load_part(carried + i * t.carried_row, edge, t.last);
            } else {
                const vec seed = t.seed ? load_part(t.seed + v * LANES, edge, t.last) : zero_vec();
                UNROLL for (int i = 0; i < rows; i++) total[i] = seed;
            }
            UNROLL for (int q = 0; q < chunks; q++)
                UNROLL for (int i = 0; i < rows; i++) total[i] = total[i] + s[(q * rows + i) * vecs + v];
            if (t.rate) {
                const vec rate = broadcast(*t.rate);
                UNROLL for (int i = 0; i < rows; i++)
                    total[i] = load_part(c + i * t.c_row, edge, t.last) - rate * total[i];
            }
            UNROLL for (int i = 0; i < rows; i++) store_part(c + i * t.c_row, edge, t.last, total[i]);
        }
    }
}

/* The tiles that the registers hold: X(rows, vecs). With fewer rows a tile is wider, so that enough independent
 * sums are under way to hide the latency of fma. */
#if REGISTERS == 32
#define MAX_VECS 8
#define TILES(X) \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) \
    X(2, 1) X(2, 2) X(2, 3) X(2, 4) X(3, 1) X(3, 2) X(3, 3) X(3, 4) X(4, 1) X(4, 2) X(4, 3) X(4, 4) \
    X(5, 1) X(5, 2) X(5, 3) X(5, 4) X(6, 1) X(6, 2) X(6, 3) X(6, 4) X(7, 1) X(7, 2) X(7, 3) X(8, 1) X(8, 2) X(8, 3) \
    X(9, 1) X(9, 2) X(10, 1) X(10, 2) X(11, 1) X(11, 2) X(12, 1) X(12, 2) X(13, 1) X(14, 1) X(15, 1) X(16, 1)
static const int tile_rows[] = {0, 16, 12, 8, 6, 1, 1, 1, 1};
#elif REGISTERS == 16
#define MAX_VECS 8
#define TILES(X) \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) X(2, 1) X(2, 2) X(2, 3) X(2, 4) \
    X(3, 1) X(3, 2) X(3, 3) X(4, 1) X(4, 2) X(4, 3) X(5, 1) X(5, 2) X(6, 1) X(6, 2) X(7, 1) X(8, 1) X(9, 1) X(10, 1)
static const int tile_rows[] = {0, 10, 6, 4, 2, 1, 1, 1, 1};
#else
#define MAX_VECS 2
#define TILES(X) X(1, 1) X(1, 2) X(2, 1) X(2, 2)
static const int tile_rows[] = {0, 2, 2};
#endif

/* Chunks side by side pay where one tile alone has fewer sums than the latency of fma asks for. */
#define MAX_CHUNKS 4
#define SIDE_BY_SIDE(X) X(1, 1, 2) X(1, 1, 3) X(1, 1, 4) X(1, 2, 2) X(1, 2, 3) X(1, 2, 4) X(2, 1, 2) X(2, 1, 3) X(2, 1, 4)

#define DEFINE(r, v) static void strip_##r##_##v(const Strip *t) { strip_body(r, v, 1, t); }
#define DEFINE_CHUNKS(r, v, q) static void strip_##r##_##v##_##q(const Strip *t) { strip_body(r, v, q, t); }
TILES(DEFINE)
SIDE_BY_SIDE(DEFINE_CHUNKS)

typedef void (*strip_function)(const Strip *);
#define ENTRY(r, v) [r][v][1] = strip_##r##_##v,
#define ENTRY_CHUNKS(r, v, q) [r][v][q] = strip_##r##_##v##_##q,
static const strip_function strips[17][MAX_VECS + 1][MAX_CHUNKS + 1] = {TILES(ENTRY) SIDE_BY_SIDE(ENTRY_CHUNKS)};

static inline void run_strip(int rows, int vecs, int chunks, const Strip *t) { strips[rows][vecs][chunks](t); }

#endif
