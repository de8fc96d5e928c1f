"""Scheduling: groups in phases, whose parts run on several threads, and in blocks of rows.

A group runs row by row, a row being an index of the first axis of its space. Groups that read of
each other's results the same row alone form a *section*: a block of rows goes through all of them
while it is in the cache, and no thread waits for another. Sections that do not depend on each other
share a *phase*, between which threads wait.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinygrad_ugan.compile.fusion import Group, reduced
from tinygrad_ugan.compile.operations import (
    COPY,
    Joining,
    Map,
    Product,
    Reduce,
    RowProduct,
    Windowing,
)
from tinygrad_ugan.compile.strided import Storage, View

CHUNKS = 4
"""Parts of a phase; fixed, as sums over rows are added up part by part."""

UNIT = 8
"""Shares and blocks are multiples of so many rows, the height of a product's tile."""

BLOCK, BLOCK_NUMBERS = 64, 2**13
"""Rows that go through a section together, at least; and more while they have so few numbers."""

PARALLEL = 2**15
"""Vector operations from which on a phase has parts: about ten microseconds."""

_LANES = 16
_MAP_COST = 4  # vector operations, on average over sums and exponentials

Blocks = list[list[tuple[int, int]]]


@dataclass(slots=True, eq=False)
class Section:
    """Groups that run one after the other on some rows.

    Attributes
    ----------
    rows : int
    groups : list of Group
    kind : {"blocks", "shares", "alone", "parts"}
        Every part of a phase has a share of the rows, and each of its blocks goes through all
        groups; or it has one block; or one part has all rows; or part i has row i.
    unit : int
        What shares of rows are multiples of; the same for all sections of a phase with the same
        rows, as one may read what another has written.
    """

    rows: int
    groups: list[Group]
    kind: str = "blocks"
    unit: int = UNIT

    @property
    def work(self) -> float:
        """Vector operations, roughly."""
        return sum(map(work, self.groups))

    @property
    def is_split(self) -> bool:
        """Whether every part has a share of the rows."""
        return self.kind in ("blocks", "shares")

    @property
    def row_products(self) -> list[RowProduct]:
        """The sums over rows."""
        products = (each.product for each in self.groups)
        return [each for each in products if isinstance(each, RowProduct)]

    def has_shares_of(self, other: Section) -> bool:
        """Whether every part has the rows that it has in another section."""
        return self.rows == other.rows and self.is_split and other.is_split

    def blocks(self, chunks: int, place: int) -> Blocks:
        """The blocks of every part; `place` is the part that has them all, if one has."""
        if self.kind == "parts" and chunks > 1:
            return [[(c, 1)] for c in range(chunks)]
        shares = chunks if self.is_split else 1
        units = -(-self.rows // self.unit)
        edges = [min(units * c // shares * self.unit, self.rows) for c in range(shares + 1)]
        found = [
            [(r, min(self.block, stop - r)) for r in range(start, stop, self.block)]
            for start, stop in itertools.pairwise(edges)
        ]
        if self.is_split:
            return found
        return [found[0] if c == place % chunks else [] for c in range(chunks)]

    @property
    def block(self) -> int:
        """The rows of a block, at most."""
        if self.row_products:
            return BLOCK
        if self.kind != "blocks" or len(self.groups) == 1:
            return self.rows
        longest = max(math.prod(extents(each)[1:]) for each in self.groups)
        return min(self.rows, max(BLOCK, BLOCK_NUMBERS // longest // UNIT * UNIT))


@dataclass(slots=True, eq=False)
class Phase:
    """Sections of which none depends on another, unless it has a single part.

    Attributes
    ----------
    sections : list of Section
    chunks : int
        Number of parts.
    """

    sections: list[Section] = field(default_factory=list)
    chunks: int = 1


def schedule(groups: Sequence[Group]) -> list[Phase]:
    """Put groups in phases, so that every group runs after those whose results it reads.

    It runs as early as that, but if those who read its results row by row run later, it runs with
    them: then a block of its results stays in the cache, and never gets to the memory.
    """
    earliest = _phase_of_each(groups, {})
    openings = _openings(groups, _delayed(groups, earliest))
    return _merged(opening.phase() for opening in openings)


def _openings(groups: Sequence[Group], not_before: Mapping[Group, int]) -> list[_Opening]:
    maker = {storage: each for each in groups for storage in results(each)}
    remaining, openings = list(groups), list[_Opening]()
    finished: set[Group] = set()
    while remaining:
        opening, later = _Opening(finished, maker), list[Group]()
        for each in remaining:
            waits = not_before.get(each, 0) > len(openings)
            if waits or not opening.accepts(each):
                later.append(each)
        remaining = later
        finished.update(opening.section_of)
        openings.append(opening)
    return openings


def _phase_of_each(groups: Sequence[Group], not_before: Mapping[Group, int]) -> dict[Group, int]:
    openings = _openings(groups, not_before)
    return {each: i for i, opening in enumerate(openings) for each in opening.section_of}


def _delayed(groups: Sequence[Group], earliest: Mapping[Group, int]) -> dict[Group, int]:
    """The phase of the first readers, of groups whose results these read row by row."""
    readers = defaultdict[Storage, list[tuple[Group, View]]](list)
    for group in groups:
        for x in group.sources():
            readers[x.storage].append((group, x))
    phase_of = dict(earliest)
    for group in reversed(groups):
        mine = [each for storage in results(group) for each in readers[storage]]
        first = min((phase_of[reader] for reader, _ in mine), default=0)
        if first > phase_of[group] and _kind(group) == "blocks" and rows_of(group) > BLOCK:
            together = [(reader, x) for reader, x in mine if phase_of[reader] == first]
            if all(_may_run_with(group, reader, x) for reader, x in together):
                phase_of[group] = first
    return {each: i for each, i in phase_of.items() if i > earliest[each]}


def _may_run_with(group: Group, reader: Group, x: View) -> bool:
    """Whether a block of rows can go through a group and then through a reader of its results."""
    alike = rows_of(group) == rows_of(reader) and _kind(reader) == "blocks"
    return alike and reads_by_row(reader, x)


def results(group: Group) -> Iterable[Storage]:
    """All storages that a group computes."""
    return (each.out for each in group.operations)


class _Opening:
    """A phase that still accepts groups."""

    def __init__(self, finished: set[Group], maker: dict[Storage, Group]) -> None:
        self._finished, self._maker = finished, maker
        self._sections: list[Section] = []
        self.section_of: dict[Group, Section] = {}

    def accepts(self, group: Group) -> bool:
        """Add a group if all that it reads is there, or will be, row by row."""
        inside = []
        for x in group.sources():
            made_by = self._maker.get(x.storage)
            if made_by is None or made_by in self._finished:
                continue
            if made_by not in self.section_of or not reads_by_row(group, x):
                return False
            inside.append(self.section_of[made_by])
        section = Section(rows_of(group), [], _kind(group))
        if not all(section.has_shares_of(each) for each in inside):
            return False
        self.section_of[group] = self._joined(section, inside)
        self.section_of[group].groups.append(group)
        return True

    def _joined(self, section: Section, inside: Sequence[Section]) -> Section:
        """The last section that a group can go into, after those it reads from; or a new one."""
        alike = [x for x in self._sections if (x.rows, x.kind) == (section.rows, "blocks")]
        if section.kind == "blocks" and alike:
            place = self._sections.index(alike[-1])
            if all(self._sections.index(each) <= place for each in inside):
                return alike[-1]
        self._sections.append(section)
        return section

    def phase(self) -> Phase:
        """The phase, with as many parts as it is worth."""
        sections = self._sections
        is_parallel = sum(each.work for each in sections) >= PARALLEL
        is_parallel = is_parallel or any(each.kind == "shares" for each in sections)
        summed = {each.rows for each in sections if each.row_products}
        for each in sections:
            each.unit = BLOCK if each.rows in summed else UNIT
        sums = [product for each in sections for product in each.row_products]
        if sums:
            zeros = Section(CHUNKS, [_zeros(each.out) for each in sums], "parts")
            sections = [zeros, *sections]
        return Phase(sections, CHUNKS if is_parallel else 1)


def _kind(group: Group) -> str:
    if is_by_row(group):
        return "blocks"
    return "shares" if is_partial(group) else "alone"


def _zeros(storage: Storage) -> Group:
    """The group that sets all elements to 0."""
    space = tuple(n for n in storage.shape if n != 1)
    return Group(space, [Map(COPY, (0.0,), storage)])


def _merged(phases: Iterable[Phase]) -> list[Phase]:
    """Make one phase of consecutive ones with a single part: their sections run in order."""
    found: list[Phase] = []
    for phase in phases:
        if found and phase.chunks == found[-1].chunks == 1:
            found[-1].sections += phase.sections
        else:
            found.append(phase)
    return found


def rows_of(group: Group) -> int:
    """The extent of the first axis; or that of the depth, of a sum over rows."""
    product = group.product
    return product.rows if isinstance(product, RowProduct) else extents(group)[0]


def extents(group: Group) -> tuple[int, ...]:
    """The space as a kernel runs through it: at least one axis, and two of a product."""
    return group.product.shape if group.product else group.space or (1,)


def is_by_row(group: Group) -> bool:
    """Whether every row of the results belongs to one row of the space."""
    return not any((*reduced(each), True)[0] for each in group.reductions)


def is_partial(group: Group) -> bool:
    """Whether every part of a phase has results of its own."""
    return isinstance(group.product, RowProduct) or any(map(_is_partial, group.reductions))


def _is_partial(each: Reduce) -> bool:
    return len(each.out.shape) > len(each.operand.shape)


def with_partial_results(groups: Sequence[Group]) -> list[Group]:
    """Let large reductions over rows run in parts, and reduce the results of these."""
    found: list[Group] = []
    for each in groups:
        if is_by_row(each) or work(each) < PARALLEL or rows_of(each) < CHUNKS * UNIT:
            found.append(each)
        else:
            found += _in_parts(each)
    return found


def _in_parts(group: Group) -> list[Group]:
    parts = list(group.operations)
    totals = []
    for i, each in enumerate(parts):
        if isinstance(each, Reduce):
            kept = tuple(1 if axis in each.axes else n for axis, n in enumerate(each.operand.shape))
            partial = Storage((CHUNKS, *kept), each.out.dtype)
            parts[i] = replace(each, out=partial)
            total = Reduce(each.operation, View.of(partial), (0,), each.out)
            totals.append(Group((CHUNKS, *(n for n in kept if n != 1)), [total]))
    return [Group(group.space, parts), *totals]


def reads_by_row(group: Group, x: View) -> bool:
    """Whether a group reads in every row of a view elements of the same row of its storage."""
    product = group.product
    if isinstance(product, RowProduct):
        return True
    if product and any(x is b for _, b in product.terms):
        return False
    return is_row_by_row(x, rows_of(group))


def is_row_by_row(x: View, rows: int) -> bool:
    """Whether a view has in every row elements of the same row of its storage.

    A row is an index of the first axis, of which there must be as many.
    """
    shape = tuple(n for n in x.storage.shape if n != 1)
    if not shape or shape[0] != rows or rows == 1:
        return False
    length = math.prod(shape[1:])
    axes = [(n, s) for n, s in zip(x.shape, x.strides, strict=True) if n != 1]
    reach = x.offset + sum((n - 1) * s for n, s in axes[1:])
    is_forward = all(s >= 0 for _, s in axes)
    return bool(axes) and axes[0] == (rows, length) and is_forward and reach < length


def work(group: Group) -> float:
    """Vector operations of a group, roughly."""
    total = 0.0
    for each in group.operations:
        match each:
            case Product():
                rows, columns = each.shape
                depth = sum(a.shape[1] for a, _ in each.terms)
                if isinstance(each, RowProduct):
                    depth *= each.rows // BLOCK
                total += rows * columns * depth / min(_LANES, max(columns, depth))
            case Map():
                total += _MAP_COST * math.prod(each.out.shape) / _LANES
            case Reduce():
                total += math.prod(each.operand.shape) / _LANES
            case Windowing():
                total += max(map(math.prod, (each.operand.shape, each.out.shape))) / _LANES
            case Joining():
                total += math.prod(each.out.shape) / _LANES
    return total
