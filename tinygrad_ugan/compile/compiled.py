"""`compile`: a function that is recorded once for each kind of arguments, and then replayed.

A compiled function is one operation to whatever differentiates it: its derivatives are compiled
functions themselves, of the arguments and their tangents or cotangents, and so to any order. Within
another compiled function it becomes part of that one's program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.call_tracing import TracedCall, uses_traced_value
from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import as_plain, is_differentiated, untrace
from tinygrad_ugan.autodiff.pytrees import restrict
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.compile.common_subexpressions import with_common_subexpressions
from tinygrad_ugan.compile.dead_code import without_dead_code
from tinygrad_ugan.compile.program import StraightLineProgram, Symbol
from tinygrad_ugan.compile.recorder import Recorded, Recording
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.side_effects import without_random_numbers
from tinygrad_ugan.compile.simplification import simplified
from tinygrad_ugan.errors import ArgumentTypeError, kind_of
from tinygrad_ugan.kernels.program_cache import LRUCache

PASSES = (simplified, with_common_subexpressions, without_dead_code)
"""Over every program, in this order."""


def compile(f: Callable[..., Any], *, max_bytes: int = 2**29) -> Compiled:  # noqa: A001
    """Make a function equal to `f` that is recorded once, and then runs as one program.

    On the first call with arguments of some structure, shapes and dtypes, `f` runs, and all that
    NumPy does beneath it is recorded: transforms inside `f` are plain arithmetic by then. Later
    calls run the program, without Python code of `f`, tape or checks, and with dead code, repeated
    calculations and most allocations gone. ``compile(grad(f))``, ``grad(compile(f))``,
    ``compile(partial(hvp, f))`` and so on work in any order; the derivative outside is the same but
    slower, as it evaluates `f` again.

    Parameters
    ----------
    f : callable
        A function of pytrees of arrays, without side effects: it looks at nothing but its
        arguments and constants. Arrays from around it are constants, as they were when it was
        recorded.
    max_bytes : int
        Bound on the memory that programs hold between calls; beyond it the least recently used are
        dropped, and recorded again when they are needed.

    Returns
    -------
    Compiled
        Takes what `f` takes and returns what it returns. Python floats are arguments like arrays of
        one number; other arguments that are no arrays, such as an int, a str or a function, are
        part of the program: a new value is recorded anew.

    Raises
    ------
    NotCompilableError
        When called: if `f` branches on a number or reads one, or if shapes depend on numbers.
    NotDifferentiableError
        When called: if `f` uses a value under differentiation that is not among its arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> @ug.compile
    ... def slope(w, x):
    ...     return ug.grad(lambda w: np.sum(np.tanh(x @ w)))(w)
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> slope(np.zeros(2), x)
    array([4., 6.])
    >>> print(slope.program(np.zeros(2), x))
    slope(x0: float64[2], x1: float64[2, 2]):
        v0: float64[2] = matmul(x1, x0)  # 4 multiply-adds
        v1: float64[2] = tanh(v0)
        v2: float64[2] = tanh_slope(v1, v0)
        v3: float64[2] = multiply(<float64[2]>, v2)
        v4: float64[2] = matmul(v3, x1)  # 4 multiply-adds
        return v4
    # 5 instructions, 8 multiply-adds in products, 80 bytes computed
    """
    return Compiled(f, LRUCache(max_bytes, max_entries=2**16))


class Compiled:
    """A function that runs as a program; made by `compile`."""

    def __init__(self, f: Callable[..., Any], programs: LRUCache) -> None:
        functools.update_wrapper(self, f)
        self._f = f
        self._name = getattr(f, "__name__", "f")
        self._programs = programs
        self._derivatives: dict[Hashable, Compiled] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the function."""
        leaves, treedef = optree.tree_flatten((args, kwargs))
        key, inputs = _split(leaves)
        if inputs is None:
            if any(isinstance(untrace(x), Recorded) for x in leaves):
                return self._f(*args, **kwargs)  # part of the program that is being recorded
            return self._differentiated(leaves, treedef)
        entry = self._entry(key, leaves, treedef)
        return optree.tree_unflatten(entry.treedef, entry.replay(inputs))

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        return self if thing is None else MethodType(self, thing)

    def program(self, *args: Any, **kwargs: Any) -> StraightLineProgram:
        """Return the program that runs for such arguments; ``print`` shows it.

        Raises
        ------
        ArgumentTypeError
            If an argument is under differentiation: then the program is that of a derivative.
        """
        leaves, treedef = optree.tree_flatten((args, kwargs))
        key, inputs = _split(leaves)
        if inputs is None:
            raise ArgumentTypeError("args", "a traced value", "plain arrays, or others like them")
        return self._entry(key, leaves, treedef).program

    @property
    def nbytes(self) -> int:
        """Bytes that the programs hold between calls, those of derivatives included."""
        return sum(entry.nbytes for entry in self._programs.values())

    def clear(self) -> None:
        """Drop all programs; what is needed is recorded again."""
        self._programs.clear()
        self._derivatives.clear()

    def _entry(self, key: Hashable, leaves: Sequence[Any], treedef: Any) -> _Entry:
        make = functools.partial(_record, leaves)
        entry: _Entry = self._programs.get((self, treedef, key), make)
        return entry

    def _differentiated(self, leaves: list[Any], treedef: Any) -> Any:
        """Evaluate on tensors, as one operation of the highest level among them."""
        traced = TracedCall(leaves)
        args, kwargs = optree.tree_unflatten(treedef, traced.values)
        out = self(*args, **kwargs)
        if traced.is_forward:
            tangents = [node.tangent for node in traced.nodes]
            push = self._derivative(_pushforward, traced.positions, treedef)
            return traced.push(out, push(traced.values, tangents))
        pull = self._derivative(_pullback, traced.positions, treedef)
        return traced.record(out, functools.partial(pull, traced.values))

    def _derivative(
        self, derivative: Callable[..., Any], positions: Sequence[int], treedef: Any
    ) -> Compiled:
        """Return a derivative with respect to the leaves at some positions, compiled."""
        key = derivative, tuple(positions), treedef

        def of_leaves(*leaves: Any) -> Any:
            args, kwargs = optree.tree_unflatten(treedef, leaves)
            return self._f(*args, **kwargs)

        if key not in self._derivatives:
            f = functools.partial(derivative, of_leaves, positions)
            f.__name__ = f"{derivative.__name__.strip('_')} of {self._name}"  # type: ignore[attr-defined]
            self._derivatives[key] = Compiled(f, self._programs)
        return self._derivatives[key]


