"""Memory planning: where a program's values are, from when on, and until when.

A value that only the groups of one section use is there for one block of rows at a time: every part
has room for a block, which stays in its cache. All others have room for all rows. Room that nobody
reads any more is given to the next value of the same size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tinygrad_ugan.compile.fusion import Group
from tinygrad_ugan.compile.scheduling import Phase, Section
from tinygrad_ugan.compile.strided import Storage, View
from tinygrad_ugan.kernels.program import CHUNK, NOWHERE, ROW, Place, Program

_LINE = 64  # bytes of a cache line


class MemoryPlan:
    """The places of all values.

    Parameters
    ----------
    program : Program
        Reserves the memory.
    phases : sequence of Phase
    arrays : mapping
        The views that every group reads and writes.
    places : dict
        Places of inputs and outputs; all others are added.
    """

    def __init__(
        self,
        program: Program,
        phases: Sequence[Phase],
        arrays: Mapping[Group, Sequence[View]],
        places: dict[Storage, Place],
    ) -> None:
        self._program, self._arrays, self._places = program, arrays, places
        self._free: defaultdict[int, list[Place]] = defaultdict(list)
        in_blocks = self._in_blocks(phases)
        for phase in phases:
            for section in phase.sections:
                self._place_blocks(section, phase.chunks, in_blocks.get(section, set()))
        self._free.clear()  # they have parts
        self._place_others(list(_times(phases)))

    def _used(self, group: Group) -> Iterator[Storage]:
        """The storages of a group that have no place yet."""
        for x in self._arrays[group]:
            if x.storage.constant is not None:
                self._places[x.storage] = Place(NOWHERE, constant=x.storage.constant)
            elif x.storage not in self._places:
                yield x.storage

    def _in_blocks(self, phases: Sequence[Phase]) -> dict[Section, set[Storage]]:
        """The storages that only groups of one section use, if it has several blocks."""
        users: defaultdict[Storage, set[Section]] = defaultdict(set)
        for phase in phases:
            for section in phase.sections:
                for storage in (x for each in section.groups for x in self._used(each)):
                    users[storage].add(section)
        found: defaultdict[Section, set[Storage]] = defaultdict(set)
        for storage, (section, *others) in users.items():
            if not others and section.kind == "blocks" and section.block < section.rows:
                found[section].add(storage)
        return found

    def _place_blocks(self, section: Section, chunks: int, storages: set[Storage]) -> None:
        used = [
            [x for x in dict.fromkeys(self._used(each)) if x in storages] for each in section.groups
        ]
        last = {x: i for i, those in enumerate(used) for x in those}
        rooms: dict[Storage, Place] = {}
        for i, those in enumerate(used):
            for x in those:
                if x not in rooms:
                    size = _block(x, section)
                    rooms[x] = self._take(chunks * size)
                    # A kernel goes to its first row by itself, and the block begins there.
                    row = x.nbytes // section.rows
                    self._places[x] = rooms[x].along(CHUNK, size).along(ROW, -row)
            for x in those:
                if last[x] == i:
                    self._free[chunks * _block(x, section)].append(rooms[x])

    def _place_others(self, times: Sequence[Sequence[Group]]) -> None:
        last = {x: t for t, groups in enumerate(times) for each in groups for x in self._used(each)}
        ending: defaultdict[int, list[Storage]] = defaultdict(list)
        for storage, time in last.items():
            ending[time].append(storage)
        for time, groups in enumerate(times):
            for storage in (x for each in groups for x in self._used(each)):
                self._places[storage] = self._take(_whole_lines(storage.nbytes))
            for storage in ending[time]:
                self._free[_whole_lines(storage.nbytes)].append(self._places[storage])

    def _take(self, size: int) -> Place:
        alike = self._free[size]
        return alike.pop() if alike else self._program.memory(size)


def _block(x: Storage, section: Section) -> int:
    """Bytes of a block of rows."""
    return _whole_lines(section.block * (x.nbytes // section.rows))


def _whole_lines(size: int) -> int:
    return -(-size // _LINE) * _LINE


def _times(phases: Sequence[Phase]) -> Iterator[list[Group]]:
    """The groups that may run at the same time, in order."""
    for phase in phases:
        if phase.chunks > 1:
            yield [each for section in phase.sections for each in section.groups]
            continue
        for section in phase.sections:
            one_by_one = section.block == section.rows
            yield from ([x] for x in section.groups) if one_by_one else [section.groups]
