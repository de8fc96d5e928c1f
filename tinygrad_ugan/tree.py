"""Linear algebra on pytrees: all leaves together are one vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.typing import Array, PyTree


def add(x: PyTree, y: PyTree) -> PyTree:
    """Return ``x + y``, leaf by leaf."""
    return optree.tree_map(lambda x, y: x + y, x, y)


def axpy(a: float, x: PyTree, y: PyTree) -> PyTree:
    """Return ``a x + y``, leaf by leaf."""
    return optree.tree_map(lambda x, y: a * x + y, x, y)


def vdot(x: PyTree, y: PyTree) -> Any:
    """Return the inner product <x, y> over all leaves, differentiable in both.

    Examples
    --------
    >>> float(vdot({"w": np.ones((2, 3)), "b": 2.0}, {"w": np.ones((2, 3)), "b": 3.0}))
    12.0
    """
    products = optree.tree_map(lambda x, y: np.sum(x * y), x, y)
    return sum(optree.tree_leaves(products))


def norm(tree: PyTree) -> float:
    """Return the Euclidean norm over all leaves.

    Examples
    --------
    >>> norm([3.0, {"w": np.array([[4.0]])}])
    5.0
    """
    return math.sqrt(sum(float(np.vdot(leaf, leaf)) for leaf in optree.tree_leaves(tree)))


def is_finite(tree: PyTree) -> bool:
    """Whether no leaf holds a NaN or an infinity."""
    return all(np.isfinite(leaf).all() for leaf in optree.tree_leaves(tree))


def ravel(tree: PyTree) -> tuple[Array, Callable[[Array], PyTree]]:
    """Lay the leaves end to end in one vector; return it and the way back.

    Examples
    --------
    >>> vector, unravel = ravel({"w": np.array([[1.0, 2.0]]), "b": 3.0})
    >>> vector
    array([3., 1., 2.])
    >>> unravel(2 * vector)["w"]
    array([[2., 4.]])
    """
    leaves, treedef = optree.tree_flatten(tree)
    ends = np.cumsum([np.size(leaf) for leaf in leaves])

    def unravel(vector: Array) -> PyTree:
        parts = [vector[end - np.size(x) : end] for end, x in zip(ends, leaves, strict=True)]
        shaped = [np.reshape(p, np.shape(x))[()] for p, x in zip(parts, leaves, strict=True)]
        return optree.tree_unflatten(treedef, shaped)

    return np.concatenate([np.ravel(leaf) for leaf in leaves]), unravel
