"""Fusion: operations that run through the same points become one kernel.

A group has one space. A map joins the group that computes the last of its operands, if it runs
through the same points and reads that operand point by point; so does a reduction. A product begins
a group, whose maps are its epilogue: they work on its elements before these are stored. Windows of
images, sums of windows, and arrays that are joined are groups of their own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tinygrad_ugan.compile.operations import (
    ADD,
    Joining,
    Map,
    Operation,
    Product,
    Reduce,
    Windowing,
    reads,
)
from tinygrad_ugan.compile.strided import Storage, View

MAX_ARRAYS = 15
"""Of a kernel: a call has 16 arguments, one of which is the first row."""

MAX_OPERATIONS = 64
"""Of a kernel: beyond, its values do not fit into registers, nor its code into the cache."""

MAX_TERMS = 4
"""Of a sum of products."""


@dataclass(slots=True, eq=False)
class Group:
    """Operations that become one kernel.

    Attributes
    ----------
    space : tuple of int
        The extents of its points, without those of length 1.
    operations : list of Operation
        A product, if there is one, then maps and reductions. All of these are over the same axes.
    """

    space: tuple[int, ...]
    operations: list[Operation] = field(default_factory=list)

    @property
    def product(self) -> Product | None:
        """The product whose elements the maps work on."""
        first = self.operations[0]
        return first if isinstance(first, Product) else None

    @property
    def copying(self) -> Windowing | Joining | None:
        """The windows that it takes, or sums up, or what it joins, if that is what it does."""
        first = self.operations[0]
        return first if isinstance(first, Windowing | Joining) else None

    @property
    def maps(self) -> list[Map]:
        """The elementwise functions, in order."""
        return [each for each in self.operations if isinstance(each, Map)]

    @property
    def reductions(self) -> list[Reduce]:
        """The reductions."""
        return [each for each in self.operations if isinstance(each, Reduce)]

    @property
    def values(self) -> set[Storage]:
        """The storages of the results at its points."""
        return {each.out for each in self.operations if not isinstance(each, Reduce)}

    def loads(self) -> list[View]:
        """The views that it reads point by point, without its own values."""
        views = (
            x for each in self.operations if not isinstance(each, Product) for x in reads(each)
        )
        values = self.values
        return list(dict.fromkeys(x for x in views if x.storage not in values))

    def sources(self) -> Iterator[View]:
        """All views that it reads from memory, as its kernel's arguments."""
        yield from self.loads()
        yield from reads(self.product) if self.product else ()

    def stored(self, uses: Counter[Storage]) -> list[Storage]:
        """The values that others use as well, given the number of uses of all storages."""
        own = Counter(x.storage for each in self.operations for x in reads(each))
        return [
            each.out
            for each in self.operations
            if not isinstance(each, Reduce) and uses[each.out] > own[each.out]
        ]


def fuse(operations: Sequence[Operation], results: Iterable[Storage]) -> list[Group]:
    """Make groups of operations, in an order in which they can run.

    `results` are needed outside.
    """
    results = list(results)
    operations = _with_sums_of_products(operations, count_uses(operations, results))
    fusion = _Fusion(count_uses(operations, results))
    for each in operations:
        fusion.add(each)
    fusion.merge_neighbours()
    return fusion.groups


def count_uses(operations: Iterable[Operation], results: Iterable[Storage]) -> Counter[Storage]:
    """How often every storage is read, by operations and outside."""
    uses = Counter(x.storage for each in operations for x in reads(each))
    uses.update(results)
    return uses


