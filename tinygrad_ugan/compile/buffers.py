"""Buffer planning: which results are written into memory that the program holds, and where.

Asking the system for a large array costs more than filling it, as every page of it is new. A result
that is written by ``out=`` gets one of the program's buffers, which the next result takes over as
soon as nothing reads the first any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol

MIN_BYTES = 2**14
"""Below this size NumPy keeps freed memory at hand, and ``out=`` costs more than it saves."""


@dataclass(frozen=True, slots=True)
class BufferPlan:
    """The buffers of a program.

    Attributes
    ----------
    buffers : tuple of Symbol
        Shape, dtype and layout of each.
    place : dict
        The number of the buffer that a variable is written to.
    last_read : dict
        By the number of an instruction, the results whose memory nothing reads after it.
    """

    buffers: tuple[Symbol, ...]
    place: dict[Symbol, int]
    last_read: dict[int, list[Symbol]]

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(each.nbytes for each in self.buffers)

    def allocate(self) -> list[Any]:
        """Make the buffers."""
        return [np.empty(y.shape, y.dtype, order=y.order) for y in self.buffers]  # type: ignore[call-overload]


def plan_buffers(program: StraightLineProgram) -> BufferPlan:
    """Give every large result that no output shares a buffer, and share the buffers."""
    owners = _owners(program)
    leaving = {owner for x in program.outputs if isinstance(x, Symbol) for owner in owners[x]}
    last_read = _last_reads(program, owners, leaving)
    buffers: list[Symbol] = []
    place: dict[Symbol, int] = {}
    free: defaultdict[Any, list[int]] = defaultdict(list)
    for i, each in enumerate(program.instructions):
        after = list(last_read.get(i, ()))
        y = each.results[0]
        if takes_out(each) and y.nbytes >= MIN_BYTES and y.order and y not in leaving:
            if each.elementwise:  # it may write over an operand that it is the last to read
                _release(after, place, free)
                after = []
            alike = free[_memory(y)]
            if not alike:
                alike.append(len(buffers))
                buffers.append(y)
            place[y] = alike.pop()
        _release(after, place, free)
    return BufferPlan(tuple(buffers), place, last_read)


def takes_out(call: Instruction) -> bool:
    """Whether a call is one of a ufunc, by position alone, that returns an array of its own."""
    f = call.function
    return (
        isinstance(f, np.ufunc)
        and f.nout == 1
        and len(call.operands) == f.nin
        and call.results[0].kind == "array"
    )


def _owners(program: StraightLineProgram) -> dict[Any, set[Symbol]]:
    """The results whose memory each variable may share, its own included.

    A function that is no ufunc may return a view, or the very operand if that looks the same.
    """
    owners: dict[Any, set[Symbol]] = {x: set() for x in program.inputs}
    for call in program.instructions:
        for y in call.results:
            owners[y] = {y}
            for x in () if takes_out(call) else call.variables:
                if y.is_view or (x.shape, x.dtype) == (y.shape, y.dtype):
                    owners[y] |= owners[x]
    return owners


def _last_reads(
    program: StraightLineProgram, owners: dict[Any, set[Symbol]], leaving: set[Symbol]
) -> dict[int, list[Symbol]]:
    last: dict[Symbol, int] = {}
    for i, call in enumerate(program.instructions):
        for x in (*call.variables, *call.results):
            last.update(dict.fromkeys(owners[x], i))
    found: dict[int, list[Symbol]] = {}
    for x, i in last.items():
        if x not in leaving:
            found.setdefault(i, []).append(x)
    return found


def _release(
    dead: Iterable[Symbol], place: dict[Symbol, int], free: defaultdict[Any, list[int]]
) -> None:
    for x in dead:
        if x in place:
            free[_memory(x)].append(place[x])


def _memory(x: Symbol) -> tuple[Any, ...]:
    return x.shape, x.dtype, x.order
