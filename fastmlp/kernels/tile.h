/* The register tile: the inner loop of every sum of products; and sums over rows by the same rule.
 *
 * A strip is a column of tiles, rows x (vecs * LANES) outputs each, that share b. For each of its outputs
 *     s = +0;  for k in 0 .. terms-1: s = fma(a[i, k], b[k, j], s);  total = total + s
 * with s in a register from first to last. IN a by its lines, b[k * b_row + j]. total starts from seed[j] (or from
 * carried[i, j], the total of the chunks before, or +0). OUT c = total, or, with a learning rate, the weights
 * c = c - (rate * total).
 * chunks > 1 sums that many chunks of `terms` side by side to hide latency, and adds their s to total in order.
 */
#ifndef FASTMLP_TILE_H
#define FASTMLP_TILE_H

#include "simd.h"

#define CHUNK 256  /* terms that are summed on their own before they join the total */
#define FEW_TERMS 6
/* Lines that a copy asks memory for ahead, since the caches' own looking ahead ends where a page does. Processors with vectors
 * of 64 bytes do without: asking costs such a copy's product 6 to 14% there. */
#define LINES_AHEAD (sizeof(vec) == 64 ? 0 : 8)
#define LINE (64 / (ptrdiff_t)sizeof(real))  /* reals in a line of the caches */

typedef struct {
    ptrdiff_t terms, tiles;
    const real **lines;                 /* a, by pointers to its lines, which may lie apart */
    ptrdiff_t offset;                   /* of a[0, 0] in its line */
    ptrdiff_t fetches;                  /* rows only: whether a tile asks memory for the next one's while it sums */
    ptrdiff_t tile_step;                /* columns only: from one tile to the next in its line */
    const real *b;
    ptrdiff_t b_row;
    lanes last;                         /* lanes of the last vector of a row */
    ptrdiff_t last_lanes;               /* how many they are */
    const real *seed, *carried;
    ptrdiff_t carried_row;
    real *c;
    ptrdiff_t c_row;
    const real *rate;
} Strip;

/* Keeps the compiler from taking an address apart into a base and many offsets, more than there are registers. */
#define WHOLE(address) __asm__("" : "+r"(address))
/* Keeps what lies at an address in memory, and out of registers, until it is used again. */
#define IN_MEMORY(address) __asm__ volatile("" : : "r"(address) : "memory")
/* Keeps it from holding what comes after this in registers before. */
#define FORGET() __asm__ volatile("" : : : "memory")

/* Only the last vector of a row is masked: a mask for the others would take a register that the sums need. */
ALWAYS_INLINE vec load_part(const real *p, const int masked, lanes last) {
    return masked ? load_lanes(p, last) : load_vec(p);
}
/* OUT c: the first n lanes, or `last`, of a vector for each row. AVX2's masked store takes longer than three others, so
 * there the pieces are stored that the bits of n ask for. */
ALWAYS_INLINE void store_part(real *c, ptrdiff_t c_row, const int rows, const int masked, lanes last, ptrdiff_t n,
                              const vec *v) {
    if (!masked) {
        UNROLL for (int i = 0; i < rows; i++) store_vec(c + i * c_row, v[i]);
        return;
    }
#if REGISTERS == 16
    (void)last;
    __m128 part[16];
    UNROLL for (int i = 0; i < rows; i++) part[i] = _mm256_castps256_ps128((__m256)v[i]);
    if (n & (16 / sizeof(real))) {
        UNROLL for (int i = 0; i < rows; i++) {
            memcpy(c + i * c_row, &part[i], 16);
            part[i] = _mm256_extractf128_ps((__m256)v[i], 1);
        }
        c += 16 / sizeof(real);
    }
    if (n & (8 / sizeof(real))) {
        UNROLL for (int i = 0; i < rows; i++) {
            _mm_storel_pi((__m64 *)(c + i * c_row), part[i]);
            part[i] = _mm_movehl_ps(part[i], part[i]);
        }
        c += 8 / sizeof(real);
    }
    if (n & (4 / sizeof(real)))
        UNROLL for (int i = 0; i < rows; i++) _mm_store_ss((float *)(c + i * c_row), part[i]);
#else
    (void)n;
    UNROLL for (int i = 0; i < rows; i++) store_lanes(c + i * c_row, last, v[i]);
#endif
}

