"""Transformations of gradients, to be chained with an optimiser: ``chain(clip_by_norm(1), SGD())``.

Each has `init` and `update`, as optimisers do. One that stands before the optimiser acts on the
gradients, one behind it on the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.optim.optimizers import Optimizer
from tinygrad_ugan.optim.schedules import value_at
from tinygrad_ugan.optim.validation import is_optimizer
from tinygrad_ugan.typing import PyTree


class Transform(NamedTuple):
    """A pair of pure functions, ``init(params)`` and ``update(grads, state, params)``."""

    init: Callable[[PyTree], PyTree]
    update: Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


def chain(*parts: Optimizer) -> Transform:
    """Apply transformations one after the other; the state is the tuple of theirs.

    Examples
    --------
    >>> from tinygrad_ugan import optim
    >>> clipped = chain(clip_by_norm(1.0), optim.SGD(lr=0.5))
    >>> grads = np.array([3.0, 4.0])
    >>> clipped.update(grads, clipped.init(grads), grads)[0]
    array([-0.3, -0.4])
    """
    for i, part in enumerate(parts):
        if not is_optimizer(part):
            expected = "an optimiser or transformation, with init and update"
            raise ArgumentTypeError(f"parts[{i}]", repr(part), expected)

    def init(params: PyTree) -> PyTree:
        return tuple(part.init(params) for part in parts)

    def update(grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        states = []
        for part, before in zip(parts, state, strict=True):
            grads, after = part.update(grads, before, params)
            states.append(after)
        return grads, tuple(states)

    return Transform(init, update)


def clip_by_norm(longest: float) -> Transform:
    """Scale gradients whose norm over all leaves exceeds `longest` down to it; leave others alone.

    Differentiable, at a zero gradient too (Pascanu et al. 2013, arXiv 1211.5063).
    """
    if not 0 < longest < np.inf:
        raise ArgumentError("longest", longest, "a positive number")

    def update(grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        square = sum(np.sum(g * g) for g in optree.tree_leaves(grads))
        too_long = square > longest * longest
        safe = np.where(too_long, square, 1)  # whose root has a derivative
        factor = np.where(too_long, longest / np.sqrt(safe), 1)
        return optree.tree_map(lambda g: factor * g, grads), state

    return Transform(_nothing, update)


def add_decayed_weights(decay: float) -> Transform:
    """Add ``decay * params`` to the gradients: the derivative of ``decay / 2 |params|^2``.

    Before an optimiser this is the L2 penalty; `AdamW` takes the weights down beside its steps.
    """

    def update(grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        return optree.tree_map(lambda g, p: g + decay * p, grads, params), state

    return Transform(_nothing, update)


class ScaleState(NamedTuple):
    """Number of steps taken."""

    steps: int


def scale(factor: Any) -> Transform:
    """Multiply by a number, by a schedule's value, or leaf by leaf by a pytree like the parameters.

    ``chain(Adam(), scale(factors))`` has a step size for each leaf of the parameters.

    Examples
    --------
    >>> params = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}
    >>> by_leaf = scale({"w": 1.0, "b": 0.5})
    >>> by_leaf.update(params, by_leaf.init(params), params)[0]
    {'w': array([1., 2.]), 'b': array([1.5])}
    """

    def update(grads: PyTree, state: ScaleState, params: PyTree) -> tuple[PyTree, ScaleState]:
        now = value_at(factor, state.steps)
        if optree.tree_is_leaf(now):
            scaled = optree.tree_map(lambda g: now * g, grads)
        elif (found := optree.tree_structure(now)) != (expected := optree.tree_structure(grads)):
            raise ArgumentError("factor", f"the structure {found}", f"that of params, {expected}")
        else:
            scaled = optree.tree_map(lambda f, g: f * g, now, grads)
        return scaled, ScaleState(state.steps + 1)

    return Transform(lambda params: ScaleState(0), update)


def _nothing(params: PyTree) -> tuple[()]:
    return ()
