# Sums of products: the one blocked loop nest behind the forward pass, both gradients and the fused update.
#
# C[i, j] = seed[j] + sum_k A[i, k] B[k, j], (m, n) from (m, terms) and (terms, n), in ascending k, in chunks of 256
# (see tile.h). The caller names the block of C that it owns, rows r0..r1 and columns c0..c1; nothing else is written.
# A is given by pointers to its lines, rows or columns, which may lie scattered; it is packed tile by tile where enough
# strips share it. B may have any strides; it is packed into strips that lie in order, a panel of them at a time, where its
# columns are not contiguous, or where enough rows share a strip to pay for the copy.
#
# In BLIS's terms: the register tile is the microkernel, MR rows (tile_rows) by NR columns (vecs * LANES); a strip of B,
# CHUNK by NR, is a micropanel, and CHUNK is KC, which the order of summation fixes; MC rows of A are a block. PANEL is NC: a
# panel of B is packed for no more than its own thread.

cdef enum:
    PAGE = 4096             # bytes
    MC = 256                # rows of A that stay in the second-level cache while the strips of B pass
    PACKED_A_BYTES = 1 << 18    # of a block of A packed tile by tile, for the same cache
    PACKING_A_TERMS = 64    # terms, and strips, from which packing is cheaper than lines that lie scattered,
    PACKING_A_STRIPS = 4    # if these are columns,
    PACKING_A_ROW_STRIPS = 64   # or rows
    STREAM_COLUMNS = 192    # columns from which two rows, or a few where lines of B are pages, are multiplied along these lines
    PANEL = 128             # columns of B that are packed at once, strip by strip: memory likes long lines
    PACKED_B_BUFFER = 256 * 128         # reals: a chunk of a panel, or of the widest strip of the widest instruction set
    PACKED_A_BUFFER = 256 * (256 + 16)  # reals: a chunk of the rows in PACKED_A_BYTES, each tile as tall as the tallest
    UPDATE_STRIP = 1024     # gradients that are computed, and stay in the first-level cache, before their update follows
    STRIPS = 256 * 128 + 256 * (256 + 16)
    BUFFER = 256 * 128 + 256 * (256 + 16) + 1024        # all three


cdef struct Product:
    Py_ssize_t terms
    const real** lines      # IN   lines are rows:    A[i, k] = lines[i][k]
    bint by_columns         #      lines are columns: A[i, k] = lines[k][i]
    const real* b           # IN   B[k, j] = b[k * b_row + j * b_col]
    Py_ssize_t b_row, b_col
    const real* seed        # IN   (n,), or NULL for +0
    real* c                 # OUT  C[i, j] = c[i * c_row + j]
    Py_ssize_t c_row
    bint carries            # whether C holds totals of terms before these, which are gone on from
    const Update* update    # or NULL: after the last chunk the parameters from flat[at] on, rows c_row apart, are updated
    Py_ssize_t at           #      with C for their gradients; C then only keeps totals between chunks


cdef inline void lines_of(const real* data, Py_ssize_t stride, Py_ssize_t n, const real** lines) noexcept nogil:
    # OUT lines (n,): pointers to the lines of an array in memory, `stride` apart.
    cdef Py_ssize_t i
    for i in range(n):
        lines[i] = data + i * stride


