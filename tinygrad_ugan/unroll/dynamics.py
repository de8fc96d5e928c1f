"""The update rules of the discriminator: plain ascent, or an optimiser.

A rule takes the gradient g_k of `inner` with respect to theta_D and moves theta_k to theta_{k+1};
the state of an optimiser travels along as its memory. On the way back, `pull_back` turns the
adjoint of the state after a step into the adjoints of g_k and of the state before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.autodiff.operands import match_dtype
from tinygrad_ugan.optim import Optimizer, apply_updates
from tinygrad_ugan.optim.validation import checked_update
from tinygrad_ugan.tree import add
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.validation import is_floating


class InnerState(NamedTuple):
    """The parameters of the discriminator, and the state of the optimiser that moves them."""

    theta: PyTree
    memory: PyTree


@dataclass(frozen=True)
class Ascent:
    """Plain gradient ascent, ``theta_{k+1} = theta_k + eta_k g_k``."""

    etas: Sequence[Any]

    def start(self, theta: PyTree) -> InnerState:
        """Return the state before the first step: nothing is remembered."""
        return InnerState(theta, ())

    def advance(self, k: int, g: PyTree, state: InnerState) -> InnerState:
        """Return the state after step k."""
        return InnerState(add(self._scaled(k, g), state.theta), ())

    def pull_back(
        self, k: int, gradient: Callable[[], PyTree], state: InnerState, adjoint: InnerState
    ) -> tuple[PyTree, InnerState]:
        """The step is linear: eta_k lambda_{k+1} belongs to g_k, lambda_{k+1} to theta_k."""
        return self._scaled(k, adjoint.theta), adjoint

    def _scaled(self, k: int, tree: PyTree) -> PyTree:
        """Multiply by eta_k, which does not widen float32, traced or not."""
        eta = self.etas[k]
        if isinstance(eta, Tensor):
            return optree.tree_map(lambda x: match_dtype(eta, x) * x, tree)
        return optree.tree_map(lambda x: eta * x, tree)


@dataclass(frozen=True)
class Optimized:
    """Ascent by an optimiser, which is handed -g because it descends.

    Attributes
    ----------
    optimizer : Optimizer
    carried : pytree
        The state of the optimiser to start from; a fresh one if None.
    """

    optimizer: Optimizer
    carried: PyTree = None

    def start(self, theta: PyTree) -> InnerState:
        """Return the state before the first step."""
        fresh = self.carried is None
        return InnerState(theta, self.optimizer.init(theta) if fresh else self.carried)

    def advance(self, k: int, g: PyTree, state: InnerState) -> InnerState:
        """Return the state after step k."""
        descent = optree.tree_map(np.negative, g)
        updated = self.optimizer.update(descent, state.memory, state.theta)
        updates, memory = checked_update(self.optimizer, updated, state.memory, state.theta)
        return InnerState(apply_updates(state.theta, updates), memory)

    def pull_back(
        self, k: int, gradient: Callable[[], PyTree], state: InnerState, adjoint: InnerState
    ) -> tuple[PyTree, InnerState]:
        """Differentiate the optimiser's update at g_k, through what it remembers."""
        floats, rebuild = split_floats(state)
        wanted, _ = split_floats(adjoint)

        def advance(g: PyTree, floats: list[Any]) -> list[Any]:
            return split_floats(self.advance(k, g, rebuild(floats)))[0]

        _, pullback = autodiff.vjp(advance, gradient(), floats)
        g_bar, before = pullback(wanted)
        return g_bar, rebuild(before)


UpdateRule = Ascent | Optimized
"""One inner step, forwards and backwards."""


def split_floats(tree: PyTree) -> tuple[list[Any], Callable[[list[Any]], PyTree]]:
    """The floating-point leaves of a tree, and a function that puts others in their place.

    What else an optimiser remembers, such as its count of steps, is a constant to differentiation.
    """
    leaves, treedef = optree.tree_flatten(tree)
    places = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def rebuild(floats: list[Any]) -> PyTree:
        full = list(leaves)
        for i, leaf in zip(places, floats, strict=True):
            full[i] = leaf
        return optree.tree_unflatten(treedef, full)

    return [leaves[i] for i in places], rebuild
