"""A pass that replaces calls by cheaper ones of the same value: what rules leave behind."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.autodiff.rules import TABLE
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol, renamed

Definitions = Mapping[Symbol, Instruction]
"""The instructions that make variables."""


def simplified(program: StraightLineProgram) -> StraightLineProgram:
    """Simplify every instruction by the rules below, which are exact: equal numbers come out.

    What they leave unused is for the pass over dead code.
    """
    names: dict[Symbol | Memo, Any] = {}
    made: dict[Symbol, Instruction] = {}
    kept: list[Instruction] = []
    for each in program.instructions:
        call = each.renamed(names)
        same = _same_value(call, made)
        if same is not None:
            names[call.results[0]] = same
            continue
        call = _without_negatives(_without_powers(call), made)
        made.update(dict.fromkeys(call.results, call))
        kept.append(call)
    outputs = renamed(program.outputs, names)
    return replace(program, instructions=tuple(kept), outputs=outputs)


def _same_value(call: Instruction, made: Definitions) -> Symbol | None:
    """The earlier variable that the result of a call is equal to; None if it is known for none."""
    for x in call.operands:
        if isinstance(x, Symbol) and _alike(x, call.results[0]) and _keeps(call, x):
            return x
    for function in (np.negative, np.transpose):
        inner = _inverse(call, made, function)
        if inner is not None and _alike(inner, call.results[0]):
            return inner
    return None


def _alike(x: Symbol, y: Symbol) -> bool:
    return (x.shape, x.dtype, x.kind) == (y.shape, y.dtype, y.kind)


def _keeps(call: Instruction, x: Symbol) -> bool:
    """Whether a call whose result looks like its operand x is equal to it."""
    if call.function is np.multiply:
        return any(_is_one(c) for c in call.operands)
    if call.function is np.divide:
        return _is_one(call.operands[1])
    casts = call.name == "astype" and call.operands[0] is x
    return casts or any(_calls(call, each) for each in (np.reshape, np.broadcast_to, np.positive))


def _is_one(x: Any) -> bool:
    return isinstance(x, int | float | np.generic) and x == 1


def _inverse(call: Instruction, made: Definitions, function: Callable[..., Any]) -> Symbol | None:
    """The variable x, if the call is ``function(function(x))``, and nothing else is handed in."""
    inner: Any = call
    x: Any = None
    for _ in range(2):
        if inner is None or not _calls(inner, function) or len(inner.operands) != 1:
            return None
        x = inner.operands[0]
        inner = made.get(x) if isinstance(x, Symbol) else None
    return x if isinstance(x, Symbol) else None


_POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}


def _without_powers(call: Instruction) -> Instruction:
    """``x ** 2`` as the square, and so on: what the operator calls for these exponents."""
    if call.function is not operator.pow or call.results[0].kind != "array":
        return call
    x, y = call.operands
    if type(y) not in (int, float) or y not in _POWERS or x.dtype.kind != "f":
        return call
    f = _POWERS[y]
    treedef = optree.tree_structure(((x,), {}))
    return replace(call, name=f.__name__, function=f, operands=(x,), treedef=treedef)


def _without_negatives(call: Instruction, made: Definitions) -> Instruction:
    """``x + -y`` as ``x - y``, ``x - -y`` as ``x + y``, and ``-x * -y`` as ``x * y``."""
    if call.function not in (np.add, np.subtract, np.multiply) or len(call.operands) != 2:
        return call
    x, y = call.operands
    plain_x, plain_y = (_negated(each, made) for each in (x, y))
    if call.function is np.multiply:
        both = plain_x is not None and plain_y is not None
        return replace(call, operands=(plain_x, plain_y)) if both else call
    if plain_y is None:
        return call
    other = np.subtract if call.function is np.add else np.add
    return replace(call, name=other.__name__, function=other, operands=(x, plain_y))


def _negated(x: Any, made: Definitions) -> Symbol | None:
    """The variable of which x is the negative."""
    call = made.get(x) if isinstance(x, Symbol) else None
    is_negative = call is not None and call.function is np.negative
    return call.operands[0] if call is not None and is_negative else None


def _calls(call: Instruction, function: Callable[..., Any]) -> bool:
    """Whether an instruction calls a NumPy function, directly or through its record."""
    return call.function in (function, TABLE[function].implementation)