class _Fusion:
    def __init__(self, uses: Counter[Storage]) -> None:
        self.groups: list[Group] = []
        self._uses = uses
        self._maker: dict[Storage, int] = {}

    def add(self, each: Operation) -> None:
        space = _space(each)
        place = (
            None if isinstance(each, Product | Windowing | Joining) else self._place(each, space)
        )
        if place is None:
            place = len(self.groups)
            self.groups.append(Group(space))
        self.groups[place].operations.append(each)
        self._maker[each.out] = place

    def merge_neighbours(self) -> None:
        """Merge groups one after the other that make a small one.

        An operation does not join a group that writes too much; but what it writes, later
        operations may be alone to read.
        """
        i = 1
        while i < len(self.groups):
            first, second = self.groups[i - 1 : i + 1]
            if self._can_merge(first, second):
                first.operations += second.operations
                del self.groups[i]
            else:
                i += 1

    def _can_merge(self, first: Group, second: Group) -> bool:
        if first.space != second.space or second.product or (first.product and second.reductions):
            return False
        if first.copying or second.copying:
            return False
        sums = {each.out for each in first.reductions}
        values = first.values
        read = [x for x in second.loads() if x.storage in values or x.storage in sums]
        is_pointwise = all(x.is_whole and x.storage in values for x in read)
        same_axes = len({*map(reduced, (*first.reductions, *second.reductions))}) <= 1
        operations = [*first.operations, *second.operations]
        return is_pointwise and same_axes and self._is_small(Group(first.space, operations))

    def _place(self, each: Map | Reduce, space: tuple[int, ...]) -> int | None:
        """The group that an operation can join: that which makes the last of its operands."""
        operands = list(reads(each))
        last = max((self._maker.get(x.storage, -1) for x in operands), default=-1)
        if last < 0 or self.groups[last].space != space or self.groups[last].copying:
            return None
        group = self.groups[last]
        values = group.values
        own = [x for x in operands if self._maker.get(x.storage) == last]
        if not all(x.is_whole and x.storage in values for x in own):
            return None
        if isinstance(each, Reduce) and not _can_reduce(group, each):
            return None
        return last if self._is_small(Group(space, [*group.operations, each])) else None

    def _is_small(self, group: Group) -> bool:
        written = len(group.stored(self._uses)) + len(group.reductions)
        arrays = len(list(group.sources())) + written
        return arrays <= MAX_ARRAYS and len(group.operations) <= MAX_OPERATIONS


def _can_reduce(group: Group, each: Reduce) -> bool:
    others = group.reductions
    return group.product is None and all(reduced(x) == reduced(each) for x in others)


def reduced(each: Reduce) -> tuple[bool, ...]:
    """Which axes of its space a reduction runs over."""
    return tuple(i in each.axes for i, n in enumerate(each.operand.shape) if n != 1)


def _space(each: Operation) -> tuple[int, ...]:
    match each:
        case Map():
            shape = each.out.shape
        case Product():
            shape = each.shape
        case Reduce():
            shape = each.operand.shape
        case Windowing() | Joining():  # a row is an image, say, also of a batch of one
            return each.out.shape[0], math.prod(each.out.shape[1:])
    return tuple(n for n in shape if n != 1)


def _with_sums_of_products(
    operations: Sequence[Operation], uses: Counter[Storage]
) -> list[Operation]:
    """Make ``x y + u v`` one sum of products, where nothing else reads its terms.

    The tangent of a product is such a sum, ``Ra b + a Rb``.
    """
    products: dict[Storage, Product] = {}
    found: dict[Operation, None] = {}
    for each in operations:
        terms = _terms(each, products, uses)
        if terms:
            for x in reads(each):
                del found[products.pop(x.storage)]
            each = Product(terms, each.out)
        if isinstance(each, Product):
            products[each.out] = each
        found[each] = None
    return list(found)


def _terms(
    each: Operation, products: dict[Storage, Product], uses: Counter[Storage]
) -> tuple[tuple[View, View], ...]:
    """The terms of two products, if an operation adds them; otherwise none."""
    operands = list(reads(each))
    if not isinstance(each, Map) or each.operation != ADD or len(operands) != 2:
        return ()
    x, y = (products.get(x.storage) if x.is_whole else None for x in operands)
    if x is None or y is None or x is y or max(uses[x.out], uses[y.out]) > 1:
        return ()
    terms = x.terms + y.terms
    return terms if len(terms) <= MAX_TERMS and x.shape == y.shape else ()
