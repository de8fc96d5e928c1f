"""A function call as one operation on the tape, for `checkpoint`, `custom_vjp` and `odeint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff.core import Tangent, Tracer
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.operands import is_differentiated
from tinygrad_ugan.autodiff.pytrees import value_below, zeros_of
from tinygrad_ugan.errors import NotDifferentiableError


def _is_constant(y: Any) -> bool:
    """Whether a result has no derivative, such as integers, booleans and text."""
    return y.dtype.kind not in "fc"


class TracedCall:
    """The leaves of a call's arguments, unwrapped from the highest level among them.

    Attributes
    ----------
    level : int
        The highest level, 0 if nothing is traced.
    values : list
        The leaves, unwrapped by one level if they are traced at it.
    positions : list of int
        The positions of the leaves that are traced at it.
    nodes : list of Node or Tangent
        Their nodes.
    """

    def __init__(self, leaves: Sequence[Any], seen_from: Tracer | None = None) -> None:
        """Unwrap from the level of `seen_from` if that is higher than those of all leaves."""
        highest = seen_from
        for x in leaves:
            if is_differentiated(x) and (highest is None or x.level > highest.level):
                highest = x
        self.level = level = 0 if highest is None else highest.level
        self.values = list(leaves)
        self.positions: list[int] = []
        self.nodes: list[Any] = []
        for i, x in enumerate(leaves):
            if is_differentiated(x) and x.level == level:
                self.values[i] = x.value
                self.positions.append(i)
                self.nodes.append(x.node)
        self._tracer = Tracer if highest is None else highest.__class__

    def with_own_nodes(self) -> tuple[list[Any], list[CopyingNode]]:
        """Return the leaves, with fresh nodes for those traced at this level, and these nodes."""
        leaves, nodes = list(self.values), [CopyingNode() for _ in self.positions]
        for i, node in zip(self.positions, nodes, strict=True):
            leaves[i] = self._tracer(leaves[i], self.level, node)
        return leaves, nodes

    @property
    def is_forward(self) -> bool:
        """Whether the highest level is one of forward mode."""
        return isinstance(self.nodes[0], Tangent)

    def reaches(self, out: Any) -> bool:
        """Whether a result is still traced at this level or above."""
        return any(isinstance(x, Tracer) and x.level >= self.level for x in optree.tree_leaves(out))

    def record(
        self, out: Any, pullback: Callable[[list[Any]], Sequence[Any]], *, sparse: bool = False
    ) -> Any:
        """Put `out`, a pytree of values, on the tape as the results of one operation.

        `pullback` maps the list of their cotangents to the cotangents of the traced leaves. The
        cotangent of a result that nothing depends on is zeros, or None if `sparse`.
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
        """Attach to `out`, a pytree of values, its tangents, a pytree like it."""

        def carry(x: Any, tangent: Any) -> Any:
            y = value_below(x, self.level)
            return y if _is_constant(y) else self._tracer(y, self.level, Tangent(tangent))

        return optree.tree_map(carry, out, tangents)


def uses_traced_value(name: str) -> NotDifferentiableError:
    """The error for a function with its own rule whose results depend on a captured tensor."""
    return NotDifferentiableError(
        f"{name} uses a traced value that is not among its arguments; hand it in as an argument, "
        "or cut its derivative with stop_gradient"
    )