def _pushforward(
    f: Callable[..., Any], positions: Sequence[int], leaves: Any, tangents: Any
) -> Any:
    """The tangents of the results, for those of the leaves at some positions."""
    of_chosen, chosen = restrict(f, positions, tuple(leaves), {})
    return jvp(of_chosen, chosen, tuple(tangents))[1]


def _pullback(f: Callable[..., Any], positions: Sequence[int], leaves: Any, cotangents: Any) -> Any:
    """The cotangents of the leaves at some positions, for those of the leaves of the result."""
    of_chosen, chosen = restrict(f, positions, tuple(leaves), {})
    out, pull = vjp(of_chosen, *chosen)
    return pull(optree.tree_unflatten(optree.tree_structure(out), cotangents))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A recorded function: its program, ready to run, and the structure of its result."""

    program: StraightLineProgram
    replay: Replay
    treedef: Any

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls, Python's objects roughly."""
        return self.replay.nbytes + _BYTES_AN_INSTRUCTION * (1 + len(self.program.instructions))


_BYTES_AN_INSTRUCTION = 2**12


def _record(leaves: Sequence[Any], compiled: Compiled, treedef: Any, key: Hashable) -> _Entry:
    """Run a function on recorded values of the kind of `leaves`, and make its program."""
    recording = Recording()
    recorded = [
        Recorded(x, recording, Symbol.like(x)) if _is_input(x) else x for x in map(_plain, leaves)
    ]
    args, kwargs = optree.tree_unflatten(treedef, recorded)
    with without_random_numbers(compiled._f, recorded):
        out = compiled._f(*args, **kwargs)
    if any(map(is_differentiated, optree.tree_leaves(out))):
        raise uses_traced_value(compiled._name)
    inputs = [x.variable for x in recorded if isinstance(x, Recorded)]
    program = recording.program(compiled._name, inputs, out)
    for improve in PASSES:
        program = improve(program)
    return _Entry(program, Replay(program), optree.tree_structure(out))


def _split(leaves: Sequence[Any]) -> tuple[Hashable, list[Any] | None]:
    """Split arguments into their kinds, which a program is for, and its inputs.

    The inputs are None if one is a tracer.
    """
    kinds: list[Any] = []
    inputs: list[Any] = []
    for x in map(_plain, leaves):
        kind = type(x)
        if isinstance(x, np.ndarray):
            kinds.append((x.shape, x.dtype, x.strides))
            inputs.append(x)
        elif kind is float or isinstance(x, np.generic):
            kinds.append(kind)
            inputs.append(x)
        elif isinstance(x, Tracer):
            return None, None
        elif not isinstance(x, Hashable):
            expected = "arrays, numbers, pytrees of them, or constants that can be hashed"
            raise ArgumentTypeError("args", kind_of(x), expected)
        else:
            kinds.append((kind, x))
    return tuple(kinds), inputs


def _plain(x: Any) -> Any:
    return as_plain(x) if isinstance(x, np.ndarray) and type(x) is not np.ndarray else x


def _is_input(x: Any) -> bool:
    return type(x) is float or isinstance(x, np.ndarray | np.generic)
