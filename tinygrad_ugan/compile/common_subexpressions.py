"""A pass that computes a value once which several instructions compute."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol, renamed

_PLAIN = (int, str, bytes, bool, np.dtype, type)
_LARGEST = 2**14  # bytes of a constant that are worth comparing


def with_common_subexpressions(program: StraightLineProgram) -> StraightLineProgram:
    """Let equal calls share their results, which stay the same to the bit.

    Calls are equal if they call the same function on the same variables and on equal constants;
    and then they leave the same in their memos, which become one.
    """
    names: dict[Symbol | Memo, Any] = {}
    known: dict[Hashable, Instruction] = {}
    kept: list[Instruction] = []
    filled: set[Memo] = set()
    for each in program.instructions:
        call = each.renamed(names)
        key = call.function, call.treedef, tuple(_key(x, filled) for x in call.operands)
        first = known.setdefault(key, call)
        if first is call:
            kept.append(call)
            filled.update(x for x in call.operands if isinstance(x, Memo))
        else:
            pairs = zip(call.results + call.operands, first.results + first.operands, strict=True)
            names.update((x, y) for x, y in pairs if isinstance(x, Symbol | Memo))
    outputs = renamed(program.outputs, names)
    return replace(program, instructions=tuple(kept), outputs=outputs)


def _key(x: Any, filled: Collection[Memo] = ()) -> Hashable:
    """A key of an operand, the same only for operands that no function can tell apart."""
    if isinstance(x, Memo) and x not in filled:
        return Memo
    if isinstance(x, np.ndarray | np.generic) and x.nbytes <= _LARGEST and not x.dtype.hasobject:
        return type(x), x.shape, x.strides, x.dtype, x.tobytes()
    if isinstance(x, float):
        return float, x.hex()
    if isinstance(x, slice):
        return slice, _key(x.start), _key(x.stop), _key(x.step)
    return (type(x), x) if isinstance(x, _PLAIN) else (type(x), id(x))
