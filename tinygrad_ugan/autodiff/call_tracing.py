"""A whole function as one operation on the tape: what `checkpoint` and `custom_vjp` share.

A primitive has one result; a function may have many, and they share a pullback. Its place on the
tape is a node whose cotangent is a `Parts`, the cotangents of the results that have come in so
far; every result is a child of that node and hands it one part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff.core import Tangent, Tracer
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.pytrees import value_below, zeros_of
from tinygrad_ugan.errors import NotDifferentiableError


class Parts(dict):
    """Cotangents by the positions of the results that they belong to; adding two unites them."""

    def __add__(self, other: Parts) -> Parts:
        return Parts({**self, **other})


def _is_constant(y: Any) -> bool:
    """Whether a result has no derivative: integers, booleans, text, but not complex numbers."""
    return y.dtype.kind not in "fc"


def _hand(place: int) -> Callable[[Any], Sequence[Any]]:
    """The pullback of one result of a call."""
    return lambda cotangent: [Parts({place: cotangent})]


class TracedCall:
    """The leaves of a call's arguments, seen from the highest level among them.

    Attributes
    ----------
    level : int
        The highest level, 0 if nothing is traced.
    values : list
        The leaves beneath that level.
    positions : list of int
        Where the leaves are that are traced at it.
    nodes : list of Node or Tangent
        Theirs.
    """

    def __init__(self, leaves: Sequence[Any], seen_from: Tracer | None = None) -> None:
        """Look from the level of `seen_from` if that is higher than those of all leaves."""
        highest = seen_from
        for x in leaves:
            if isinstance(x, Tracer) and (highest is None or x.level > highest.level):
                highest = x
        self.level = level = 0 if highest is None else highest.level
        self.values = list(leaves)
        self.positions: list[int] = []
        self.nodes: list[Any] = []
        for i, x in enumerate(leaves):
            if isinstance(x, Tracer) and x.level == level:
                self.values[i] = x.value
                self.positions.append(i)
                self.nodes.append(x.node)
        self._tracer = Tracer if highest is None else highest.__class__

    def with_own_nodes(self) -> tuple[list[Any], list[CopyingNode]]:
        """The leaves, those at this level on nodes that nothing else knows; and these nodes."""
        leaves, nodes = list(self.values), [CopyingNode() for _ in self.positions]
        for i, node in zip(self.positions, nodes, strict=True):
            leaves[i] = self._tracer(leaves[i], self.level, node)
        return leaves, nodes

    @property
    def is_forward(self) -> bool:
        """Whether the highest level is one of forward mode."""
        return isinstance(self.nodes[0], Tangent)

    def reaches(self, out: Any) -> bool:
        """Whether a result is traced at this level or above though the arguments were not."""
        return any(isinstance(x, Tracer) and x.level >= self.level for x in optree.tree_leaves(out))

    def record(
        self, out: Any, pullback: Callable[[list[Any]], Sequence[Any]], *, sparse: bool = False
    ) -> Any:
        """Make `out`, a pytree of values, the results of one operation on the tape.

        `pullback` maps a list of their cotangents to the cotangents of the traced leaves. Results
        that nothing depends on have zeros there, or None if that is `sparse`.
        """
        leaves, treedef = optree.tree_flatten(out)
        values = [value_below(x, self.level) for x in leaves]

        def pull(parts: Parts) -> Sequence[Any]:
            absent = (lambda y: None) if sparse else zeros_of
            return pullback([parts[i] if i in parts else absent(y) for i, y in enumerate(values)])

        call = CopyingNode(self.nodes, pull)
        results = [
            y if _is_constant(y) else self._tracer(y, self.level, CopyingNode([call], _hand(i)))
            for i, y in enumerate(values)
        ]
        return optree.tree_unflatten(treedef, results)

    def push(self, out: Any, tangents: Any) -> Any:
        """Make `out`, a pytree of values, carry its tangents, a pytree like it."""

        def carry(x: Any, tangent: Any) -> Any:
            y = value_below(x, self.level)
            return y if _is_constant(y) else self._tracer(y, self.level, Tangent(tangent))

        return optree.tree_map(carry, out, tangents)


def uses_traced_value(name: str) -> NotDifferentiableError:
    """The error of a function with a rule of its own whose results depend on more than it knows."""
    return NotDifferentiableError(
        f"{name} uses a traced value that is not among its arguments; hand it in as an argument, "
        "or cut its derivative with stop_gradient"
    )
