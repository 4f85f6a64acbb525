"""The register tile: the inner loop of every sum of products, written as LLVM instructions on whole vectors.

A strip is a column of tiles, rows x (vecs * lanes) outputs each, that share b. For each of its outputs
    s = +0;  for k in 0 .. terms-1: s = fma(a[i, k], b[k, j], s);  total = start[i, j] + s
with s in a register from first to last; then c = total, or, where it updates, c = c - (rate * total). Each shape of tile
is a function of its own, since only there LLVM keeps all sums in registers; a strip switches to the one it needs.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .target import REGISTERS, VECTOR_BYTES
from .vectors import BOOL, INT, Vectors

CHUNK = 256  # terms that are summed on their own before they join the total
VECS = (8, 4, 2, 1)
WIDE = 4 if REGISTERS == 32 else 2  # vectors of a strip of a large matrix
TALLEST = 10


def most_rows(vecs):
    """The rows of a tile so many vectors wide whose sums the registers hold beside b and one element of a."""
    return max(1, min(TALLEST, (REGISTERS - 1 - vecs) // vecs))


@intrinsic
def lanes(typingctx, p):
    """How many of the numbers that p points to are in a vector."""
    count = VECTOR_BYTES * 8 // p.dtype.bitwidth
    return types.int64(p), lambda context, builder, signature, values: INT(count)


def strip(by_columns):
    """The intrinsic that runs `tiles` tiles of one shape, one below the other.

    lines: addresses of a's rows, a[i, k] = lines[i][offset + k], or by columns, a[i, k] = lines[k][offset + i].
    b[k * b_row + j]. last: the lanes of the last vector of a row. start[i * start_row + j], c[i * c_row + j].
    """

    @intrinsic
    def run(typingctx, rows, vecs, tiles, terms, lines, offset, b, b_row, last, start, start_row, c, c_row, updates, rate):
        n = types.int64
        signature = types.void(n, n, n, n, types.CPointer(n), n, b, n, n, b, n, b, n, types.boolean, b.dtype)

        def generate(context, builder, signature, values):
            rows, vecs, *rest = values
            number = ir.FloatType() if b.dtype == types.float32 else ir.DoubleType()
            after = builder.append_basic_block("after")
            switch = builder.switch(builder.add(builder.mul(rows, INT(16)), vecs), after)
            for n_vecs in VECS:
                for n_rows in range(1, most_rows(n_vecs) + 1):
                    with builder.goto_block(builder.append_basic_block(f"tile {n_rows}x{n_vecs}")):
                        builder.call(Tile(builder.module, number, n_rows, n_vecs, by_columns).function, rest)
                        builder.branch(after)
                        switch.add_case(INT(n_rows * 16 + n_vecs), builder.block)
            builder.position_at_end(after)
            return context.get_dummy_value()

        return signature, generate

    return run


class Tile(Vectors):
    """The LLVM function of one shape."""

    def __init__(self, module, number, rows, vecs, by_columns):
        self.rows, self.vecs, self.by_columns = rows, vecs, by_columns
        p = number.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [INT, INT, INT.as_pointer(), INT, p, INT, INT, p, INT, p, INT, BOOL, number])
        self.function = ir.Function(module, kind, f"tile_{rows}x{vecs}_{'columns' if by_columns else 'rows'}_{number}")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        super().__init__(ir.IRBuilder(self.function.append_basic_block("entry")), number)
        (self.tiles, self.terms, self.lines, self.offset, self.b, self.b_row, self.last, self.start, self.start_row,
         self.c, self.c_row, self.updates, self.rate) = self.function.args  # fmt: skip
        self.write()

    def write(self):
        builder = self.builder
        self.mask = self.first_lanes(self.last)
        whole = builder.icmp_signed("==", self.last, INT(self.lanes))
        rate = self.broadcast(self.rate)
        with cgutils.for_range(builder, self.tiles) as loop:
            row = builder.mul(loop.index, INT(self.rows))
            sums = self.sums(row)
            for updates in (True, False):
                for masked in (None, self.mask):
                    condition = builder.and_(builder.icmp_signed("==", self.updates, BOOL(updates)),
                                             builder.icmp_signed("==", whole, BOOL(masked is None)))  # fmt: skip
                    with builder.if_then(condition):
                        self.finish(row, sums, masked, rate if updates else None)
        builder.ret_void()

    def sums(self, row):
        """The sums of one tile that begins at this row: a loop over all terms but the last, which alone must not read
        beyond the end of its row of b."""
        builder = self.builder
        a = None if self.by_columns else [self.line(builder.add(row, INT(i)), self.offset) for i in range(self.rows)]
        column = builder.add(self.offset, row)
        last_term = builder.sub(self.terms, INT(1))
        before = builder.block
        head, body, after = (builder.append_basic_block(name) for name in ("terms", "term", "last_term"))
        builder.branch(head)
        builder.position_at_end(head)
        k, b = builder.phi(INT), builder.phi(self.b.type)
        sums = [builder.phi(self.vector) for _ in range(self.rows * self.vecs)]
        k.add_incoming(INT(0), before)
        b.add_incoming(self.b, before)
        for s in sums:
            s.add_incoming(ir.Constant(self.vector, None), before)
        builder.cbranch(builder.icmp_signed("<", k, last_term), body, after)
        builder.position_at_end(body)
        for s, new in zip(sums, self.term(a, column, k, b, sums, None)):
            s.add_incoming(new, body)
        k.add_incoming(builder.add(k, INT(1)), body)
        b.add_incoming(builder.gep(b, [self.b_row]), body)
        builder.branch(head)
        builder.position_at_end(after)
        return self.term(a, column, k, b, sums, self.mask)

    def term(self, a, column, k, b, sums, mask):
        """The sums with the k-th term added."""
        builder = self.builder
        if self.by_columns:
            line = self.line(k, column)
            elements = [builder.gep(line, [INT(i)]) for i in range(self.rows)]
        else:
            elements = [builder.gep(line, [k]) for line in a]
        b_vecs = [self.load(builder.gep(b, [INT(v * self.lanes)]), mask if v == self.vecs - 1 else None)
                  for v in range(self.vecs)]  # fmt: skip
        new = []
        for i, element in enumerate(elements):
            element = self.broadcast(builder.load(element))
            new += [self.fma(element, b_vecs[v], sums[i * self.vecs + v]) for v in range(self.vecs)]
        return new

    def finish(self, row, sums, mask, rate):
        """total = start + s to c, or into the update; mask: of the last vector, None for all lanes."""
        builder = self.builder
        for i in range(self.rows):
            line = builder.add(row, INT(i))
            start = builder.gep(self.start, [builder.mul(line, self.start_row)])
            c = builder.gep(self.c, [builder.mul(line, self.c_row)])
            for v in range(self.vecs):
                at, edge = INT(v * self.lanes), mask if v == self.vecs - 1 else None
                target = builder.gep(c, [at])
                total = builder.fadd(self.load(builder.gep(start, [at]), edge), sums[i * self.vecs + v])
                if rate is not None:
                    total = builder.fsub(self.load(target, edge), builder.fmul(rate, total))
                self.store(total, target, edge)

    def line(self, i, offset):
        builder = self.builder
        start = builder.inttoptr(builder.load(builder.gep(self.lines, [i])), self.number.as_pointer())
        return builder.gep(start, [offset])


tiles_by_rows = strip(by_columns=False)
tiles_by_columns = strip(by_columns=True)
