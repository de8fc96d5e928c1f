"""A whole function as one operation on the tape: what `checkpoint` and `custom_vjp` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff.core import Tangent, Tracer
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.pytrees import value_below, zeros_of
from tinygrad_ugan.errors import NotDifferentiableError


def _is_constant(y: Any) -> bool:
    """Whether a result has no derivative: integers, booleans, text, but not complex numbers."""
    return y.dtype.kind not in "fc"


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

        def dense(cotangents: Sequence[Any]) -> Sequence[Any]:
            pairs = zip(cotangents, values, strict=True)
            return pullback([zeros_of(y) if c is None else c for c, y in pairs])

        call = CopyingNode(self.nodes, pullback if sparse else dense)
        results = [
            y if _is_constant(y) else self._tracer(y, self.level, node)
            for y, node in zip(values, call.results(len(values)), strict=True)
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
