"""Straight-line programs: what a function does, written down as a list of calls on bare arrays.

There are no branches, a loop is one instruction with a program of its own, and every variable is
set once: by the inputs or by one instruction. A pass over a program is a function from program to
program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.primitive import Memo


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A value of a program, as far as it is the same in every run.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    kind : {"array", "scalar", "number", "memo"}
        A NumPy array, a NumPy scalar, a Python float, or a `Memo` that another program has filled.
    order : {"C", "F", ""}
        The layout of an array; empty if it is not contiguous.
    is_view : bool
        Whether an array shares the memory of another.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: str
    order: str
    is_view: bool = False

    @classmethod
    def like(cls, value: Any) -> Symbol:
        """Make a variable for an array, a NumPy scalar, a Python float or a memo."""
        if isinstance(value, np.ndarray):
            order = "C" if value.flags.c_contiguous else "F" if value.flags.f_contiguous else ""
            return cls(value.shape, value.dtype, "array", order, value.base is not None)
        if isinstance(value, Memo):
            return cls((), np.dtype(object), "memo", "")
        kind = "scalar" if isinstance(value, np.generic) else "number"
        return cls((), np.asarray(value).dtype, kind, "C")

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        if self.kind == "number":
            return "float"
        if self.kind == "memo":
            return "memo"
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """One call: ``function(*args, **params)``, whose leaves are variables and constants.

    Attributes
    ----------
    name : str
        For the listing.
    function : callable
        What is called, on bare arrays.
    operands : tuple
        The leaves of ``(args, params)``: variables, and anything else as a constant.
    treedef : PyTreeSpec
        The structure of ``(args, params)``.
    results : tuple of Symbol
        The leaves of what `function` returns.
    several : bool
        Whether `function` returns a container of these leaves, and not the only one itself.
    elementwise : bool
        Whether an element of the result depends on the same element of the operands alone.
    """

    name: str
    function: Callable[..., Any]
    operands: tuple[Any, ...]
    treedef: Any
    results: tuple[Symbol, ...]
    several: bool
    elementwise: bool

    @property
    def variables(self) -> Iterator[Symbol]:
        """The variables among the operands."""
        return (x for x in self.operands if isinstance(x, Symbol))

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The operands in their places: args and params."""
        args, params = optree.tree_unflatten(self.treedef, self.operands)
        return args, params

    @property
    def body(self) -> StraightLineProgram | None:
        """The program that a loop runs in every step; None of any other instruction."""
        return getattr(self.function, "body", None)

    def renamed(self, names: Mapping[Symbol | Memo, Any]) -> Instruction:
        """Return the instruction with other operands in place of some variables and memos."""
        return replace(self, operands=renamed(self.operands, names))


@dataclass(frozen=True, slots=True)
class StraightLineProgram:
    """A function of arrays as a list of instructions; ``print`` shows it.

    Attributes
    ----------
    name : str
        That of the function.
    inputs : tuple of Symbol
    instructions : tuple of Instruction
    outputs : tuple
        Variables and constants.
    """

    name: str
    inputs: tuple[Symbol, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Any, ...]

    @property
    def multiply_adds(self) -> int:
        """Of its products of matrices."""
        return sum(map(multiply_adds, self.instructions))

    @property
    def nbytes(self) -> int:
        """Bytes of all values that it computes, if none shared its memory with another."""
        own = sum(y.nbytes for each in self.instructions for y in each.results)
        return own + sum(n * body.nbytes for n, body in self._bodies)

    @property
    def length(self) -> int:
        """Number of instructions, those of the bodies of loops included."""
        return len(self.instructions) + sum(body.length for _, body in self._bodies)

    @property
    def _bodies(self) -> Iterator[tuple[int, StraightLineProgram]]:
        """The bodies of loops, and how many times they run."""
        for each in self.instructions:
            if each.body is not None:
                yield each.function.length, each.body  # type: ignore[attr-defined]

    def __str__(self) -> str:
        names = _Names(self)
        lines = [f"{self.name}({', '.join(f'{names.of(x)}: {x}' for x in self.inputs)}):"]
        lines += [f"    {line}" for each in self.instructions for line in names.lines(each)]
        lines.append(f"    return {', '.join(map(names.of, self.outputs))}")
        lines.append(
            f"# {self.length} instructions, {self.multiply_adds:,} multiply-adds in "
            f"products, {self.nbytes:,} bytes computed"
        )
        return "\n".join(lines)


PRODUCTS = ("matmul", "dot", "matmul_nt", "matmul_tn")


def multiply_adds(instruction: Instruction) -> int:
    """Multiply-adds of a product of matrices, or of a loop; 0 of any other instruction."""
    if instruction.body is not None:
        steps: int = instruction.function.length  # type: ignore[attr-defined]
        return steps * instruction.body.multiply_adds
    if instruction.name not in PRODUCTS or not instruction.operands:
        return 0
    left = instruction.operands[0]
    depth = left.shape[-2:][0 if instruction.name == "matmul_tn" else -1] if left.shape else 1
    return instruction.results[0].size * int(depth)


def renamed(operands: Iterable[Any], names: Mapping[Symbol | Memo, Any]) -> tuple[Any, ...]:
    """Replace some variables and memos; everything else is a constant, and stays."""
    return tuple(names.get(x, x) if isinstance(x, Symbol | Memo) else x for x in operands)


class _Names:
    """The names of a program's variables in its listing: x0, x1, ... and v0, v1, ..."""

    def __init__(self, program: StraightLineProgram) -> None:
        computed = [y for each in program.instructions for y in each.results]
        self._of = {x: f"x{i}" for i, x in enumerate(program.inputs)}
        self._of |= {x: f"v{i}" for i, x in enumerate(computed)}

    def of(self, x: Any) -> str:
        """Name a variable; describe a constant."""
        if isinstance(x, Symbol):
            return self._of[x]
        if isinstance(x, np.ndarray) and x.size > 1:
            return f"<{Symbol.like(x)}>"
        if callable(x):
            return f"<{getattr(x, '__name__', type(x).__name__)}>"
        return repr(x) if isinstance(x, _SHOWN) else f"<{type(x).__name__}>"

    def lines(self, instruction: Instruction) -> list[str]:
        """The call, and below it the body of a loop."""
        if instruction.body is None:
            return [self._line(instruction)]
        *body, _ = str(instruction.body).splitlines()
        return [self._line(instruction), *(f"    {line}" for line in body)]

    def _line(self, instruction: Instruction) -> str:
        results = ", ".join(f"{self.of(y)}: {y}" for y in instruction.results)
        args, params = instruction.arguments
        given = [self._argument(x) for x in args]
        given += [f"{name}={self._argument(x)}" for name, x in params.items()]
        count = multiply_adds(instruction)
        remark = f"  # {count:,} multiply-adds" if count else ""
        return f"{results} = {instruction.name}({', '.join(given)}){remark}"

    def _argument(self, x: Any) -> str:
        if type(x) in (tuple, list):
            return f"[{', '.join(map(self._argument, x))}]"
        return self.of(x)


_SHOWN = (int, float, str, slice, type(None), type(Ellipsis), np.generic, np.ndarray, np.dtype)
