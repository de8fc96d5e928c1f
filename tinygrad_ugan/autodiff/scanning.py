"""Loops as one operation: `scan`. Its derivatives are in `scan_rules`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.defensive_copies import private_copy
from tinygrad_ugan.autodiff.operands import as_plain, shape_of, unsupported_operand
from tinygrad_ugan.autodiff.scan_rules import (
    Leaves,
    Levels,
    Results,
    Step,
    UnforeseenTracerError,
    levels_of,
    loop,
    scan_leaves,
)
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.kernels.schedule import leap


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    snapshots: int | None = None,
) -> tuple[Any, Any]:
    """Loop over the leading axis of arrays and carry something along, as `jax.lax.scan`.

    The values are those of the loop ::

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    It is one operation, whose derivatives, of any order and in both modes, are scans again. Reverse
    mode keeps the carry of every step, or of a few, and evaluates `f` once more on each, where it
    keeps all that `f` computes in the steps of a loop.

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``, of pytrees, without side effects. The carry that it returns
        has the structure, shapes and dtypes of the one that it is given. It may use tensors from
        around itself as well as its arguments.
    init : pytree
        The first carry. A Python number takes the dtype that it has after the first step.
    xs : pytree of arrays, optional
        Each with the same leading axis, along which it is taken apart.
    length : int, optional
        The number of steps; needed without `xs`.
    snapshots : int, optional
        Number of carries that reverse mode keeps; those of all steps by default. With s of them
        and n at most ``binomial(s + r, s)`` steps, `f` is evaluated r + 1 times a step, besides the
        forward pass: 10 snapshots and r = 4 are enough for 1001 steps.

    Returns
    -------
    carry : pytree
        The last one.
    ys : pytree
        Like y, with a new leading axis.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If `xs` has no common leading axis, or `f` returns a carry unlike that which it was given.
        From the pullback: if a step returns something else when it is evaluated again.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> ug.scan(lambda total, x: (total + x, total * x), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 2., 9.]))

    A recurrent network, whose weights come from around the step:

    >>> def last_state(w):
    ...     step = lambda h, x: (np.tanh(h @ w + x), None)
    ...     return np.sum(ug.scan(step, np.zeros(2), np.ones((1000, 2)), snapshots=10)[0])
    >>> ug.grad(last_state)(np.eye(2)).shape
    (2, 2)
    """
    columns, x_treedef = optree.tree_flatten(xs)
    n = _length(xs, columns, length)
    snapshots = None if snapshots is None else _whole("snapshots", snapshots, 1)
    carry, treedef = optree.tree_flatten(init)
    carry = list(map(_leaf, carry))
    step = _UserStep(f, treedef, x_treedef)
    if n:
        carry, ys, _ = _scan(step, carry, columns, n, snapshots)
    else:
        ys = _no_results(step, carry, columns)
    carry = [x if hasattr(x, "dtype") else np.asarray(x)[()] for x in carry]
    return optree.tree_unflatten(treedef, carry), optree.tree_unflatten(step.y_treedef, ys)


class _UserStep:
    """The user's function, of flat lists, with what it returns checked."""

    def __init__(self, f: Callable[[Any, Any], Any], treedef: Any, x_treedef: Any) -> None:
        self._f, self._treedef, self._x_treedef = f, treedef, x_treedef
        self.y_treedef: Any = None
        self._y_kinds: list[tuple[Any, Any]] = []

    def __call__(self, carry: Leaves, x: Leaves) -> Results:
        out = self._f(
            optree.tree_unflatten(self._treedef, carry), optree.tree_unflatten(self._x_treedef, x)
        )
        if not (isinstance(out, tuple | list) and len(out) == 2):
            raise ArgumentTypeError("f", f"a function that returns {_kind(out)}", "(carry, y)")
        new, y = out
        leaves, treedef = optree.tree_flatten(new)
        if treedef != self._treedef:
            raise ArgumentError(
                "carry of f",
                f"the structure {treedef}",
                f"that of the carry it was given, {self._treedef}",
                "return the carry with all its parts, also those that stay the same",
            )
        for i, (given, found) in enumerate(zip(carry, leaves, strict=True)):
            leaves[i] = found = _leaf(found)
            if not _matches(given, found):
                path = optree.tree_accessors(new)[i].codify("carry")
                raise ArgumentError(
                    f"{path} of f",
                    f"{_kind(found)} for {_kind(given)}",
                    "a carry of the shapes and dtypes of the one that it was given",
                    "give init the shape and dtype of what f returns, or cast with astype",
                )
        return leaves, self._results(y), []

    def _results(self, y: Any) -> Leaves:
        ys, treedef = optree.tree_flatten(y)
        ys = [x if hasattr(x, "dtype") else np.asarray(x)[()] for x in map(_leaf, ys)]
        kinds = [(x.shape, x.dtype) for x in ys]
        if self.y_treedef is None:
            self.y_treedef, self._y_kinds = treedef, kinds
        if (treedef, kinds) != (self.y_treedef, self._y_kinds):
            raise ArgumentError(
                "y of f",
                f"{treedef} of {[_shown(*kind) for kind in kinds]}",
                "the structure, shapes and dtypes of the first step, "
                f"{self.y_treedef} of {[_shown(*kind) for kind in self._y_kinds]}",
            )
        return ys


