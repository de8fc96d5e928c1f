"""An operation with several results that share one rule: the other kind of primitive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.autodiff.call_tracing import TracedCall


@dataclass(frozen=True, slots=True, eq=False)
class JointPrimitive:
    """A `Primitive` whose result is a tuple of arrays; its rules see all of them at once.

    Attributes
    ----------
    name : str
    implementation : callable
        ``implementation(*args, **params) -> tuple``, on bare arrays.
    jvp : callable
        ``jvp(traced, ans, args, params, tangents) -> tangents of ans``.
    vjp : callable
        ``vjp(traced, ans, args, params, cotangents) -> cotangents`` of the traced arguments, None
        where there is no dependence; `cotangents` has None for a result that nothing depends on.
    """

    name: str
    implementation: Callable[..., tuple[Any, ...]]
    jvp: Callable[..., tuple[Any, ...]]
    vjp: Callable[..., Sequence[Any]]

    def __call__(self, *args: Any, **params: Any) -> tuple[Any, ...]:
        """Apply the operation to arrays and tensors; by keyword come constants only."""
        traced = TracedCall(args)
        if traced.level == 0:
            return self.implementation(*args, **params)
        ans = self(*traced.values, **params)
        if traced.is_forward:
            tangents = [node.tangent for node in traced.nodes]
            return traced.push(
                ans, self.jvp(traced.positions, ans, traced.values, params, tangents)
            )

        def pullback(cotangents: list[Any]) -> Sequence[Any]:
            return self.vjp(traced.positions, ans, traced.values, params, cotangents)

        return traced.record(ans, pullback, sparse=True)