/* Lines are rows: a[i, k] = lines[i][offset + k]. Lines are columns: a[i, k] = lines[k][offset + i]. */
enum { BY_ROWS,
       BY_COLUMNS };

/* s = fma(a[i, k], b[k, j], s) for the terms k .. k + n - 1. */
ALWAYS_INLINE void sum_terms(const int n, const int rows, const int vecs, const int chunks, const int by, const int masked,
                             const real *const *a, ptrdiff_t at, const real **line, ptrdiff_t offset, const real *b,
                             ptrdiff_t b_row, const Strip *strip, vec *s) {
    UNROLL for (int q = 0; q < chunks; q++) {
        vec bv[2][8];
        const real *column = NULL;
        if (by == BY_COLUMNS) {
            column = *line + offset;
            WHOLE(column);
        }
        UNROLL for (int k = 0; k < n; k++) {
            const real *bq = b + (q * strip->terms + k) * b_row;
            /* One row alone waits for b, which is read once: it is asked for a few terms before. */
            UNROLL for (int v = 0; v < (rows == 1 && vecs > 2 ? vecs : 0); v += (64 / sizeof(vec)))
                __builtin_prefetch(bq + FEW_TERMS * b_row + v * LANES, 0, 3);
            UNROLL for (int v = 0; v < vecs - 1; v++) bv[k][v] = load_vec(bq + v * LANES);
            bv[k][vecs - 1] = load_part(bq + (vecs - 1) * LANES, masked, strip->last);
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int k = 0; k < n; k++) {
            const vec av = broadcast(by == BY_COLUMNS ? column[i] : a[i][at + k + q * strip->terms]);
            UNROLL for (int v = 0; v < vecs; v++) {
                vec *sum = &s[(q * rows + i) * vecs + v];
                *sum = fma_vec(av, bv[k][v], *sum);
            }
        }
    }
}

ALWAYS_INLINE void strip_body(const int rows, const int vecs, const int chunks, const int by, const int masked,
                              const int fetches, const Strip *strip) {
    struct {
        const Strip *strip;
        ptrdiff_t tile;
    } kept = {strip, 0};
    const real *ahead[16];
    for (; kept.tile < kept.strip->tiles; kept.tile++) {
        /* The sums want every register, for up to ten rows' addresses: what they do not need is in memory meanwhile. */
        if (rows > 4) IN_MEMORY(&kept);
        strip = kept.strip;
        const ptrdiff_t tile = kept.tile, b_row = strip->b_row;
        const real *a[16], *b = strip->b;
        const real **line = strip->lines + (by == BY_ROWS ? tile * rows : 0);
        const ptrdiff_t offset = strip->offset + (by == BY_ROWS ? strip->terms : tile * strip->tile_step);
        vec s[32];
        UNROLL for (int i = 0; i < rows * vecs * chunks; i++) s[i] = zero_vec();
        UNROLL for (int i = 0; i < (fetches ? rows : 0); i++)
            ahead[i] = line[tile + 1 < strip->tiles ? rows + i : i] + offset;
        IN_MEMORY(ahead);
        UNROLL for (int i = 0; i < (by == BY_ROWS ? rows : 0); i++) {
            a[i] = line[i] + offset;
            WHOLE(a[i]);
        }
        /* What is read after the sums is fetched while they run. */
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vecs; v += (64 / sizeof(vec)))
                __builtin_prefetch(strip->c + (tile * rows + i) * strip->c_row + v * LANES, 1);
        const int at_once = by == BY_ROWS && rows > 8 ? 2 : 1;
        ptrdiff_t at = -strip->terms; /* from the end of the rows: to count it up to 0 takes no other number */
        do {
            /* The next tile's rows are asked for a line of each at a time: all at once they would hold up the sums. */
            FORGET();
            UNROLL for (int i = 0; i < (fetches ? rows : 0); i++) __builtin_prefetch(ahead[i] + at);
            if (at % at_once) {
                sum_terms(1, rows, vecs, chunks, by, masked, a, at, line, offset, b, b_row, strip, s);
                at++, b += b_row, line += by == BY_COLUMNS;
                continue;
            }
            do {
                sum_terms(at_once, rows, vecs, chunks, by, masked, a, at, line, offset, b, b_row, strip, s);
                at += at_once, b += at_once * b_row, line += by == BY_COLUMNS;
            } while (fetches ? at % LINE : at);
        } while (at);
        FORGET();
        const Strip t = *kept.strip;  /* a copy, which the stores to c cannot change */
        const ptrdiff_t row = kept.tile * rows;
        UNROLL for (int v = 0; v < vecs; v++) {
            const int edge = masked && v == vecs - 1;
            real *c = t.c + row * t.c_row + v * LANES;
            vec total[16];
            if (t.carried) {
                const real *carried = t.carried + row * t.carried_row + v * LANES;
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
            store_part(c, t.c_row, rows, edge, t.last, t.last_lanes, total);
        }
    }
}