def _matches(given: Any, found: Any) -> bool:
    """Whether a carry may follow another; a Python number may become an array of its kind."""
    if hasattr(given, "dtype"):
        dtype = getattr(found, "dtype", None)
        return bool(shape_of(found) == given.shape and dtype == given.dtype)
    if not hasattr(found, "dtype"):
        return type(found) is type(given)
    if found.shape or (type(given) is bool and found.dtype.kind != "b"):
        return False
    return bool(np.result_type(given, found.dtype) == found.dtype)


def _scan(step: Step, carry: Leaves, xs: Leaves, n: int, snapshots: int | None) -> Results:
    first = step(carry, [x[0] for x in xs])
    if not levels_of((carry, xs, first)):
        return loop(step, carry, xs, n, first)
    xs = list(map(private_copy, xs))
    m, levels = _irregular_steps(step, carry, xs, n, first)
    try:
        last, ys, _ = loop(step, carry, xs, m, first)
        if m < n:
            rest = [x[m:] for x in xs]
            last, more, _ = _scan_in_segments(step, last, rest, n - m, levels, snapshots)
            ys = _joined(ys, more)
        return last, ys, []
    except UnforeseenTracerError:
        return loop(step, carry, xs, n, first)


def _irregular_steps(
    step: Step, carry: Leaves, xs: Leaves, n: int, first: Results
) -> tuple[int, Levels]:
    """Count the steps that trace more of the carry than was traced before; and find all levels.

    So does the first one of most scans, where constants such as zeros become tensors. It stays
    outside: from then on all steps are alike.
    """
    levels = levels_of((carry, xs, first))
    known, outs = list(map(_tracing, carry)), first
    for k in range(n):
        if k:
            outs = step(outs[0], [x[k] for x in xs])
            levels |= levels_of(outs)
        grown = [a | b for a, b in zip(known, map(_tracing, outs[0]), strict=True)]
        if grown == known:
            return k, levels
        known = grown
    return n, levels


def _tracing(x: Any) -> frozenset[Any]:
    """The levels at which a leaf is traced; and whether it is an array, not a Python number."""
    return frozenset(levels_of(x)) | {hasattr(x, "dtype")}


def _scan_in_segments(
    step: Step, carry: Leaves, xs: Leaves, n: int, levels: Levels, snapshots: int | None
) -> Results:
    """Scan with few carries kept, by the binomial schedule.

    The steps are cut into segments, and each is the one step of a scan of its own, which keeps the
    carry at its start and nothing else. On the way back it is scanned again, with the snapshots
    that are free by then.
    """
    ys: Leaves = []
    while snapshots is not None and n > snapshots + 1:
        size = leap(n, snapshots)

        def segment(carry: Leaves, x: Leaves, size: int = size, free: int = snapshots) -> Results:
            return _scan_in_segments(step, carry, x, size, levels, free)

        ahead = [x[:size][None] for x in xs]
        carry, more, _ = scan_leaves(segment, carry, ahead, 1, levels)
        ys = _joined(ys, [y[0] for y in more])
        xs, n, snapshots = [x[size:] for x in xs], n - size, snapshots - 1
    carry, more, _ = scan_leaves(step, carry, xs, n, levels)
    return carry, _joined(ys, more), []


def _joined(ys: Leaves, more: Leaves) -> Leaves:
    return [np.concatenate(pair) for pair in zip(ys, more, strict=True)] if ys else more


def _no_results(step: Step, carry: Leaves, xs: Leaves) -> Leaves:
    """The results of no steps, of the shapes and dtypes that a step on zeros has."""
    with np.errstate(all="ignore"):
        _, y, _ = step(carry, [np.zeros(x.shape[1:], x.dtype)[()] for x in xs])
    return [np.zeros((0, *shape_of(x)), x.dtype) for x in y]


def _length(xs: Any, columns: Leaves, length: int | None) -> int:
    """Return the number of steps."""
    n = None if length is None else _whole("length", length, 0)
    if not columns and n is None:
        raise ArgumentError("length", None, "the number of steps, as there are no xs")
    for i, x in enumerate(columns):
        if not (isinstance(x, np.ndarray | Tracer) and shape_of(x)):
            raise ArgumentTypeError(
                optree.tree_accessors(xs)[i].codify("xs"),
                _kind(x),
                "an array with a leading axis, along which to loop",
                "make a list one array by np.array or ug.array",
            )
        steps = shape_of(x)[0]
        if n is None:
            n = steps
        if steps != n:
            raise ArgumentError(
                optree.tree_accessors(xs)[i].codify("xs"),
                f"a leading axis of {steps}",
                f"one of {n}, as {'length says' if length is not None else 'the first of xs has'}",
            )
    return n or 0


def _whole(name: str, given: Any, least: int) -> int:
    try:
        number = operator.index(given)
    except TypeError as error:
        raise ArgumentTypeError(name, given, f"a whole number >= {least}") from error
    if number < least:
        raise ArgumentError(name, given, f"a whole number >= {least}")
    return number


def _leaf(x: Any) -> Any:
    """Return an array or a number as it is; constants may be complex, or text."""
    if isinstance(x, np.ndarray) and x.dtype.kind == "O":
        raise unsupported_operand(x)
    known = type(x) is np.ndarray or isinstance(x, Tracer | np.generic | Number | str)
    return x if known else as_plain(x)


def _kind(x: Any) -> str:
    """Describe the shape and dtype of a leaf, or what it is besides."""
    return _shown(shape_of(x), x.dtype) if hasattr(x, "dtype") else kind_of(x)


def _shown(shape: tuple[int, ...], dtype: Any) -> str:
    return f"{dtype}[{', '.join(map(str, shape))}]"
