"""Objectives phi(t) of one logit t with two derivatives, and their weighted sums over rows.

The losses of a GAN are such sums over real and generated rows. A row that pads a tile has weight
zero, and counts as zero even if phi(t) overflows there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import Address, Emitter, Value

Function = Callable[[Emitter, Value], Value]


@dataclass(frozen=True)
class Objective:
    """A function of one logit with its first two derivatives."""

    value: Function
    slope: Function
    curvature: Function


def _minus_sigmoid_product(e: Emitter, t: Value) -> Value:
    """``-sigmoid(t) sigmoid(-t)``."""
    return -(vecmath.sigmoid(e, t) * vecmath.sigmoid(e, -t))


def _constant(x: float) -> Function:
    return lambda e, t: e.constant(x)


def _step(relation: Callable[[Value], Value], slope: float) -> Function:
    return lambda e, t: e.where(relation(t), e.constant(slope), e.zero())


OBJECTIVES: MappingProxyType[str, Objective] = MappingProxyType(
    {
        "log_sigmoid": Objective(
            vecmath.log_sigmoid, lambda e, t: vecmath.sigmoid(e, -t), _minus_sigmoid_product
        ),
        "log_sigmoid_of_minus": Objective(
            lambda e, t: vecmath.log_sigmoid(e, -t),
            lambda e, t: -vecmath.sigmoid(e, t),
            _minus_sigmoid_product,
        ),
        "exp": Objective(vecmath.exp, vecmath.exp, vecmath.exp),
        "identity": Objective(lambda e, t: t, _constant(1.0), _constant(0.0)),
        "half_square": Objective(lambda e, t: 0.5 * t * t, lambda e, t: t, _constant(1.0)),
        "half_square_from_one": Objective(
            lambda e, t: 0.5 * (t - 1.0) * (t - 1.0), lambda e, t: t - 1.0, _constant(1.0)
        ),
        "hinge_below_one": Objective(
            lambda e, t: e.maximum(1.0 - t, 0.0), _step(lambda t: t < 1.0, -1.0), _constant(0.0)
        ),
        "hinge_above_minus_one": Objective(
            lambda e, t: e.maximum(1.0 + t, 0.0), _step(lambda t: t > -1.0, 1.0), _constant(0.0)
        ),
    }
)
"""The objectives by name: in this order log sigmoid(t), log sigmoid(-t), exp(t), t, t^2 / 2,
(t - 1)^2 / 2, max(0, 1 - t) and max(0, 1 + t)."""


def objective(
    e: Emitter, function: str, t: Address, weight: Address, dt: Address, value: Address
) -> None:
    """``value += sum_r weight phi(t)`` and ``dt = weight phi'(t)``."""
    phi, total = OBJECTIVES[function], e.variable(e.zero())
    with e.loop(e.rows, step=e.lanes) as r:
        logit, w = e.load(t, r), e.load(weight, r)
        total.set(total.get() + _weighted(e, w, phi.value(e, logit)))
        e.store(_weighted(e, w, phi.slope(e, logit)), dt, r)
    e.store_scalar(e.load_scalar(value) + e.sum(total.get()), value)


def objective_tangent(
    e: Emitter,
    function: str,
    t: Address,
    Rt: Address,
    weight: Address,
    dt: Address,
    Rdt: Address,
) -> None:
    """``dt = weight phi'(t)`` again, and ``Rdt = weight phi''(t) Rt``."""
    phi = OBJECTIVES[function]
    with e.loop(e.rows, step=e.lanes) as r:
        logit, w = e.load(t, r), e.load(weight, r)
        e.store(_weighted(e, w, phi.slope(e, logit)), dt, r)
        e.store(_weighted(e, w, phi.curvature(e, logit) * e.load(Rt, r)), Rdt, r)


def _weighted(e: Emitter, weight: Value, x: Value) -> Value:
    """``weight x``, and zero where the weight is zero, even if x is not finite."""
    nothing = e.zero()
    used = Value(e, e.builder.fcmp_unordered("!=", weight.ir, nothing.ir))
    return e.where(used, weight * x, nothing)