/* The tiles that the registers hold: X(rows, vecs). With fewer rows a tile is wider, so that enough independent
 * sums are under way to hide the latency of fma. Where lines are rows every row has its address in a register, and tiles
 * with more rows than about ten would keep some in memory: TALL tiles are for columns only. A large matrix takes strips
 * of WIDE vectors; from PACKING_B_ROWS rows strips are packed first, or from PACKING_HALVES_ROWS and PACKING_PAGES_ROWS where the
 * rows of b are half a page of memory apart, or a page, and so share few places in the first-level cache. */
#if REGISTERS == 32
#define MAX_VECS 8
#define WIDE 4
#define PACKING_B_ROWS 192
#define PACKING_HALVES_ROWS 192
#define PACKING_PAGES_ROWS 32
#define TILES(X) \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) \
    X(2, 1) X(2, 2) X(2, 3) X(2, 4) X(3, 1) X(3, 2) X(3, 3) X(3, 4) X(4, 1) X(4, 2) X(4, 3) X(4, 4) \
    X(5, 1) X(5, 2) X(5, 3) X(5, 4) X(6, 1) X(6, 2) X(6, 3) X(6, 4) X(7, 1) X(7, 2) X(7, 3) X(8, 1) X(8, 2) X(8, 3) \
    X(9, 1) X(10, 1)
#define TALL(X) X(11, 1) X(12, 1) X(13, 1) X(14, 1) X(15, 1) X(16, 1)
static const int tile_rows[2][9] = {{0, 10, 8, 8, 6, 1, 1, 1, 1}, {0, 16, 8, 8, 6, 1, 1, 1, 1}};
#elif REGISTERS == 16
#define MAX_VECS 8
#define WIDE 2
#define PACKING_B_ROWS 80
#define PACKING_HALVES_ROWS 32
#define PACKING_PAGES_ROWS 3
#define TILES(X) \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) X(2, 1) X(2, 2) X(2, 3) X(2, 4) \
    X(3, 1) X(3, 2) X(3, 3) X(4, 1) X(4, 2) X(4, 3) X(5, 1) X(5, 2) X(6, 1) X(6, 2) X(7, 1) X(8, 1) X(9, 1) X(10, 1)
#define TALL(X)
static const int tile_rows[2][9] = {{0, 10, 6, 4, 2, 1, 1, 1, 1}, {0, 10, 6, 4, 2, 1, 1, 1, 1}};
#else
#define MAX_VECS 2
#define WIDE 2
#define PACKING_B_ROWS 192
#define PACKING_HALVES_ROWS 192
#define PACKING_PAGES_ROWS 192
#define TILES(X) X(1, 1) X(1, 2) X(2, 1) X(2, 2)
#define TALL(X)
static const int tile_rows[2][9] = {{0, 2, 2}, {0, 2, 2}};
#endif

/* Chunks side by side pay where one tile alone has fewer sums than the latency of fma asks for. */
#define MAX_CHUNKS 4
#define SIDE_BY_SIDE(X) X(1, 1, 2) X(1, 1, 3) X(1, 1, 4) X(1, 2, 2) X(1, 2, 3) X(1, 2, 4) X(2, 1, 2) X(2, 1, 3) X(2, 1, 4)

/* Where masks cost time, whole vectors go without; and the fetching, which takes registers, has a body of its own. */
#define RUN(r, v, q, by, fetches) \
    if (MASKS_ARE_FREE || t->last_lanes < LANES) strip_body(r, v, q, by, 1, fetches, t); \
    else strip_body(r, v, q, by, 0, fetches, t);
#define DEFINE(name, r, v, q, by) \
    static void name(const Strip *t) { \
        if (by == BY_ROWS && r > 1 && q == 1 && t->fetches) { RUN(r, v, q, by, 1) } \
        else { RUN(r, v, q, by, 0) } \
    }
