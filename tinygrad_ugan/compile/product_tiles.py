"""Machine code of sums of products, with the steps that follow.

A tile of products, a few rows by a few vectors, is summed up in registers. If there is little more
to do, this follows. Else the tile goes to a scratch, which stays in the cache, and what remains is
a loop nest that loads it from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tinygrad_ugan.compile.kernel_form import Access, KernelForm, Step
from tinygrad_ugan.compile.loop_nest import (
    Count,
    LoopNest,
    Operations,
    Tail,
    best_vector_axis,
    collapsed,
    counted,
    counted_if_any,
    least,
    load_vector,
    moved,
    split,
    tails,
)
from tinygrad_ugan.compile.transposed_blocks import part, store_transposed
from tinygrad_ugan.kernels.emitter import Emitter, Value, Variable

_SHALLOW = 4  # products for each element
_MULTIPLY, _MULTIPLY_ADD = "multiply of a product", "multiply-add of a product"
_NARROW = 4  # columns, for which a vector would be mostly padding
_BUSY = 10  # sums that keep two units busy, each with a latency of four or five cycles
_UNROLLED = 4  # products for each element of a tile at once, if the tile is small
_LONG = 1024  # terms of a sum before it is added to a total, for the sake of rounding
_FAR = 2048  # bytes between the rows of an operand, from where on a copy is faster
_COPIED_BYTES = 2**16
_COPIED_TILES = 4  # that read a copy, or it does not pay
_PREFETCHED_BYTES = 2**16  # of an array, at least: a smaller one is in the nearest cache
_SHORT = 12  # instructions on every vector of a tile that may as well be repeated for all of them
_DOT_ROWS = 64  # of dot products that are followed by one nest
_DOT_HEIGHT = 8


def emit_products(
    e: Emitter, form: KernelForm, operations: Operations, addresses: Sequence[Value], rows: Count
) -> None:
    """Run through some rows of a form with products."""
    terms, others = _terms(form, addresses)
    height, width = form.space
    transposed, transposed_terms = _transposed(form), [t.transposed for t in terms]
    if _are_dots(form, terms):
        _Dots(e, form, operations, terms).emit(others, rows)
    elif height == 1 and _are_dots(transposed, transposed_terms):
        _Dots(e, transposed, operations, transposed_terms).emit(others, width)
    elif width <= _NARROW and width < height and all(t.row == 1 for t in terms):
        _Tiles(e, transposed, operations, transposed_terms).emit(others, width, rows)
    else:
        _Tiles(e, form, operations, terms).emit(others, rows, width)


def is_shallow(form: KernelForm) -> bool:
    """Whether there are so few products for an element that they are best made by steps."""
    return 0 < sum(s.depth for s in form.segments) <= _SHALLOW


def with_steps(
    e: Emitter, form: KernelForm, operations: Operations, addresses: Sequence[Value]
) -> tuple[KernelForm, Operations, list[Value]]:
    """The form with loads and steps in place of products, the operations, and the addresses."""
    terms, others = _terms(form, addresses)
    loads, places = list(form.loads), others[: len(form.loads)]
    for term in terms:
        for k in range(term.depth):
            loads += [Access((term.row, 0)), Access((0, term.column))]
            places += [moved(e, term.a, k, term.a_depth), moved(e, term.b, k, term.b_depth)]
    count, depth = len(form.loads), sum(t.depth for t in terms)
    steps = [Step(_MULTIPLY, (count, count + 1))]
    for k in range(1, depth):
        operands = (count + 2 * k, count + 2 * k + 1, len(loads) + k - 1)
        steps.append(Step(_MULTIPLY_ADD, operands))

    def renumbered(n: int | float) -> int | float:
        return n + len(loads) + depth - count - 1 if isinstance(n, int) and n >= count else n

    steps += [replace(x, operands=tuple(map(renumbered, x.operands))) for x in form.steps]
    stores = tuple(replace(x, value=int(renumbered(x.value))) for x in form.stores)
    form = replace(form, loads=tuple(loads), segments=(), steps=tuple(steps), stores=stores)
    products: Operations = {_MULTIPLY: lambda e, x, y: x * y, _MULTIPLY_ADD: Emitter.fma}
    return form, {**operations, **products}, [*places, *others[count:]]


@dataclass(frozen=True)
class _Term:
    """A segment with its addresses.

    Attributes
    ----------
    depth : int
    a : Value
    row, a_depth : int
        Distances between neighbours in a.
    b : Value
    b_depth, column : int
        Distances between neighbours in b.
    is_padded : bool
        Whether all columns of b may be read as whole vectors.
    """

    depth: int
    a: Value
    row: int
    a_depth: int
    b: Value
    b_depth: int
    column: int
    is_padded: bool = False

    @property
    def transposed(self) -> _Term:
        """The term of the transposed product."""
        return _Term(self.depth, self.b, self.column, self.b_depth, self.a, self.a_depth, self.row)

    def part(self, e: Emitter, start: Count, depth: int) -> _Term:
        """The products from one k on."""
        a, b = moved(e, self.a, start, self.a_depth), moved(e, self.b, start, self.b_depth)
        return replace(self, depth=depth, a=a, b=b)


def _terms(form: KernelForm, addresses: Sequence[Value]) -> tuple[list[_Term], list[Value]]:
    """Terms, and the addresses of all arrays but theirs."""
    first, last = len(form.loads), len(form.loads) + 2 * len(form.segments)
    pairs = zip(addresses[first:last:2], addresses[first + 1 : last : 2], strict=True)
    terms = [
        _Term(s.depth, a, s.a.strides[0], s.a.strides[1], b, s.b.strides[0], s.b.strides[1])
        for s, (a, b) in zip(form.segments, pairs, strict=True)
    ]
    return terms, [*addresses[:first], *addresses[last:]]


def _transposed(form: KernelForm) -> KernelForm:
    """The form with rows for columns, but for its segments."""

    def flipped(x: Access) -> Access:
        return replace(x, strides=x.strides[::-1])

    loads = tuple(map(flipped, form.loads))
    stores = tuple(replace(x, access=flipped(x.access)) for x in form.stores)
    return replace(form, space=form.space[::-1], loads=loads, stores=stores)


def _are_dots(form: KernelForm, terms: Sequence[_Term]) -> bool:
    return form.space[1] <= _NARROW and all(t.a_depth == 1 for t in terms)


def _after(form: KernelForm, space: tuple[int, int]) -> KernelForm:
    """The form of the rest, which loads the products from a scratch of the extents `space`."""
    loads = (*form.loads, Access((space[1], 1)))
    return replace(form, space=space, segments=(), loads=loads)


def _places(
    e: Emitter, form: KernelForm, addresses: Sequence[Value], scratch: Value, r: Count, j: Count
) -> list[Value]:
    """The addresses for what comes after the products, from a row and a column on."""
    arrays = (*form.loads, *(x.access for x in form.stores))
    places = [
        moved(e, moved(e, address, r, x.strides[0]), j, x.strides[1])
        for address, x in zip(addresses, arrays, strict=True)
    ]
    places.insert(len(form.loads), scratch)
    return places


def _summed_together(e: Emitter, terms: Sequence[_Term]) -> Iterator[Sequence[_Term]]:
    """The terms, cut if they are long: sums of many numbers would not be exact enough."""
    if all(t.depth <= _LONG for t in terms):
        yield terms
        return
    for term in terms:
        whole, rest = split(term.depth, _LONG)
        for k in counted_if_any(e, whole, _LONG):
            yield [term.part(e, k, _LONG)]
        if rest:
            yield [term.part(e, whole, term.depth % _LONG)]


def _one_by_one(e: Emitter, terms: Sequence[_Term]) -> Iterator[_Term]:
    """The terms; for those that differ by their addresses alone, the code is a loop over these."""
    for _, group in itertools.groupby(terms, key=lambda t: replace(t, a=terms[0].a, b=terms[0].b)):
        first, *others = group
        if not others:
            yield first
            continue
        a, b = (e.table(x) for x in zip(*((t.a, t.b) for t in (first, *others)), strict=True))
        with e.loop(1 + len(others)) as n:
            yield replace(first, a=e.load_scalar(a, n), b=e.load_scalar(b, n))


@dataclass(frozen=True)
class _Panel:
    """Some columns: the first, how many, and of each vector the columns that count."""

    start: Count
    columns: Count
    tails: list[Tail | None]


class _Tiles:
    """Products by tiles of `height` rows and at most `vectors` vectors."""

    def __init__(
        self, e: Emitter, form: KernelForm, operations: Operations, terms: Sequence[_Term]
    ) -> None:
        self.e = e
        self.form = form
        self.terms = terms
        self.is_long = any(t.depth > _LONG for t in terms)
        self.height, self.vectors = _tile(e, form.space)
        self.width = self.vectors * e.lanes
        self.tile = e.scratch(self.height * self.width)
        self.copies = [
            e.scratch((t.depth + e.lanes) * self.width) if self._copies(t) else None for t in terms
        ]
        after = _after(form, (self.height, self.width))
        self.nest = LoopNest(e, after, operations, vector_axis=1)
        is_simple = all(x.strides[1] in (0, 1) for x in after.arguments)
        self.is_direct = is_simple and self.nest.length <= _SHORT and not self.is_long

    def _copies(self, term: _Term) -> bool:
        """Whether it pays to copy b, panel by panel, so that vectors are side by side."""
        size = self.e.dtype.itemsize
        is_far = term.column != 1 or term.b_depth * size >= _FAR
        fits = term.depth * self.width * size * len(self.terms) <= _COPIED_BYTES
        return is_far and fits and self.form.space[0] >= _COPIED_TILES * self.height

    def emit(self, addresses: Sequence[Value], rows: Count, columns: Count) -> None:
        """Run through the first rows and columns."""
        e = self.e
        for panel in self._panels(columns):
            terms = [*map(self._in_panel, self.terms, self.copies, itertools.repeat(panel))]
            with counted(e, rows, self.height) as r:
                places = _places(e, self.form, addresses, self.tile, r, panel.start)
                self._prefetch(places, panel)
                count: Count = self.height
                if not self._is_whole(rows):
                    count = least(e, e.like(rows, r) - r, self.height)
                if self.is_direct:
                    self._finish(self._sums(terms, r, rows, panel), places, count, panel)
                else:
                    self._put(terms, r, rows, panel)
                    self.nest.emit(places, (count, panel.columns))

    def _finish(
        self, sums: Sequence[Value], places: Sequence[Value], count: Count, panel: _Panel
    ) -> None:
        """Run the nest after the products of a tile, without a detour through memory."""
        columns = [
            self.nest.at(self.nest.start(places), 1, v * self.e.lanes, tail)
            for v, tail in enumerate(panel.tails)
        ]
        for i in self._rows(count):
            for column, x in zip(columns, sums[i * len(columns) :], strict=False):
                values = {**column.values, len(self.form.loads): x}
                self.nest.store(self.nest.at(replace(column, values=values), 0, i))

    def _rows(self, count: Count) -> Iterator[int]:
        """The rows of a tile, but those that do not count."""
        for i in range(self.height):
            if i == 0 or isinstance(count, int):
                yield i
            else:
                with self.e.when(self.e.index(i) < count):
                    yield i

    def _prefetch(self, places: Sequence[Value], panel: _Panel) -> None:
        """Prefetch what the nest will load, so that it is there when the products are."""
        e, far = self.e, _PREFETCHED_BYTES // self.e.dtype.itemsize
        matrices = [
            (place, x.strides[0])
            for place, x in zip(places, self.form.loads, strict=False)
            if x.strides[1] == 1 and abs(x.strides[0]) * self.form.space[0] > far
        ]
        if matrices:
            with counted(e, self.height) as i:
                for (place, stride), v in itertools.product(matrices, range(len(panel.tails))):
                    e.prefetch(place, i * stride + v * e.lanes)

    def _is_whole(self, rows: Count) -> bool:
        """Whether tiles never have more rows than are left."""
        return isinstance(rows, int) and rows % self.height == 0

    def _panels(self, columns: Count) -> Iterator[_Panel]:
        lanes = self.e.lanes
        whole, rest = split(columns, self.width)
        for j in counted_if_any(self.e, whole, self.width):
            yield _Panel(j, self.width, [None] * self.vectors)
        if isinstance(rest, int):
            if rest:
                last = [*tails(self.e, rest % lanes)]
                yield _Panel(whole, rest, [*[None] * (rest // lanes), *last])
        else:
            with self.e.loop(columns, whole, lanes) as j:
                left = least(self.e, columns - j, lanes)
                yield _Panel(j, left, [Tail(left, self.e.first_lanes(left))])

    def _in_panel(self, term: _Term, copy: Value | None, panel: _Panel) -> _Term:
        """The term at the columns of a panel, copied if there is a place for it."""
        e = self.e
        term = replace(term, b=moved(e, term.b, panel.start, term.column))
        if copy is None:
            return term
        if term.b_depth == 1:
            stop = e.lanes * len(panel.tails)
            with counted(e, term.depth, e.lanes) as k, counted(e, stop, e.lanes) as j:
                source = moved(e, e.at(term.b, k), j, term.column)
                rows, columns = part(e, term.depth, k, e.lanes), part(e, panel.columns, j, e.lanes)
                place = e.at(copy, k * self.width + j)
                store_transposed(e, source, term.column, rows, columns, place, self.width)
        else:
            with counted(e, term.depth) as k:
                for v, x in enumerate(self._operands(term, k, panel)):
                    e.store(x, copy, k * self.width + v * e.lanes)
        return replace(term, b=copy, b_depth=self.width, column=1, is_padded=True)

    def _operands(self, term: _Term, k: Count, panel: _Panel) -> list[Value]:
        """Row k of b."""
        e = self.e
        row = moved(e, term.b, k, term.b_depth)
        return [
            load_vector(
                e,
                moved(e, row, v * e.lanes, term.column),
                term.column,
                None if term.is_padded else tail,
            )
            for v, tail in enumerate(panel.tails)
        ]

    def _put(self, terms: Sequence[_Term], r: Value, rows: Count, panel: _Panel) -> None:
        """Put a tile of products into the scratch."""
        e = self.e
        places = [
            i * self.width + v * e.lanes
            for i, v in itertools.product(range(self.height), range(len(panel.tails)))
        ]
        if self.is_long:
            for place in places:
                e.store(e.zero(), self.tile, place)
        for together in _summed_together(e, terms):
            sums = self._sums(together, r, rows, panel)
            for place, total in zip(places, sums, strict=True):
                x = e.load(self.tile, place) + total if self.is_long else total
                e.store(x, self.tile, place)

    def _sums(
        self, terms: Sequence[_Term], r: Value, rows: Count, panel: _Panel
    ) -> Sequence[Value]:
        """A tile of products."""
        e = self.e
        size = self.height * len(panel.tails)
        registers = e.target.tile_heights[0] * e.target.tile_vectors
        unroll = max(1, min(-(-_BUSY // size), registers // size, _UNROLLED))
        sums = [[e.variable(e.zero()) for _ in range(size)] for _ in range(unroll)]
        for term in _one_by_one(e, terms):
            starts = [
                moved(e, term.a, self._row(r + i, rows), term.row) for i in range(self.height)
            ]
            whole = term.depth // unroll * unroll
            for k in counted_if_any(e, whole, unroll):
                for u, partial in enumerate(sums):
                    self._multiply(term, starts, k + u, panel, partial)
            for u, partial in enumerate(sums[: term.depth - whole]):
                self._multiply(term, starts, whole + u, panel, partial)
        total, *others = [[x.get() for x in partial] for partial in sums]
        for other in others:
            total = [x + y for x, y in zip(total, other, strict=True)]
        return total

    def _row(self, i: Value, rows: Count) -> Value:
        """A row, or the last one, whose results are not used."""
        return i if self._is_whole(rows) else least(self.e, i, rows - 1)

    def _multiply(
        self,
        term: _Term,
        starts: Sequence[Value],
        k: Count,
        panel: _Panel,
        sums: Sequence[Variable],
    ) -> None:
        e = self.e
        operands, offset = self._operands(term, k, panel), k * term.a_depth
        factors = (e.broadcast(e.load_scalar(x, offset)) for x in starts)
        pairs = itertools.product(factors, operands)
        for (x, y), total in zip(pairs, sums, strict=True):
            total.set(e.fma(x, y, total.get()))


def _tile(e: Emitter, space: tuple[int, ...]) -> tuple[int, int]:
    """Rows and vectors of a tile."""
    rows, columns = space
    vectors = -(-columns // e.lanes)
    height, width = e.target.tile_heights[0], e.target.tile_vectors
    if rows < height:
        return rows, min(vectors, max(width, height * width // rows), height)
    width = min(vectors, width)
    heights = range(height, height // 2, -1)
    return min(heights, key=lambda h: -(-rows // h) * max(h * width, _BUSY)), width


def _sums_of_elements(e: Emitter, vectors: Sequence[Value]) -> Value:
    """The vector of the sums of the elements of some vectors, as many as it has at most.

    Halves of the vectors are added, those of two vectors at once; and then halves of these halves.
    """
    vectors = [*vectors, *[e.zero()] * (e.lanes - len(vectors))]
    width = e.lanes
    while width > 1:
        width //= 2
        low = [i for i in range(2 * e.lanes) if i % (2 * width) < width]
        vectors = [
            e.shuffle(x, y, low) + e.shuffle(x, y, [i + width for i in low])
            for x, y in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    (total,) = vectors
    return total


class _Dots:
    """Products with few columns, as dot products along the depth."""

    def __init__(
        self, e: Emitter, form: KernelForm, operations: Operations, terms: Sequence[_Term]
    ) -> None:
        self.e = e
        self.form = form
        self.operations = operations
        self.terms = terms
        self.columns = form.space[1]
        self.is_long = any(t.depth > _LONG for t in terms)
        registers = e.target.tile_heights[0] * e.target.tile_vectors
        height = min(_DOT_HEIGHT, registers // self.columns)
        self.height = 1 << (height.bit_length() - 1)
        self.scratch = e.scratch((_DOT_ROWS + self.height) * self.columns + e.lanes)

    def emit(self, addresses: Sequence[Value], rows: Count) -> None:
        """Run through the first rows."""
        e = self.e
        terms = [*map(self._by_columns, self.terms)]
        with counted(e, rows, _DOT_ROWS) as r:
            count = least(e, e.like(rows, r) - r, _DOT_ROWS)
            with e.loop(count, step=self.height) as i:
                self._put(terms, [least(e, i + h, count - 1) + r for h in range(self.height)], i)
            places = _places(e, self.form, addresses, self.scratch, r, 0)
            after, counts = collapsed(_after(self.form, (_DOT_ROWS, self.columns)), count)
            axis = best_vector_axis(after, e.lanes)
            LoopNest(e, after, self.operations, axis).emit(places, counts)

    def _by_columns(self, term: _Term) -> _Term:
        """The term with a copy of b in which columns are contiguous, if it is not too large."""
        e = self.e
        size = term.depth * self.columns
        fits = size * e.dtype.itemsize * len(self.terms) <= _COPIED_BYTES
        if term.b_depth == 1 or not fits:
            return term
        copy = e.scratch(size)
        with counted(e, term.depth) as k:
            for c in range(self.columns):
                x = e.load_scalar(moved(e, term.b, k, term.b_depth), c * term.column)
                e.store_scalar(x, copy, k + c * term.depth)
        return replace(term, b=copy, b_depth=1, column=term.depth)

    def _put(self, terms: Sequence[_Term], rows: Sequence[Value], i: Value) -> None:
        """Put the products of some rows into the scratch, at row i."""
        e = self.e
        place = e.at(self.scratch, i * self.columns)
        size = self.height * self.columns
        if self.is_long:
            for n in range(0, size, e.lanes):
                e.store(e.zero(), place, n)
        for together in _summed_together(e, terms):
            sums = [e.variable(e.zero()) for _ in range(size)]
            for term in _one_by_one(e, together):
                starts = [moved(e, term.a, r, term.row) for r in rows]
                whole, rest = split(term.depth, e.lanes)
                for k in counted_if_any(e, whole, e.lanes):
                    self._multiply(term, starts, k, None, sums)
                for tail in tails(e, rest):
                    self._multiply(term, starts, whole, tail, sums)
            vectors = [x.get() for x in sums]
            for n in range(0, size, e.lanes):
                x = _sums_of_elements(e, vectors[n : n + e.lanes])
                x = e.load(place, n) + x if self.is_long else x
                e.store(x, place, n)

    def _multiply(
        self,
        term: _Term,
        starts: Sequence[Value],
        k: Count,
        tail: Tail | None,
        sums: Sequence[Variable],
    ) -> None:
        e = self.e
        places = [
            moved(e, e.at(term.b, c * term.column), k, term.b_depth) for c in range(self.columns)
        ]
        columns = [load_vector(e, x, term.b_depth, tail) for x in places]
        lines = (e.load(x, k, tail.mask if tail else None) for x in starts)
        for (x, y), total in zip(itertools.product(lines, columns), sums, strict=True):
            total.set(e.fma(x, y, total.get()))
