"""The vector emitter: writes one kernel in LLVM IR, in terms of vectors of the target.

A kernel is a function ``void kernel(int64* args, int64 rows)``. Its operands, addresses and sizes,
are in `args`; a program (`tinygrad_ugan.kernels.program`) fills them in. All kernels have this one
signature, so that a program is a table of numbers.

`Value` has Python's operators, so that the arithmetic of a kernel reads like arithmetic; loops are
``with`` blocks, and a quantity that changes in a loop is a `Variable`, which LLVM keeps in a
register.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import DTypeLike

from tinygrad_ugan.kernels.target import Target

I8, I32, I64 = (ir.IntType(bits) for bits in (8, 32, 64))
Number = int | float


class Value:
    """A scalar, vector, mask or address under construction."""

    __slots__ = ("emitter", "ir")

    def __init__(self, emitter: Emitter, value: Any) -> None:
        self.emitter = emitter
        self.ir = value

    @property
    def is_integer(self) -> bool:
        """Whether this holds integers, and not floating-point numbers."""
        kind = getattr(self.ir.type, "element", self.ir.type)
        return isinstance(kind, ir.IntType)

    def _binary(self, other: Value | Number, integer: str, real: str) -> Value:
        build = getattr(self.emitter.builder, integer if self.is_integer else real)
        return Value(self.emitter, build(self.ir, self.emitter.like(other, self).ir))

    def _compare(self, relation: str, other: Value | Number) -> Value:
        builder = self.emitter.builder
        build = builder.icmp_signed if self.is_integer else builder.fcmp_ordered
        return Value(self.emitter, build(relation, self.ir, self.emitter.like(other, self).ir))

    def __add__(self, other: Value | Number) -> Value:
        return self._binary(other, "add", "fadd")

    def __sub__(self, other: Value | Number) -> Value:
        return self._binary(other, "sub", "fsub")

    def __mul__(self, other: Value | Number) -> Value:
        return self._binary(other, "mul", "fmul")

    def __truediv__(self, other: Value | Number) -> Value:
        return self._binary(other, "sdiv", "fdiv")

    def __and__(self, other: Value | Number) -> Value:
        return self._binary(other, "and_", "")

    def __or__(self, other: Value | Number) -> Value:
        return self._binary(other, "or_", "")

    def __xor__(self, other: Value | Number) -> Value:
        return self._binary(other, "xor", "")

    def __lshift__(self, other: Value | Number) -> Value:
        return self._binary(other, "shl", "")

    def __rshift__(self, other: Value | Number) -> Value:
        return self._binary(other, "ashr", "")

    def __radd__(self, other: Number) -> Value:
        return self + other

    def __rmul__(self, other: Number) -> Value:
        return self * other

    def __rsub__(self, other: Number) -> Value:
        return self.emitter.like(other, self) - self

    def __rtruediv__(self, other: Number) -> Value:
        return self.emitter.like(other, self) / self

    def __neg__(self) -> Value:
        builder = self.emitter.builder
        return Value(self.emitter, (builder.neg if self.is_integer else builder.fneg)(self.ir))

    def __invert__(self) -> Value:
        return Value(self.emitter, self.emitter.builder.not_(self.ir))

    def __lt__(self, other: Value | Number) -> Value:
        return self._compare("<", other)

    def __le__(self, other: Value | Number) -> Value:
        return self._compare("<=", other)

    def __gt__(self, other: Value | Number) -> Value:
        return self._compare(">", other)

    def __ge__(self, other: Value | Number) -> Value:
        return self._compare(">=", other)


class Variable:
    """A quantity that changes from one iteration of a loop to the next."""

    __slots__ = ("emitter", "slot")

    def __init__(self, emitter: Emitter, value: Value) -> None:
        self.emitter = emitter
        with emitter.builder.goto_entry_block():
            self.slot = emitter.builder.alloca(value.ir.type)
        self.set(value)

    def get(self) -> Value:
        """The current value."""
        return Value(self.emitter, self.emitter.builder.load(self.slot))

    def set(self, value: Value) -> None:
        """Assign a new value."""
        self.emitter.builder.store(value.ir, self.slot)


class Emitter:
    """Writes the body of one kernel.

    Parameters
    ----------
    name : str
        Name of the function.
    target : Target
    dtype : dtype
        float32 or float64: the type of all floating-point numbers in the kernel.
    module : llvmlite.ir.Module, optional
        The module that gets the function, if it is to have several.
    """

    def __init__(
        self, name: str, target: Target, dtype: DTypeLike, module: ir.Module | None = None
    ) -> None:
        self.target = target
        self.dtype = np.dtype(dtype)
        self.single = self.dtype == np.float32
        self.lanes = target.lanes(dtype)
        self.scalar = ir.FloatType() if self.single else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.bits = ir.VectorType(ir.IntType(8 * self.dtype.itemsize), self.lanes)
        self.module = ir.Module(name) if module is None else module
        self.module.triple = llvm.get_process_triple()
        signature = ir.FunctionType(ir.VoidType(), [I64.as_pointer(), I64])
        self.function = ir.Function(self.module, signature, name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self._next_argument = 0
        self._constants: dict[str, Value] = {}  # their text is long, and LLVM IR's writer keeps it

    def finish(self) -> ir.Module:
        """End the function; return its module."""
        self.builder.ret_void()
        return self.module

    # Arguments

    @property
    def rows(self) -> Value:
        """The second argument: the number of rows, or of elements, to process in this call."""
        return Value(self, self.function.args[1])

    def integer(self) -> Value:
        """The next of `args`, as an integer."""
        place = self.builder.gep(self.function.args[0], [ir.Constant(I64, self._next_argument)])
        self._next_argument += 1
        return Value(self, self.builder.load(place))

    def pointer(self) -> Value:
        """The next of `args`, as the address of numbers of the kernel's dtype."""
        return self.address(self.integer(), self.scalar)

    def address(self, x: Value, kind: ir.Type) -> Value:
        """An integer as the address of elements of some type."""
        return Value(self, self.builder.inttoptr(x.ir, kind.as_pointer()))

    def dereferenced_integer(self) -> Value:
        """The integer stored at the address in the next of `args`."""
        place = self.builder.inttoptr(self.integer().ir, I64.as_pointer())
        return Value(self, self.builder.load(place))

    def dereferenced(self) -> Value:
        """The address stored at the address in the next of `args`."""
        return self.address(self.dereferenced_integer(), self.scalar)

    # Constants

    def index(self, i: int) -> Value:
        """An integer constant."""
        return Value(self, ir.Constant(I64, i))

    def constant(self, x: float) -> Value:
        """The vector with all elements equal to a number."""
        key = repr(x)  # 0.0 == -0.0
        if key not in self._constants:
            self._constants[key] = Value(self, ir.Constant(self.vector, [x] * self.lanes))
        return self._constants[key]

    def zero(self) -> Value:
        """The vector of zeros."""
        return self.constant(0.0)

    def like(self, x: Value | Number, example: Value) -> Value:
        """Make a Python number a constant of an example's type; a `Value` stays as it is."""
        if isinstance(x, Value):
            return x
        kind = example.ir.type
        if kind == self.vector:
            return self.constant(x)
        if isinstance(kind, ir.VectorType):
            return Value(self, ir.Constant(kind, [x] * kind.count))
        return Value(self, ir.Constant(kind, x))

    def alike(self, x: Value | Number, y: Value | Number) -> tuple[Value, Value]:
        """Make a Python number a constant of the other's type, and vectors of two numbers."""
        example = next((v for v in (x, y) if isinstance(v, Value)), self.zero())
        return self.like(x, example), self.like(y, example)

    # Memory

    def at(self, base: Value, offset: Value | int) -> Value:
        """The address `offset` elements after `base`."""
        offset = self.like(offset, self.index(0))
        return Value(self, self.builder.gep(base.ir, [offset.ir]))

    def load(self, base: Value, offset: Value | int = 0, mask: Value | None = None) -> Value:
        """Load a vector; the address need not be aligned.

        Where a mask does not hold there are zeros, and memory is not touched.
        """
        kind, align = self._vector_at(base)
        place = self.builder.bitcast(self.at(base, offset).ir, kind.as_pointer())
        if mask is None:
            return Value(self, self.builder.load(place, align=align))
        operands = [place, I32(align), mask.ir, ir.Constant(kind, None)]
        return self._masked("load", kind, kind, operands)

    def store(
        self, value: Value, base: Value, offset: Value | int = 0, mask: Value | None = None
    ) -> None:
        """Store a vector, or its elements where a mask holds; the address need not be aligned."""
        kind, align = self._vector_at(base)
        place = self.builder.bitcast(self.at(base, offset).ir, kind.as_pointer())
        if mask is None:
            self.builder.store(value.ir, place, align=align)
        else:
            self._masked("store", ir.VoidType(), kind, [value.ir, place, I32(align), mask.ir])

    def _vector_at(self, base: Value) -> tuple[ir.VectorType, int]:
        """The type of vectors at an address, and the bytes of their elements."""
        kind = base.ir.type.pointee
        size = kind.width // 8 if isinstance(kind, ir.IntType) else self.dtype.itemsize
        return ir.VectorType(kind, self.lanes), size

    def _masked(
        self, what: str, result: ir.Type, kind: ir.VectorType, operands: list[Any]
    ) -> Value:
        name = f"llvm.masked.{what}.v{self.lanes}{kind.element.intrinsic_name}.p0"
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(result, [x.type for x in operands]), name
        )
        return Value(self, self.builder.call(function, operands))

    def load_scalar(self, base: Value, offset: Value | int = 0) -> Value:
        """Load one element."""
        return Value(self, self.builder.load(self.at(base, offset).ir))

    def store_scalar(self, value: Value, base: Value, offset: Value | int = 0) -> None:
        """Store one element."""
        self.builder.store(value.ir, self.at(base, offset).ir)

    def scratch(self, size: int) -> Value:
        """The address of memory for so many numbers, in the frame of the function."""
        with self.builder.goto_entry_block():
            slot = self.builder.alloca(ir.ArrayType(self.scalar, size))
            slot.align = 64
            return Value(self, self.builder.bitcast(slot, self.scalar.as_pointer()))

    def table(self, values: Sequence[Value]) -> Value:
        """The address of a copy of some values of one type, to load them by number."""
        with self.builder.goto_entry_block():
            slot = self.builder.alloca(ir.ArrayType(values[0].ir.type, len(values)))
            base = Value(self, self.builder.bitcast(slot, values[0].ir.type.as_pointer()))
        for i, x in enumerate(values):
            self.store_scalar(x, base, i)
        return base

    def prefetch(self, base: Value, offset: Value | int = 0) -> None:
        """Prefetch the cache line of an element that will be read soon."""
        byte = I8.as_pointer()
        prefetch = self.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        )
        place = self.builder.bitcast(self.at(base, offset).ir, byte)
        self.builder.call(prefetch, [place, I32(0), I32(3), I32(1)])

    # Vectors

    def broadcast(self, scalar: Value) -> Value:
        """The vector with all elements equal to `scalar`."""
        undefined = ir.Constant(ir.VectorType(scalar.ir.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar.ir, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), None)
        return Value(self, self.builder.shuffle_vector(first, undefined, zeros))

    def lane_numbers(self) -> Value:
        """The vector 0, 1, 2, ... of 64-bit integers."""
        kind = ir.VectorType(I64, self.lanes)
        return Value(self, ir.Constant(kind, list(range(self.lanes))))

    def first_lanes(self, count: Value | int) -> Value:
        """The mask that holds in the first lanes of a vector."""
        if isinstance(count, Value):
            return self.lane_numbers() < self.broadcast(count)
        kind = ir.VectorType(ir.IntType(1), self.lanes)
        return Value(self, ir.Constant(kind, [int(i < count) for i in range(self.lanes)]))

    def shuffle(self, x: Value, y: Value, positions: list[int]) -> Value:
        """The elements at some positions of x and y, concatenated."""
        key = repr(positions)
        if key not in self._constants:
            mask = ir.Constant(ir.VectorType(I32, len(positions)), positions)
            self._constants[key] = Value(self, mask)
        return Value(self, self.builder.shuffle_vector(x.ir, y.ir, self._constants[key].ir))

    def element(self, x: Value, i: int) -> Value:
        """One element of a vector."""
        return Value(self, self.builder.extract_element(x.ir, I32(i)))

    def fma(self, x: Value | Number, y: Value | Number, z: Value | Number) -> Value:
        """``x y + z``, rounded once; but twice where the processor cannot."""
        example = next(v for v in (x, y, z) if isinstance(v, Value))
        x, y, z = (self.like(v, example) for v in (x, y, z))
        return self._intrinsic("llvm.fma", x, y, z) if self.target.has_fma else x * y + z

    def where(self, mask: Value, x: Value | Number, y: Value | Number) -> Value:
        """`x` where the mask holds, and `y` elsewhere."""
        x, y = self.alike(x, y)
        return Value(self, self.builder.select(mask.ir, x.ir, y.ir))

    def equal(self, x: Value | Number, y: Value | Number) -> Value:
        """The mask of equal elements, of numbers or of masks."""
        x, y = self.alike(x, y)
        build = self.builder.icmp_signed if x.is_integer else self.builder.fcmp_ordered
        return Value(self, build("==", x.ir, y.ir))

    def not_equal(self, x: Value | Number, y: Value | Number) -> Value:
        """The mask of different elements, of numbers or of masks; NaN is different from NaN."""
        x, y = self.alike(x, y)
        build = self.builder.icmp_signed if x.is_integer else self.builder.fcmp_unordered
        return Value(self, build("!=", x.ir, y.ir))

    def maximum(self, x: Value, y: Value | Number) -> Value:
        """The larger of two; `x` if that is NaN."""
        return self.where(x < y, y, x)

    def minimum(self, x: Value, y: Value | Number) -> Value:
        """The smaller of two; `x` if that is NaN."""
        return self.where(x > y, y, x)

    def extreme(self, which: str, x: Value, y: Value) -> Value:
        """The "maximum" or "minimum" of two, either zero of 0 and -0; NaN if either is."""
        return self._intrinsic(f"llvm.{which}", x, y, flags=("nsz",))

    def absolute(self, x: Value) -> Value:
        """The absolute value."""
        return self._intrinsic("llvm.fabs", x)

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        """The first argument with the sign of the second."""
        return self._intrinsic("llvm.copysign", magnitude, sign)

    def sqrt(self, x: Value) -> Value:
        """The square root, correctly rounded."""
        return self._intrinsic("llvm.sqrt", x)

    def round(self, x: Value) -> Value:
        """The nearest whole number, ties to even."""
        return self._intrinsic("llvm.rint", x)

    def floor(self, x: Value) -> Value:
        """The largest whole number that is not above."""
        return self._intrinsic("llvm.floor", x)

    def ceil(self, x: Value) -> Value:
        """The smallest whole number that is not below."""
        return self._intrinsic("llvm.ceil", x)

    def trunc(self, x: Value) -> Value:
        """The next whole number on the side of 0."""
        return self._intrinsic("llvm.trunc", x)

    def to_bits(self, x: Value) -> Value:
        """The bits of floating-point numbers, as integers."""
        return Value(self, self.builder.bitcast(x.ir, self.bits))

    def from_bits(self, x: Value) -> Value:
        """The floating-point numbers with these bits."""
        return Value(self, self.builder.bitcast(x.ir, self.vector))

    def truncated(self, x: Value) -> Value:
        """The low bits of 64-bit integers, as many as a floating-point number has."""
        return Value(self, x.ir if x.ir.type == self.bits else self.builder.trunc(x.ir, self.bits))

    def from_integers(self, x: Value) -> Value:
        """Convert integers to floating-point numbers."""
        return Value(self, self.builder.sitofp(x.ir, self.vector))

    def any(self, mask: Value) -> Value:
        """Whether a mask holds anywhere."""
        bits = self.builder.bitcast(mask.ir, ir.IntType(self.lanes))
        return Value(self, self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0)))

    def sum(self, x: Value) -> Value:
        """The sum of a vector's elements, adding halves: log2(lanes) additions in a fixed order."""
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            halves = [self.shuffle(x, x, list(range(s, s + lanes))) for s in (0, lanes)]
            x = halves[0] + halves[1]
        return self.element(x, 0)

    def _intrinsic(self, name: str, *operands: Value, flags: tuple[str, ...] = ()) -> Value:
        kind = operands[0].ir.type
        lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
        name = f"{name}.{lanes}f{8 * self.dtype.itemsize}"
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * len(operands)), name
        )
        return Value(self, self.builder.call(function, [x.ir for x in operands], fastmath=flags))

    # Control

    def variable(self, value: Value) -> Variable:
        """A variable with its initial value."""
        return Variable(self, value)

    @contextlib.contextmanager
    def loop(self, stop: Value | int, start: Value | int = 0, step: int = 1) -> Iterator[Value]:
        """``for i in range(start, stop, step)``."""
        counter = self.variable(self.like(start, self.index(0)))
        head, body, end = (self.function.append_basic_block(s) for s in ("head", "body", "end"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        i = counter.get()
        self.builder.cbranch((i < stop).ir, body, end)
        self.builder.position_at_end(body)
        yield i
        counter.set(i + step)
        self.builder.branch(head)
        self.builder.position_at_end(end)

    @contextlib.contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """``if condition``."""
        with self.builder.if_then(condition.ir):
            yield


# The kinds of a kernel's arguments, which programs tell apart by these names in annotations: the
# address of elements; an integer; the address of the address of a caller's array, and the address
# of an integer, both of which change from run to run.
Address = Value
Count = Value
ArraySlot = Value
IntSlot = Value