#define DEFINE_ROWS(r, v) DEFINE(rows_##r##_##v, r, v, 1, BY_ROWS)
#define DEFINE_COLUMNS(r, v) DEFINE(columns_##r##_##v, r, v, 1, BY_COLUMNS)
#define DEFINE_CHUNKS(r, v, q) DEFINE(rows_##r##_##v##_##q, r, v, q, BY_ROWS)
TILES(DEFINE_ROWS)
SIDE_BY_SIDE(DEFINE_CHUNKS)
TILES(DEFINE_COLUMNS)
TALL(DEFINE_COLUMNS)

typedef void (*strip_function)(const Strip *);
#define ENTRY_ROWS(r, v) [BY_ROWS][r][v][1] = rows_##r##_##v,
#define ENTRY_COLUMNS(r, v) [BY_COLUMNS][r][v][1] = columns_##r##_##v,
#define ENTRY_CHUNKS(r, v, q) [BY_ROWS][r][v][q] = rows_##r##_##v##_##q,
static const strip_function strips[2][17][9][MAX_CHUNKS + 1] = {
    TILES(ENTRY_ROWS) SIDE_BY_SIDE(ENTRY_CHUNKS) TILES(ENTRY_COLUMNS) TALL(ENTRY_COLUMNS)};

/* Which tiles have been run, for the tests to ask: written once, so that threads do not fight for the cache line. */
static char strips_run[2][17][9][MAX_CHUNKS + 1];

static inline void run_strip(int by, int rows, int vecs, int chunks, const Strip *t) {
    if (!__atomic_load_n(&strips_run[by][rows][vecs][chunks], __ATOMIC_RELAXED))
        __atomic_store_n(&strips_run[by][rows][vecs][chunks], 1, __ATOMIC_RELAXED);
    strips[by][rows][vecs][chunks](t);
}

/* OUT strips (terms, vecs * LANES), one behind the other, the last as wide as it must be: `columns` columns of b, whose lines
 * are b_row apart. */
static void copy_strips(const real *b, ptrdiff_t b_row, ptrdiff_t terms, ptrdiff_t columns, int vecs, real *strips) {
    const ptrdiff_t width = vecs * LANES, whole = columns / width, rest = columns - whole * width;
    const ptrdiff_t last_vecs = (rest + LANES - 1) / LANES;
    const lanes last = first_lanes(rest - (last_vecs - 1) * LANES);
    for (ptrdiff_t k = 0; k < terms; k++, b += b_row) {
        const real *from = b;
        real *to = strips + k * width;
        for (ptrdiff_t j = 0; LINES_AHEAD && j < columns; j += LINE) __builtin_prefetch(b + LINES_AHEAD * b_row + j, 0, 3);
        for (ptrdiff_t s = 0; s < whole; s++, from += width, to += terms * width)
            for (int v = 0; v < vecs; v++) store_vec(to + v * LANES, load_vec(from + v * LANES));
        to += k * (last_vecs * LANES - width);
        for (ptrdiff_t v = 0; v < last_vecs; v++)
            store_vec(to + v * LANES, v < last_vecs - 1 ? load_vec(from + v * LANES) : load_lanes(from + v * LANES, last));
    }
}

ALWAYS_INLINE void sum_vectors(const real *g, ptrdiff_t rows, ptrdiff_t row, real *total, const real *rate,
                               const int carries, const int masked, ptrdiff_t n) {
    const lanes last = first_lanes(n);
    vec sum = carries ? load_part(total, masked, last) : zero_vec();
    for (ptrdiff_t start = 0; start < rows; start += CHUNK) {
        vec s = zero_vec();
        for (ptrdiff_t r = start; r < rows && r < start + CHUNK; r++) s = s + load_part(g + r * row, masked, last);
        sum = sum + s;
    }
    if (rate) sum = load_part(total, masked, last) - broadcast(*rate) * sum;
    store_part(total, 0, 1, masked, last, n, &sum);
}

/* The same rule with every a = 1, for n columns of g (rows x n, `row` apart): OUT total; or, with a learning rate, the
 * biases total = total - (rate * sum); or, where it carries, total = total + the chunks of these rows. */
static void sum_rows(const real *g, ptrdiff_t rows, ptrdiff_t row, real *total, const real *rate, int carries, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j += LANES)
        if (n - j >= LANES) sum_vectors(g + j, rows, row, total + j, rate, carries, 0, LANES);
        else sum_vectors(g + j, rows, row, total + j, rate, carries, 1, n - j);
}

#endif
