"""Jacobians and Hessians, row by row from `vjp` or column by column from `jvp`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.pytrees import restrict, value_below, zeros_of
from tinygrad_ugan.autodiff.transforms import grad, jvp, vjp
from tinygrad_ugan.errors import check_choice


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, mode: str = "reverse"
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of `f`.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    mode : {"reverse", "forward"}
        One pullback for each element of the result, or one pushforward for each element of the
        arguments: choose the smaller number.

    Returns
    -------
    callable
        Takes what `f` takes; returns a pytree like the result of `f`, each leaf replaced by a
        pytree like the argument (a tuple of such if `argnums` is a sequence) with leaves of shape
        ``out.shape + x.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    check_choice("mode", mode, ("reverse", "forward"))
    single = isinstance(argnums, int)
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    matrix = _jacobian_reverse if mode == "reverse" else _jacobian_forward

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        of_chosen, chosen = restrict(f, positions, args, kwargs)
        blocks, out_treedef = matrix(of_chosen, chosen)
        chosen_treedef = optree.tree_structure(chosen)
        rows = [optree.tree_unflatten(chosen_treedef, row) for row in blocks]
        return optree.tree_unflatten(out_treedef, [row[0] for row in rows] if single else rows)

    return wrapped


def _jacobian_reverse(
    f: Callable[..., Any], primals: tuple[Any, ...]
) -> tuple[list[list[Any]], Any]:
    """Jacobian blocks [output leaf][input leaf], row by row."""
    out, pullback = vjp(f, *primals)
    outputs, out_treedef = optree.tree_flatten(out)
    inputs = optree.tree_leaves(primals)
    blocks = []
    for i, y in enumerate(outputs):
        rows = []
        for unit in _basis(y):
            cotangent = [unit if j == i else zeros_of(z) for j, z in enumerate(outputs)]
            gradient = pullback(optree.tree_unflatten(out_treedef, cotangent))
            rows.append(optree.tree_leaves(gradient))
        blocks.append(
            [
                np.reshape(_stack([row[j] for row in rows], x), shape_of(y) + shape_of(x))
                for j, x in enumerate(inputs)
            ]
        )
    return blocks, out_treedef


def _jacobian_forward(
    f: Callable[..., Any], primals: tuple[Any, ...]
) -> tuple[list[list[Any]], Any]:
    """Jacobian blocks [output leaf][input leaf], column by column."""
    leaves, treedef = optree.tree_flatten(primals)
    inputs = [value_below(x, level=0) for x in leaves]
    outputs, out_treedef = optree.tree_flatten(f(*primals))
    outputs = [value_below(y, level=0) for y in outputs]
    blocks: list[list[Any]] = [[] for _ in outputs]
    for j, x in enumerate(inputs):
        columns = []
        for unit in _basis(x):
            tangent = [unit if i == j else zeros_of(z) for i, z in enumerate(inputs)]
            _, pushed = jvp(f, primals, optree.tree_unflatten(treedef, tangent))
            columns.append(optree.tree_leaves(pushed))
        for i, y in enumerate(outputs):
            stacked = _stack([column[i] for column in columns], y)
            last = np.moveaxis(stacked, 0, -1)
            blocks[i].append(np.reshape(last, shape_of(y) + shape_of(x)))
    return blocks, out_treedef


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Make a function that returns the matrix of second derivatives, reverse over reverse.

    The gradient is traced once, and pulled back once for each element of the argument; for a
    product with one vector, `hvp` needs no matrix.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def _basis(x: Any) -> Iterable[Any]:
    """Yield the unit arrays of the shape and dtype of x."""
    for i in range(math.prod(shape_of(x))):
        unit = np.zeros(shape_of(x), x.dtype)
        unit.flat[i] = 1
        yield unit[()]


def _stack(rows: Sequence[Any], x: Any) -> Any:
    """Stack arrays like x along a new first axis; there may be none."""
    return np.stack(rows) if rows else np.zeros((0, *shape_of(x)), x.dtype)
