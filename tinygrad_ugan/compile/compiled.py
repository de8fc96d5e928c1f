"""`compile`: a function that is recorded once for each kind of arguments, and then replayed.

A compiled function is one operation to whatever differentiates it: its derivatives are compiled
functions themselves, of the arguments and their tangents or cotangents, and so to any order. Within
another compiled function it becomes part of that one's program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from types import MethodType
from typing import Any

import optree

from tinygrad_ugan.autodiff.call_tracing import TracedCall
from tinygrad_ugan.autodiff.defensive_copies import private_copy
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.pytrees import restrict
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.compile.entries import (
    Entry,
    EntryWithPullback,
    kinds_of,
    record,
    record_with_pullback,
    with_leaves,
)
from tinygrad_ugan.compile.explanation import explained
from tinygrad_ugan.compile.program import StraightLineProgram
from tinygrad_ugan.compile.purity import Declared
from tinygrad_ugan.compile.recorder import Recorded
from tinygrad_ugan.compile.side_effects import without_random_numbers
from tinygrad_ugan.errors import ArgumentTypeError
from tinygrad_ugan.kernels.program_cache import LRUCache
from tinygrad_ugan.stated import states


def compile(f: Callable[..., Any], *, max_bytes: int = 2**29) -> Compiled:  # noqa: A001
    """Make a function equal to `f` that is recorded once, and then runs as one program.

    On the first call with arguments of some structure, shapes and dtypes, `f` runs, and all that
    NumPy does beneath it is recorded: transforms inside `f` are plain arithmetic by then. Later
    calls run the program, without Python code of `f`, tape or checks, and with dead code, repeated
    calculations and most allocations gone. ``compile(grad(f))``, ``grad(compile(f))``,
    ``compile(partial(hvp, f))`` and so on work in any order.

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


class Compiled(Declared):
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
        kinds, inputs = kinds_of(leaves)
        if inputs is None:
            if any(isinstance(untrace(x), Recorded) for x in leaves):
                with without_random_numbers(self._f, leaves):
                    return self._f(*args, **kwargs)  # part of the program that is being recorded
            return self._differentiated(leaves, treedef)
        entry = self._entry(kinds, leaves, treedef)
        return entry.result(entry.run(inputs))

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        return self if thing is None else MethodType(self, thing)

    def __reduce__(self) -> str:
        """Let it be pickled and copied as functions are: by its name."""
        return getattr(self, "__qualname__", self._name)

    def program(self, *args: Any, **kwargs: Any) -> StraightLineProgram:
        """Return the program that runs for such arguments; ``print`` shows it.

        Raises
        ------
        ArgumentTypeError
            If an argument is under differentiation: then the program is that of a derivative.
        """
        return self._entry_for(args, kwargs).program

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """Say what runs for such arguments: which operations make a kernel, and what NumPy does.

        Raises
        ------
        ArgumentTypeError
            See `program`.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_ugan as ug
        >>> f = ug.compile(lambda x: np.sort(np.tanh(x) * 2.0 + 1.0))
        >>> print(f.explain(np.zeros(100)))
        <lambda>: 1 kernel, 1 call of NumPy (sort)
          kernels in float64, 1 of them different
            phase of 1 part
              [100]: tanh, multiply, add
          NumPy: sort
        """
        return explained(self._entry_for(args, kwargs).lowered)

    @property
    def nbytes(self) -> int:
        """Bytes that the programs hold between calls, those of derivatives included."""
        return sum(entry.nbytes for entry in self._programs.values())

    def clear(self) -> None:
        """Drop all programs; what is needed is recorded again."""
        self._programs.clear()
        self._derivatives.clear()

    @states("__call__")
    def transformed(self) -> Callable[..., Compiled]:
        """Make a transform of this function: it is that of `f`, compiled."""
        return self._transformed

    def _transformed(self, transform: Callable[..., Any], *settings: Any) -> Compiled:
        key = transform, settings
        if key not in self._derivatives:
            self._derivatives[key] = Compiled(transform(self._f, *settings), self._programs)
        return self._derivatives[key]

    def _entry_for(self, args: Any, kwargs: Any) -> Entry:
        leaves, treedef = optree.tree_flatten((args, kwargs))
        kinds, inputs = kinds_of(leaves)
        if inputs is None:
            raise ArgumentTypeError("args", "a traced value", "plain arrays, or others like them")
        return self._entry(kinds, leaves, treedef)

    def _entry(self, kinds: Hashable, leaves: Sequence[Any], treedef: Any) -> Entry:
        def make(*_: Any) -> Entry:
            return record(leaves, self._f, self._name, treedef)

        entry: Entry = self._programs.get((self, treedef, kinds), make)
        return entry

    def _differentiated(self, leaves: list[Any], treedef: Any) -> Any:
        """Evaluate on tensors, as one operation of the highest level among them."""
        traced = TracedCall(leaves)
        positions = tuple(traced.positions)
        if traced.is_forward:
            tangents = [node.tangent for node in traced.nodes]
            push = self._derivative(_pushforward, positions, treedef)
            return traced.push(*push(traced.values, tangents))

        def make(*_: Any) -> EntryWithPullback:
            return record_with_pullback(values, self._f, self._name, treedef, positions)

        def again(cotangents: Sequence[Any]) -> Any:
            return self._derivative(_pullback, positions, treedef)(values, cotangents)

        values = [x if i in positions else private_copy(x) for i, x in enumerate(traced.values)]
        kinds, inputs = kinds_of(values)
        if inputs is None:  # traced at other levels, too
            return traced.record(with_leaves(self, treedef, *values), again)
        entry: EntryWithPullback = self._programs.get((self, treedef, kinds, positions), make)
        out, residuals = entry.evaluate(inputs)
        return traced.record(out, functools.partial(entry.pull, residuals, again))

    def _derivative(
        self, derivative: Callable[..., Any], positions: tuple[int, ...], treedef: Any
    ) -> Compiled:
        """Return a derivative with respect to the leaves at some positions, compiled."""
        key = derivative, positions, treedef
        if key not in self._derivatives:
            of_leaves = functools.partial(with_leaves, self._f, treedef)
            f = functools.partial(derivative, of_leaves, positions)
            f.__name__ = f"{derivative.__name__.strip('_')} of {self._name}"  # type: ignore[attr-defined]
            self._derivatives[key] = Compiled(f, self._programs)
        return self._derivatives[key]


def _pushforward(
    f: Callable[..., Any], positions: Sequence[int], leaves: Any, tangents: Any
) -> Any:
    """The results and their tangents, for those of the leaves at some positions."""
    of_chosen, chosen = restrict(f, positions, tuple(leaves), {})
    return jvp(of_chosen, chosen, tuple(tangents))


def _pullback(f: Callable[..., Any], positions: Sequence[int], leaves: Any, cotangents: Any) -> Any:
    """The cotangents of the leaves at some positions, for those of the leaves of the result."""
    of_chosen, chosen = restrict(f, positions, tuple(leaves), {})
    out, pull = vjp(of_chosen, *chosen)
    return pull(optree.tree_unflatten(optree.tree_structure(out), cotangents))
