# The ways that kernels may go, by shape and argument. Each says so once when it is taken, and the tests ask: a branch
# that no test takes is a failure. Those of activations, losses and update rules are added by their tables.

cdef enum Branch:
    NO_TERMS, FIRST_ROW_BLOCK, LATER_ROW_BLOCK, FIRST_CHUNK, TOTALS_CARRIED, UPDATE_OF_ONE_CHUNK
    UPDATE_OF_CARRIED_TOTALS, PARTIAL_VECTOR, FULL_VECTOR, B_TRANSPOSED, B_PACKED, B_IN_PLACE, A_PACKED_BY_COLUMNS, A_PACKED_BY_ROWS
    ROWS_IN_PLACE, SHUFFLED_ROWS, PIXELS, SHUFFLED_PIXELS, LABELS, TARGETS, ONE_OUTPUT, ONE_THREAD, TEAM
    ROWS_TO_EACH_THREAD, ONE_BLOCK, BLOCKS_OF_ROWS, SHORT_LAST_BATCH, FORWARD_BY_COLUMNS, FORWARD_BY_ROWS
    BACKWARD_BY_COLUMNS, BACKWARD_BY_ROWS, UPDATE_BY_COLUMNS, UPDATE_BY_ROWS, NEXT_ROWS_FETCHED, UPDATE_OF_STRIPS
    CLIPPED_BY_NORM, PENALTIES, INPUTS_DROPPED, UNITS_DROPPED, SCALED_ROWS, WEIGHTED_ROWS, SMOOTHED_TARGETS, STREAMED, NARROW

cdef list branch_names = [
    "no terms", "first row block", "later row block", "first chunk", "totals carried", "update of one chunk",
    "update of carried totals", "partial vector", "full vector", "B transposed", "B packed", "B in place", "A packed by columns",
    "A packed by rows", "rows in place", "shuffled rows", "pixels", "shuffled pixels", "labels", "targets", "one output",
    "one thread", "team", "rows to each thread", "one block", "blocks of rows", "short last batch",
    "forward by columns", "forward by rows", "backward by columns", "backward by rows", "update by columns",
    "update by rows", "next rows fetched", "update of strips", "clipped by norm", "penalties", "inputs dropped", "units dropped",
    "scaled rows", "weighted rows", "smoothed targets", "streamed", "narrow",
]


cdef int new_branch(name) except -1:
    assert len(branch_names) < <int>sizeof(taken)
    branch_names.append(name)
    return len(branch_names) - 1


def branches():
    """Every branch of these kernels by name, register tiles included."""
    return {*branch_names, *(name for name, _ in tiles())}


def branches_taken():
    """The names of the branches taken since the last call."""
    names = {name for name, run in tiles() if run} | {name for i, name in enumerate(branch_names) if taken[i]}
    memset(taken, 0, sizeof(taken))
    memset(strips_run, 0, sizeof(strips_run))
    return names


cdef list tiles():
    # (name, whether it has been run) for each tile.
    cdef int by, rows, vecs, chunks
    found = []
    for by in range(2):
        for rows in range(17):
            for vecs in range(9):
                for chunks in range(5):
                    if strips[by][rows][vecs][chunks] != NULL:
                        name = f"tile {rows}x{vecs}{' by columns' if by == BY_COLUMNS else ''}"
                        found.append((name + (f" with {chunks} chunks" if chunks > 1 else ""),
                                      strips_run[by][rows][vecs][chunks] != 0))
    return found
