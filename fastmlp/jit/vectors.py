"""LLVM instructions on whole vectors: what tile.py, updates.py and norms.py write their inner loops with."""

from llvmlite import ir
from numba.core import cgutils

from .target import VECTOR_BYTES

INT, INT32, BOOL = ir.IntType(64), ir.IntType(32), ir.IntType(1)


class Vectors:
    """Writes, through an llvmlite builder, instructions on vectors of one type of number, as long as the processor's by default.

    A mask says which lanes are there: None for all of them.
    """

    def __init__(self, builder, number, lanes=None):
        self.builder, self.number = builder, number
        self.itemsize = 4 if number == ir.FloatType() else 8
        self.lanes = lanes or VECTOR_BYTES // self.itemsize
        self.vector = ir.VectorType(number, self.lanes)
        self.name = f"v{self.lanes}{'f32' if number == ir.FloatType() else 'f64'}"

    def first_lanes(self, count):
        """The mask of the first `count` lanes."""
        lane_numbers = ir.Constant(ir.VectorType(INT32, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", lane_numbers, self.broadcast(self.builder.trunc(count, INT32)))

    def constant(self, value):
        return ir.Constant(self.vector, [value] * self.lanes)

    def broadcast(self, value):
        builder = self.builder
        vector = ir.VectorType(value.type, self.lanes)
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, INT32(0))
        zeros = ir.Constant(ir.VectorType(INT32, self.lanes), None)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

    def fma(self, a, b, c):
        return self.call("fma", self.vector, [a, b, c])

    def load(self, p, mask=None):
        p = self.builder.bitcast(p, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(p, align=self.itemsize)
        align = INT32(self.itemsize)
        return self.call("masked.load", self.vector, [p, align, mask, ir.Constant(self.vector, None)], pointed=True)

    def store(self, value, p, mask=None):
        p = self.builder.bitcast(p, self.vector.as_pointer())
        if mask is None:
            return self.builder.store(value, p, align=self.itemsize)
        return self.call("masked.store", ir.VoidType(), [value, p, INT32(self.itemsize), mask], pointed=True)

    def call(self, name, result, arguments, pointed=False):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.{name}.{self.name}" + (".p0" if pointed else "")
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)
