"""Machine code of loop nests: maps and reductions.

One axis of the space is the *vector axis*, whose points are taken by whole vectors, with a masked
one at the end. A value is computed in the outermost loop on which it depends. Arrays are not
padded, and nothing outside of them is touched.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llvmlite import ir

from tinygrad_ugan.compile.kernel_form import Access, KernelForm, Store
from tinygrad_ugan.kernels.emitter import I8, I32, Emitter, Value, Variable

Count = Value | int
Operations = Mapping[str, Callable[..., Value]]

_VECTORS = 4  # at once, to hide the latency of additions
_LONG = 16  # instructions that hide it as well: with each so many there are fewer vectors
_VERY_LONG = 64  # instructions that had better be written once, with a mask for all vectors
_BLOCK = 512  # terms of an accumulator before it is added to a total, for the sake of rounding
_BY_COLUMNS = (0, 2**12, 2**18)  # points at most, if no load, one or more would be saved
_HORIZONTAL = 8.0  # instructions to combine the elements of a vector
_NEUTRAL = {"add": -0.0, "maximum": -math.inf, "minimum": math.inf}


@dataclass(frozen=True)
class Tail:
    """The elements that count in the last vector of an axis."""

    count: Count
    mask: Value


@dataclass(frozen=True)
class Point:
    """A place in the space, of which some axes are fixed already.

    Attributes
    ----------
    addresses : tuple of Value
        Of the elements of all arrays, as far as the fixed axes determine them.
    values : Mapping of int to Value
        The values that do not depend on further axes.
    axes : frozenset of int
        The fixed ones.
    tail : Tail or None
        None if the whole vector counts.
    """

    addresses: tuple[Value, ...]
    values: Mapping[int, Value]
    axes: frozenset[int] = frozenset()
    tail: Tail | None = None


class LoopNest:
    """The code of a form without products.

    Parameters
    ----------
    e : Emitter
    form : KernelForm
    operations : Mapping of str to callable
        Vector forms of steps.
    vector_axis : int

    Attributes
    ----------
    length : int
        Number of instructions of all steps for a vector.
    vectors : int
        How many of them are worked on at once where that can be chosen.
    """

    def __init__(
        self, e: Emitter, form: KernelForm, operations: Operations, vector_axis: int
    ) -> None:
        self.e = e
        self.form = form
        self.operations = operations
        self.vector_axis = vector_axis
        self.length = self._length()
        self.vectors = max(1, _VECTORS >> self.length // _LONG)
        self._needs = _needs(form)

    def emit(self, addresses: Sequence[Value], counts: Sequence[Count]) -> None:
        """Run through the first points along each axis, as many as `counts` says."""
        start = self.start(addresses)
        kept = [a for a in range(len(counts)) if a != self.vector_axis and not self.form.reduces(a)]
        if not self.form.reductions and self._goes_by_columns():
            for points in self._panels(start, counts[self.vector_axis]):
                for inner in self._along(points, kept, counts):
                    for point in inner:
                        self.store(point)
            return
        for (point,) in self._along([start], kept, counts):
            if not self.form.reductions:
                for vector in self._vectors(point, counts[self.vector_axis]):
                    self.store(vector)
            elif self.form.reduces(self.vector_axis):
                _Reducer(self, counts, [point]).emit()
            else:
                for points in self._panels(point, counts[self.vector_axis]):
                    _Reducer(self, counts, points).emit()

    def start(self, addresses: Sequence[Value]) -> Point:
        """The first point, before any axis is fixed."""
        return self._with_values(Point(tuple(addresses), {}))

    def _goes_by_columns(self) -> bool:
        """Whether some values had better be computed once, as they depend on the vector axis alone.

        If they are only loaded, and the arrays are large, the order of memory is more important.
        """
        loads = len(self.form.loads)
        loaded, computed = (
            sum(axes == {self.vector_axis} for axes in needs)
            for needs in (self._needs[:loads], self._needs[loads:])
        )
        is_small = math.prod(self.form.space) <= _BY_COLUMNS[min(loaded, 2)]
        return len(self.form.space) > 1 and (computed > 0 or is_small)

    def _along(
        self, points: Sequence[Point], axes: Sequence[int], counts: Sequence[Count]
    ) -> Iterator[Sequence[Point]]:
        """Loop over some axes."""
        with contextlib.ExitStack() as loops:
            for axis in axes:
                i = loops.enter_context(counted(self.e, counts[axis]))
                points = [self.at(point, axis, i) for point in points]
            yield points

    def _vectors(self, point: Point, count: Count) -> Iterator[Point]:
        """All vectors of the vector axis, one by one."""
        whole, rest = split(count, self.e.lanes)
        if self.length >= _VERY_LONG and whole != 0 and rest != 0:
            with self.e.loop(count, step=self.e.lanes) as j:
                left = least(self.e, self.e.like(count, j) - j, self.e.lanes)
                yield self.at(point, self.vector_axis, j, Tail(left, self.e.first_lanes(left)))
            return
        for j in counted_if_any(self.e, whole, self.e.lanes):
            yield self.at(point, self.vector_axis, j)
        for tail in tails(self.e, rest):
            yield self.at(point, self.vector_axis, whole, tail)

    def _panels(self, point: Point, count: Count) -> Iterator[list[Point]]:
        """All vectors of the vector axis, several at a time."""
        lanes, axis = self.e.lanes, self.vector_axis
        width = self.vectors * lanes
        whole, rest = split(count, width)
        for j in counted_if_any(self.e, whole, width):
            yield [self.at(point, axis, j + v) for v in range(0, width, lanes)]
        if isinstance(whole, int) and isinstance(rest, int):
            starts = range(whole, whole + rest - lanes + 1, lanes)
            points = [self.at(point, axis, j) for j in starts]
            last = whole + rest // lanes * lanes
            points += [self.at(point, axis, last, tail) for tail in tails(self.e, rest % lanes)]
            if points:
                yield points
        else:
            with self.e.loop(count, whole, lanes) as j:
                left = least(self.e, count - j, lanes)
                yield [self.at(point, axis, j, Tail(left, self.e.first_lanes(left)))]

    def at(self, point: Point, axis: int, index: Count, tail: Tail | None = None) -> Point:
        """Fix an axis."""
        addresses = tuple(
            moved(self.e, address, index, access.strides[axis])
            for address, access in zip(point.addresses, self.form.arguments, strict=True)
        )
        axes = point.axes | {axis}
        return self._with_values(Point(addresses, point.values, axes, tail or point.tail))

    def _with_values(self, point: Point) -> Point:
        """Compute what does not depend on axes that are not fixed."""
        values = dict(point.values)
        for n, axes in enumerate(self._needs):
            if axes <= point.axes and n not in values:
                step = n - len(self.form.loads)
                is_load = step < 0
                values[n] = self._load(point, n) if is_load else self._step(self.e, values, step)
        return replace(point, values=values)

    def _load(self, point: Point, n: int) -> Value:
        access = self.form.loads[n]
        x = load_vector(self.e, point.addresses[n], access.strides[self.vector_axis], point.tail)
        return self.e.not_equal(x, 0) if access.is_mask else x

    def _step(self, e: Emitter, values: Mapping[int, Value], n: int) -> Value:
        step = self.form.steps[n]
        operands = [values[x] if isinstance(x, int) else x for x in step.operands]
        found = self.operations[step.operation](e, *operands)
        return found if isinstance(found, Value) else e.constant(found)

    def _length(self) -> int:
        """Count the instructions of the steps, in a function that is not used."""
        e = type(self.e)("trial", self.e.target, self.e.dtype)
        loads = self.form.loads
        values = {n: e.first_lanes(1) if x.is_mask else e.zero() for n, x in enumerate(loads)}
        for n in range(len(self.form.steps)):
            values[len(loads) + n] = self._step(e, values, n)
        return len(e.builder.block.instructions)

    def store(self, point: Point) -> None:
        """Store the values of a point."""
        places = point.addresses[len(self.form.loads) :]
        for store, place in zip(self.form.stores, places, strict=False):
            self.store_vector(point.values[store.value], place, store.access, point.tail)

    def store_vector(self, x: Value, place: Value, access: Access, tail: Tail | None) -> None:
        """Store a vector along the vector axis."""
        if access.is_mask:
            x = Value(self.e, self.e.builder.zext(x.ir, ir.VectorType(I8, self.e.lanes)))
        store_vector(self.e, x, place, access.strides[self.vector_axis], tail)


class _Accumulators:
    """A reduction at one place: parts that grow independently of each other, and a total.

    They begin with what changes nothing, or with nothing if the code has no loop.
    """

    def __init__(self, e: Emitter, operation: str, count: int, *, is_empty: bool) -> None:
        self.e = e
        self.operation = operation
        self.neutral = e.constant(_NEUTRAL[operation])
        self.total, *self.parts = (e.variable(self.neutral) for _ in range(1 + count))
        self.empty = {self.total, *self.parts} if is_empty else set()

    def add(self, u: int, x: Value, tail: Tail | None) -> None:
        """Combine a part with a vector, or with those of its elements that count."""
        x = x if tail is None else self.e.where(tail.mask, x, self.neutral)
        self._combine(self.parts[u], x)

    def flush(self) -> None:
        """Combine the total with the parts, pairwise, which begin anew."""
        values = [x.get() for x in self.parts if x not in self.empty]
        while len(values) > 1:
            pairs = itertools.zip_longest(values[::2], values[1::2])
            values = [x if y is None else combined(self.e, self.operation, x, y) for x, y in pairs]
        self._combine(self.total, values[0])
        for x in self.parts:
            x.set(self.neutral)

    def _combine(self, x: Variable, y: Value) -> None:
        x.set(y if x in self.empty else combined(self.e, self.operation, x.get(), y))
        self.empty.discard(x)


class _Reducer:
    """The reductions of a nest, with the loops over its reduced axes.

    Several points along kept axes are taken together, each with its own accumulators.
    """

    def __init__(self, nest: LoopNest, counts: Sequence[Count], points: Sequence[Point]) -> None:
        self.nest = nest
        self.e = nest.e
        self.counts = counts
        self.points = points
        scalar = (a for a in range(len(counts)) if a != nest.vector_axis)
        self.axes = [a for a in (*scalar, nest.vector_axis) if nest.form.reduces(a)]
        self.unit = self.e.lanes if self.axes[-1] == nest.vector_axis else 1
        self.unroll = max(1, nest.vectors // len(points))
        self.block_axis, self.block = self._blocks()
        self.accumulators = [
            [
                _Accumulators(self.e, r.operation, self.unroll, is_empty=self._is_straight())
                for r in nest.form.reductions
            ]
            for _ in points
        ]

    def emit(self) -> None:
        """Reduce, and store the results."""
        self._loop(self.points, self.axes)
        self._flush()
        for point, accumulators in zip(self.points, self.accumulators, strict=True):
            self._store(point, accumulators)

    def _is_straight(self) -> bool:
        """Whether there are so few terms that the code has no loop."""
        count = self.counts[self.axes[-1]]
        is_short = isinstance(count, int) and count <= 2 * self.unroll * self.unit
        return len(self.axes) == 1 and is_short

    def _blocks(self) -> tuple[int, int]:
        """The axis that is cut into blocks, so that sums are exact enough, and their length.

        The axis is -1 if no sum is long.
        """
        terms = 1
        is_sum = any(r.operation == "add" for r in self.nest.form.reductions)
        for axis in reversed(self.axes if is_sum else ()):
            step = self.unroll * self.unit if axis == self.axes[-1] else 1
            steps = -(-self.nest.form.space[axis] // step)
            if terms * steps > _BLOCK:
                return axis, _BLOCK // terms
            terms *= steps
        return -1, 0

    def _loop(self, points: Sequence[Point], axes: Sequence[int]) -> None:
        axis, *inner = axes
        if inner:
            for i in self._blocked(axis, self.counts[axis], 1):
                self._loop([self.nest.at(p, axis, i) for p in points], inner)
        else:
            self._innermost(points, axis)

    def _innermost(self, points: Sequence[Point], axis: int) -> None:
        unit, count = self.unit, self.counts[axis]
        group = self.unroll * unit
        whole, rest = (0, count) if self._is_straight() else split(count, group)
        for i in self._blocked(axis, whole, group):
            for u in range(self.unroll):
                self._add(points, i + u * unit, None, u)
        units, last = split(rest, unit)
        if isinstance(units, int) and isinstance(whole, int):
            for n, start in enumerate(range(whole, whole + units, unit)):
                self._add(points, start, None, n % self.unroll)
        else:
            with self.e.loop(whole + units, whole, unit) as i:
                self._add(points, i, None, 0)
        for tail in tails(self.e, last):
            self._add(points, whole + units, tail, self.unroll - 1)

    def _blocked(self, axis: int, count: Count, step: int) -> Iterator[Value]:
        """Count, and flush after each block."""
        if axis != self.block_axis:
            yield from counted_if_any(self.e, count, step)
            return
        for start in counted_if_any(self.e, count, self.block * step):
            stop = least(self.e, start + self.block * step, count)
            with self.e.loop(stop, start, step) as i:
                yield i
            self._flush()

    def _add(self, points: Sequence[Point], i: Count, tail: Tail | None, u: int) -> None:
        """Add what is at an index of the innermost axis."""
        for point, accumulators in zip(points, self.accumulators, strict=True):
            inner = self.nest.at(point, self.axes[-1], i, tail)
            self.nest.store(inner)
            for reduction, each in zip(self.nest.form.reductions, accumulators, strict=True):
                each.add(u, inner.values[reduction.value], tail)

    def _flush(self) -> None:
        for accumulators in self.accumulators:
            for each in accumulators:
                each.flush()

    def _store(self, point: Point, accumulators: Sequence[_Accumulators]) -> None:
        reductions = self.nest.form.reductions
        places = point.addresses[-len(reductions) :]
        for reduction, place, each in zip(reductions, places, accumulators, strict=True):
            total = each.total.get()
            if self.nest.form.reduces(self.nest.vector_axis):
                self.e.store_scalar(_over_lanes(self.e, reduction.operation, total), place)
            else:
                self.nest.store_vector(total, place, reduction.access, point.tail)


# Forms


def collapsed(form: KernelForm, rows: Count) -> tuple[KernelForm, list[Count]]:
    """The form with as few axes as possible, and the number of points along each.

    Axes of one point are left out, and neighbours along which all arrays are contiguous become one.
    """
    extents: list[int] = []
    counts: list[Count] = []
    reduced: list[bool] = []
    strides: list[list[int]] = []
    for axis, n in enumerate(form.space):
        here = [x.strides[axis] for x in form.arguments]
        is_reduced = form.reduces(axis)
        count = n if axis else rows
        if n == 1:
            continue
        if extents and is_reduced == reduced[-1] and strides[-1] == [n * s for s in here]:
            extents[-1], counts[-1], strides[-1] = extents[-1] * n, counts[-1] * n, here
        else:
            extents.append(n)
            counts.append(count)
            reduced.append(is_reduced)
            strides.append(here)
    if not extents:
        extents, counts, reduced, strides = [1], [1], [False], [[1] * len(form.arguments)]
    accesses = (
        replace(x, strides=tuple(s[n] for s in strides)) for n, x in enumerate(form.arguments)
    )
    loads = tuple(next(accesses) for _ in form.loads)
    stores = tuple(replace(x, access=next(accesses)) for x in form.stores)
    reductions = tuple(replace(x, access=next(accesses)) for x in form.reductions)
    if not any(reduced):  # over one term each
        stores += tuple(Store(x.value, x.access) for x in reductions)
        reductions = ()
    kept = tuple(reduced) if reductions else ()
    return KernelForm(tuple(extents), loads, (), form.steps, stores, reductions, kept), counts


def best_vector_axis(form: KernelForm, lanes: int) -> int:
    """The axis along which vectors cost the fewest instructions; the last one if several do."""
    apart = 2.0 * lanes
    block = lanes.bit_length() + 2.0 if not form.reductions else apart  # transposed in registers

    def cost(axis: int) -> float:
        def access_cost(x: Access, otherwise: float) -> float:
            return {0: 0.25, 1: 1.0}.get(x.strides[axis], otherwise)

        loads = sum(access_cost(x, block if 1 in x.strides else apart) for x in form.loads)
        written = form.arguments[len(form.loads) :]
        vector = loads + len(form.steps) + sum(access_cost(x, apart) for x in written)
        n = form.space[axis]
        horizontal = _HORIZONTAL * len(form.reductions) if form.reduces(axis) else 0.0
        return (vector * -(-n // lanes) + horizontal) / n

    return min(reversed(range(len(form.space))), key=cost)


def _needs(form: KernelForm) -> list[frozenset[int]]:
    """The axes on which each value depends."""
    needs = [frozenset(a for a, s in enumerate(x.strides) if s) for x in form.loads]
    for step in form.steps:
        operands = (needs[x] for x in step.operands if isinstance(x, int))
        needs.append(frozenset().union(*operands))
    return needs


# Counts and loops


def least(e: Emitter, x: Value, y: Count) -> Value:
    """The smaller of two counts."""
    return e.where(x < y, x, y)


def split(count: Count, unit: int) -> tuple[Count, Count]:
    """The largest multiple of a unit in a count, and the rest."""
    if isinstance(count, int):
        return count // unit * unit, count % unit
    whole = count / unit * unit
    return whole, count - whole if unit > 1 else 0


@contextlib.contextmanager
def counted(e: Emitter, count: Count, step: int = 1) -> Iterator[Value]:
    """``for i in range(0, count, step)``, without a loop if that is one number."""
    if isinstance(count, int) and 0 < count <= step:
        yield e.index(0)
    else:
        with e.loop(count, step=step) as i:
            yield i


def counted_if_any(e: Emitter, count: Count, step: int) -> Iterator[Value]:
    """``for i in range(0, count, step)``, without code if there is no i."""
    if count != 0:
        with counted(e, count, step) as i:
            yield i


def tails(e: Emitter, rest: Count) -> Iterator[Tail]:
    """The vector with the last elements of an axis, unless there are none."""
    if isinstance(rest, Value):
        with e.when(rest > 0):
            yield Tail(rest, e.first_lanes(rest))
    elif rest:
        yield Tail(rest, e.first_lanes(rest))


# Vectors


def moved(e: Emitter, address: Value, index: Count, stride: int) -> Value:
    """The address of the element at an index."""
    return e.at(address, index * stride) if stride and index != 0 else address


def load_vector(e: Emitter, address: Value, stride: int, tail: Tail | None) -> Value:
    """Load the elements at multiples of a stride."""
    if stride == 0:
        return e.broadcast(e.load_scalar(address))
    if stride == 1:
        return e.load(address, mask=tail.mask if tail else None)
    x = ir.Constant(ir.VectorType(address.ir.type.pointee, e.lanes), None)
    for lane in range(tail.count if tail and isinstance(tail.count, int) else e.lanes):
        place: Count = lane
        if tail and isinstance(tail.count, Value):
            place = least(e, tail.count - 1, lane)
        element = e.load_scalar(address, place * stride)
        x = e.builder.insert_element(x, element.ir, I32(lane))
    return Value(e, x)


def store_vector(e: Emitter, x: Value, address: Value, stride: int, tail: Tail | None) -> None:
    """Store the elements at multiples of a stride."""
    if stride == 1:
        e.store(x, address, mask=tail.mask if tail else None)
    elif tail and isinstance(tail.count, Value):
        with e.loop(tail.count) as i:
            element = Value(e, e.builder.extract_element(x.ir, i.ir))
            e.store_scalar(element, address, i * stride)
    else:
        for lane in range(tail.count if tail and isinstance(tail.count, int) else e.lanes):
            e.store_scalar(e.element(x, lane), address, lane * stride)


def combined(e: Emitter, operation: str, x: Value, y: Value) -> Value:
    """The sum, maximum or minimum of two; NaN if one is."""
    return x + y if operation == "add" else e.extreme(operation, x, y)


def _over_lanes(e: Emitter, operation: str, x: Value) -> Value:
    """Combine the elements of a vector, by halves."""
    lanes = e.lanes
    while lanes > 1:
        lanes //= 2
        low = list(range(max(lanes, 2)))  # not one element, as scalars are slower
        x = combined(e, operation, e.shuffle(x, x, low), e.shuffle(x, x, [i ^ lanes for i in low]))
    return e.element(x, 0)