cdef inline bint pays_to_pack_b(Py_ssize_t rows, Py_ssize_t b_row) noexcept nogil:
    # Whether so many rows share a strip of a B whose rows are b_row apart that packing it pays.
    cdef Py_ssize_t apart = b_row * <Py_ssize_t>sizeof(real)
    return rows >= (PACKING_PAGES_ROWS if apart >= PAGE else PACKING_HALVES_ROWS if apart >= PAGE // 2 else PACKING_B_ROWS)


cdef inline bint pays_to_stream(const Product* p, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    if columns < STREAM_COLUMNS or p.b_col != 1 or p.by_columns or p.carries or p.update:
        return False
    return rows == 2 or 1 <= rows <= STREAM_ROWS and p.b_row * <Py_ssize_t>sizeof(real) >= PAGE


cdef inline Py_ssize_t vectors(Py_ssize_t n) noexcept nogil:
    return (n + LANES - 1) // LANES


cdef struct Ahead:          # how rows of inputs are asked for before they are read, while strips compute:
    bint by_tiles           # each tile of the first strip asks for the next tile's, or
    const char* data        # each strip for some lines of the next batch's
    Py_ssize_t stride, length
    const int64_t* order    # the next row's number; end is beyond the last
    const int64_t* end
    Py_ssize_t line         # the next byte of that row
    Py_ssize_t lines_at_once


cdef void fetch(Ahead* ahead) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(ahead.lines_at_once):
        if ahead.order >= ahead.end:
            return
        prefetch(ahead.data + ahead.order[0] * ahead.stride + ahead.line)
        ahead.line += 64
        if ahead.line >= ahead.length:
            ahead.line = 0
            ahead.order += 1


cdef struct Tiling:         # a strip's rows cut into tiles of equal height, or nearly: the first `taller` have one more
    Py_ssize_t tiles, height, taller


cdef inline Tiling tiling(int by, Py_ssize_t rows, int vecs) noexcept nogil:
    # A small last tile would cost as much time as a full one.
    cdef Py_ssize_t most = tile_rows[by][vecs]
    cdef Tiling t
    if rows <= 8 and rows > most and strips[by][rows][vecs][1] != NULL:
        most = rows
    t.tiles = (rows + most - 1) // most
    t.height = rows // t.tiles
    t.taller = rows - t.height * t.tiles
    return t


cdef void multiply(const Product* p, Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t c0, Py_ssize_t c1,
                   real* buffer, Ahead* ahead) noexcept nogil:
    cdef const real* lines[CHUNK]
    cdef Py_ssize_t row, rows, k, terms, column, columns, panel, in_panel
    cdef int vecs, most_vecs, chunks
    cdef bint packs_b
    cdef bint packs_a = (p.terms >= PACKING_A_TERMS and (p.by_columns or r1 - r0 >= PACKING_HALVES_ROWS)
                         and c1 - c0 >= (PACKING_A_STRIPS if p.by_columns else PACKING_A_ROW_STRIPS) * WIDE * LANES)
    cdef Py_ssize_t block = PACKED_A_BYTES // (CHUNK * <Py_ssize_t>sizeof(real)) if packs_a else MC
    if p.terms == 0:
        mark(NO_TERMS)
        for row in range(r0, r1):
            for column in range(c0, c1):
                p.c[row * p.c_row + column] = p.seed[column] if p.seed else <real>0
        return
    if 0 < c1 - c0 <= MOST_NARROW and r1 - r0 >= max(2, LANES // 2) and not (p.by_columns or p.carries or p.update):
        mark(NARROW)
        narrow(p.lines + r0, r1 - r0, p.terms, p.b + c0 * p.b_col, p.b_row, p.b_col, p.seed + c0 if p.seed else NULL, c1 - c0,
               p.c + r0 * p.c_row + c0, p.c_row)
        return
    if pays_to_stream(p, r1 - r0, c1 - c0):
        mark(STREAMED)
        stream(r1 - r0, p.lines + r0, p.terms, p.b + c0, p.b_row, p.seed + c0 if p.seed else NULL, c1 - c0,
               p.c + r0 * p.c_row + c0, p.c_row)
        return
    for row from r0 <= row < r1 by block:
        rows = min(block, r1 - row)
        mark(FIRST_ROW_BLOCK if row == r0 else LATER_ROW_BLOCK)
        most_vecs = widest_tile(rows)
        packs_b = p.b_col != 1 or (pays_to_pack_b(rows, p.b_row) and p.b_row > most_vecs * LANES)
        panel = PANEL // (most_vecs * LANES) * (most_vecs * LANES)
        mark(B_IN_PLACE if not packs_b else B_PACKED if p.b_col == 1 else B_TRANSPOSED)
        k = 0
        while k < p.terms:
            terms = min(CHUNK, p.terms - k)
            chunks = 1
            if rows <= 2 and c1 - c0 <= 2 * LANES and p.b_col == 1 and not p.by_columns:
                chunks = chunks_side_by_side(rows, vectors(c1 - c0), p.terms - k)
            if packs_a:
                pack_a(p, row, rows, k, terms, most_vecs, buffer + PACKED_B_BUFFER, lines)
            column = c0
            while column < c1:
                if ahead != NULL:
                    fetch(ahead)
                columns = min(most_vecs * LANES, c1 - column)
                vecs = <int>vectors(columns)
                in_panel = (column - c0) % panel
                if packs_b and in_panel == 0:
                    pack_b(p, k, terms, column, min(panel, c1 - column), most_vecs, buffer)
                multiply_strip(p, row, rows, k, terms, chunks, column, columns, vecs, packs_b, in_panel, buffer,
                               lines if packs_a and vecs == most_vecs else NULL,
                               column == c0 and ahead != NULL and ahead.by_tiles)
                column += columns
            k += terms * chunks


cdef void pack_a(const Product* p, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t k, Py_ssize_t terms, int vecs,
                 real* copy, const real** lines) noexcept nogil:
    # OUT copy (tiles, terms, width): what each tile of a strip of `vecs` vectors reads of A; lines (terms,) point to the
    # columns of the first tile, and each next tile lies terms * width on.
    cdef Tiling t = tiling(BY_COLUMNS, rows, vecs)
    cdef Py_ssize_t tile, term, i, height, width = t.height + (t.taller > 0)
    cdef const real* line
    mark(A_PACKED_BY_COLUMNS if p.by_columns else A_PACKED_BY_ROWS)
    lines_of(copy, width, terms, lines)
    for tile in range(t.tiles):
        height = t.height + (tile < t.taller)
        if p.by_columns:
            for term in range(terms):
                line = p.lines[k + term] + row
                for i in range(height):
                    copy[term * width + i] = line[i]
        else:
            for i in range(height):
                line = p.lines[row + i] + k
                for term in range(terms):
                    copy[term * width + i] = line[term]
        copy += terms * width
        row += height


cdef inline int widest_tile(Py_ssize_t rows) noexcept nogil:
    # The most vectors a tile may be wide with this many rows in it.
    cdef int vecs
    if rows <= 6:
        for vecs in range(MAX_VECS, WIDE, -1):
            if strips[BY_ROWS][rows][vecs][1] != NULL:
                return vecs
    return WIDE


cdef inline int chunks_side_by_side(Py_ssize_t rows, Py_ssize_t vecs, Py_ssize_t terms) noexcept nogil:
    cdef int chunks = <int>min(<Py_ssize_t>MAX_CHUNKS, terms // CHUNK)
    if chunks > 1 and strips[BY_ROWS][rows][vecs][chunks] != NULL:
        return chunks
    return 1


cdef void multiply_strip(const Product* p, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t k, Py_ssize_t terms,
                         int chunks, Py_ssize_t column, Py_ssize_t columns, int vecs, bint packed_b, Py_ssize_t in_panel,
                         real* buffer, const real** packed_a, bint fetches) noexcept nogil:
    cdef int by = BY_COLUMNS if p.by_columns or packed_a != NULL else BY_ROWS
    cdef Tiling t = tiling(by, rows, vecs)
    cdef Strip s
    cdef Py_ssize_t width = t.height + (t.taller > 0)
    cdef bint first = k == 0, final = k + terms * chunks == p.terms
    s.terms = terms
    s.fetches = fetches and by == BY_ROWS and chunks == 1 and t.height > 1
    if s.fetches:
        mark(NEXT_ROWS_FETCHED)
    if packed_a != NULL:
        s.lines, s.offset = packed_a, 0
    elif p.by_columns:
        s.lines, s.offset = p.lines + k, row
    else:
        s.lines, s.offset = p.lines + row, k
    if packed_b:
        s.b, s.b_row = buffer + in_panel * terms, vecs * LANES
    else:
        s.b, s.b_row = p.b + k * p.b_row + column, p.b_row
    mark(FULL_VECTOR if columns == vecs * LANES else PARTIAL_VECTOR)
    mark(FIRST_CHUNK if first else TOTALS_CARRIED)
    s.last_lanes = columns - (vecs - 1) * LANES
    s.last = first_lanes(s.last_lanes)
    s.seed = p.seed + column if p.seed else NULL
    s.c_row = s.carried_row = p.c_row
    s.c = p.c + row * p.c_row + column
    s.carried = NULL if first and not p.carries else s.c
    s.rate = NULL
    if p.update == NULL or not final:
        run_tiles(&s, by, t, vecs, chunks, width, packed_a != NULL)
        return
    mark(UPDATE_OF_ONE_CHUNK if first else UPDATE_OF_CARRIED_TOTALS)
    if p.update.fused:
        s.c = p.update.parameters + p.at + row * p.c_row + column
        s.rate = p.update.numbers
        run_tiles(&s, by, t, vecs, chunks, width, packed_a != NULL)
    else:
        mark(UPDATE_OF_STRIPS)
        update_by_strips(p, &s, by, t, vecs, chunks, width, packed_a != NULL, row, column, columns, buffer + STRIPS)


cdef inline void run_tiles(Strip* s, int by, Tiling t, int vecs, int chunks, Py_ssize_t width, bint packed_a) noexcept nogil:
    # The tiles of a strip, the taller ones first. width: of a line of a tile of A that was packed.
    if t.taller:
        s.tiles = t.taller
        s.tile_step = width * s.terms if packed_a else t.height + 1
        run_strip(by, <int>t.height + 1, vecs, chunks, s)
        advance(s, by, t.height + 1)
    s.tiles = t.tiles - t.taller
    s.tile_step = width * s.terms if packed_a else t.height
    run_strip(by, <int>t.height, vecs, chunks, s)


cdef void update_by_strips(const Product* p, Strip* s, int by, Tiling t, int vecs, int chunks, Py_ssize_t width, bint packed_a,
                           Py_ssize_t row, Py_ssize_t column, Py_ssize_t columns, real* gradients) noexcept nogil:
    # As run_tiles, a few tiles at a time: their totals go to gradients (rows, columns), and the update follows at once.
    cdef Py_ssize_t tiles, height, group, n
    cdef int part
    s.c_row = columns
    for part in range(2):
        height = t.height + 1 if part == 0 else t.height
        tiles = t.taller if part == 0 else t.tiles - t.taller
        group = max(<Py_ssize_t>1, UPDATE_STRIP // (height * columns))
        s.tile_step = width * s.terms if packed_a else height
        while tiles > 0:
            n = min(group, tiles)
            s.tiles, s.c = n, gradients
            prefetch_block(p.update, p.at + row * p.c_row + column, n * height, columns, p.c_row)
            run_strip(by, <int>height, vecs, chunks, s)
            p.update.rule(p.update, p.update.lines, p.at + row * p.c_row + column, n * height, columns, p.c_row, gradients)
            advance(s, by, height)
            row += n * height
            tiles -= n


cdef inline void advance(Strip* s, int by, Py_ssize_t height) noexcept nogil:
    # Beyond the tiles of this height.
    cdef Py_ssize_t rows = s.tiles * height
    if by == BY_ROWS:
        s.lines += rows
    else:
        s.offset += s.tiles * s.tile_step
    s.c += rows * s.c_row
    if s.carried:
        s.carried += rows * s.carried_row


cdef void pack_b(const Product* p, Py_ssize_t k, Py_ssize_t terms, Py_ssize_t column, Py_ssize_t columns,
               int most_vecs, real* strip) noexcept nogil:
    # OUT strips (terms, width), one behind the other: strip[t, j] = B[k + t, column + j]; columns beyond the last are never
    # stored, whatever they hold.
    cdef Py_ssize_t t, j, n, width
    cdef const real* b = p.b + k * p.b_row + column * p.b_col
    if p.b_col == 1:
        copy_strips(b, p.b_row, terms, columns, most_vecs, strip)
        return
    while columns > 0:
        n = min(columns, most_vecs * LANES)
        width = vectors(n) * LANES
        if p.b_row == 1:
            transpose(b, p.b_col, n, terms, strip, width)
        else:
            for t in range(terms):
                for j in range(n):
                    strip[t * width + j] = b[t * p.b_row + j * p.b_col]
        b += n * p.b_col
        strip += terms * width
        columns -= n
