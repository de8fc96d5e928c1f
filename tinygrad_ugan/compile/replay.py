"""Running a program by NumPy: a Python function of one line for each instruction.

The lines are those that one would write by hand, with ``out=`` where the program has a buffer for
the result, and without the tape, the levels and the checks of the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import optree

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.buffers import MIN_BYTES, plan_buffers
from tinygrad_ugan.compile.kernels import Kernels
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol
from tinygrad_ugan.errors import NotCompilableError


class Replay:
    """A program ready to run, with its buffers.

    Several threads may run it at once: each takes a set of buffers out, and puts it back.

    Attributes
    ----------
    source : str
        The Python function that runs.
    """

    def __init__(self, program: StraightLineProgram) -> None:
        self._plan = plan_buffers(program)
        self._idle: list[list[Any]] = []
        writer = _Writer(program, self._plan.place, self._plan.last_read)
        self.source = writer.source(len(self._plan.buffers))
        exec(compile(self.source, f"<program of {program.name}>", "exec"), writer.globals)  # noqa: S102
        self._run = writer.globals["run"]
        self._constants = [  # arrays, kernels and loops
            x for x in writer.globals.values() if hasattr(x, "nbytes") and not isinstance(x, type)
        ]

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls."""
        held: int = sum(x.nbytes for x in self._constants)
        return held + self._plan.nbytes * max(1, len(self._idle))

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs for given inputs; they share no memory with anything else."""
        try:
            buffers = self._idle.pop()
        except IndexError:
            buffers = self._plan.allocate()
        with np.errstate(all="ignore"):
            outputs: list[Any] = self._run(buffers, *inputs)
        self._idle.append(buffers)
        return outputs


class _Writer:
    """The source of a program, and the functions and constants that its names stand for."""

    def __init__(
        self,
        program: StraightLineProgram,
        place: dict[Symbol, int],
        last_read: dict[int, list[Symbol]],
    ) -> None:
        self.globals: dict[str, Any] = {"own": _own, "moved": _moved, "leaves": optree.tree_leaves}
        self._program = program
        self._place = place
        self._last_read = last_read
        self._names = {x: f"x{i}" for i, x in enumerate(program.inputs)}
        self._constants: dict[int, str] = {}
        self._memos: list[str] = []

    def source(self, buffers: int) -> str:
        """Write the function ``run(buffers, *inputs) -> outputs``."""
        inputs = list(self._names.values())
        lines = [line for i in range(len(self._program.instructions)) for line in self._lines(i)]
        outputs = self._text(tuple(self._program.outputs))
        given = [n for n, x in self.globals.items() if isinstance(x, np.ndarray)] + inputs
        head = [f"def run({', '.join(['buffers', *inputs])}):"]
        head += [f"b{i} = buffers[{i}]" for i in range(buffers)]
        head += [f"{memo} = {memo}_.fresh()" for memo in self._memos]
        return "\n    ".join([*head, *lines, f"return own({outputs}, [{', '.join(given)}])"])

    def _lines(self, i: int) -> list[str]:
        call = self._program.instructions[i]
        value = self._call(call)
        results = [f"v{len(self._names) + j}" for j in range(len(call.results))]
        self._names |= zip(call.results, results, strict=True)
        left = ", ".join(results)
        lines = [f"[{left}] = leaves({value})" if call.several else f"{left} = {value}"]
        if isinstance(call.function, Kernels):
            lines = [f"[{left}] = {value}"]
        elif not (call.elementwise or isinstance(call.function, np.ufunc)):
            lines += [
                f"if {name}.shape != {y.shape}: moved({call.name!r})"
                for name, y in zip(results, call.results, strict=True)
                if y.kind != "number"
            ]
        dead = [x for x in self._last_read.get(i, ()) if x.nbytes >= MIN_BYTES]
        return [*lines, *(f"{self._names[x]} = None" for x in dead)]

    def _call(self, call: Instruction) -> str:
        f = self._constant(call.function)
        if call.results[0] in self._place:
            operands = ", ".join(map(self._name, call.operands))
            return f"{f}({operands}, out=b{self._place[call.results[0]]})"
        args, params = call.arguments
        given = [self._text(x) for x in args]
        given += [f"{name}={self._text(x)}" for name, x in params.items()]
        return f"{f}({', '.join(given)})"

    def _text(self, x: Any) -> str:
        """An expression for an argument, a variable, a constant or a container of these."""
        if type(x) is tuple:
            return f"({''.join(f'{self._text(each)}, ' for each in x)})"
        if type(x) is list:
            return f"[{', '.join(map(self._text, x))}]"
        if type(x) is dict and all(isinstance(name, str) for name in x):
            return f"{{{', '.join(f'{name!r}: {self._text(each)}' for name, each in x.items())}}}"
        leaves, treedef = optree.tree_flatten(x)
        if isinstance(x, Symbol) or not any(isinstance(each, Symbol) for each in leaves):
            return self._name(x)
        return f"{self._constant(treedef.unflatten)}([{', '.join(map(self._text, leaves))}])"

    def _name(self, x: Any) -> str:
        if isinstance(x, Symbol):
            return self._names[x]
        return repr(x) if type(x) in _LITERALS else self._constant(x)

    def _constant(self, x: Any) -> str:
        name = self._constants.get(id(x))
        if name is None:
            name = self._constants[id(x)] = f"c{len(self._constants)}"
            if isinstance(x, Memo):
                self._memos.append(name)
            self.globals[f"{name}_" if isinstance(x, Memo) else name] = x
        return name


_LITERALS = (int, bool, str, type(None), type(Ellipsis))


def _own(outputs: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Copy the outputs that share memory with each other or with inputs and constants."""
    taken = set(map(id, others))
    found = []
    for x in outputs:
        if isinstance(x, np.ndarray) and (x.base is not None or id(x) in taken):
            x = x.copy()
        taken.add(id(x))
        found.append(x)
    return found


def _moved(name: str) -> NoReturn:
    raise NotCompilableError(
        f"the shape of what {name} returns depends on the numbers that it is given, and a program "
        "has fixed shapes; do this part outside of the compiled function"
    )
