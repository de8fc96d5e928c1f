"""Activation functions in kernels; `tinygrad_ugan.kernels.reference.layers` says what they are.

A backward pass keeps the output ``h = act(z)`` and not z, so the derivatives are functions of h:
the slope ``act'(z)``, and the bend ``act''(z) Rz``, where the pass is differentiated itself along a
direction in which z moves by Rz and h by ``Rh = act'(z) Rz``. At 0 they follow
`tinygrad_ugan.nn.activations`: relu's slope is 0, leaky_relu's 0.01, elu's second derivative 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Value

LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """An activation in a kernel.

    Attributes
    ----------
    value : function of the emitter and z
        ``h = act(z)``.
    slope : function of the emitter and h
        ``act'(z)``.
    bend : function of the emitter, h and Rh
        ``act''(z) Rz``, which is ``act''(z) / act'(z) Rh``.
    curved : bool
        False where the bend is 0 everywhere.
    """

    value: Callable[[Emitter, Value], Value]
    slope: Callable[[Emitter, Value], Value]
    bend: Callable[[Emitter, Value, Value], Value]
    curved: bool


def _zero(e: Emitter, h: Value, tangent: Value) -> Value:
    return e.like(0.0, h)


ACTIVATIONS: MappingProxyType[str, Activation] = MappingProxyType(
    {
        "tanh": Activation(
            value=vecmath.tanh,
            slope=lambda e, h: e.fma(-h, h, 1.0),
            bend=lambda e, h, tangent: -2.0 * h * tangent,
            curved=True,
        ),
        "relu": Activation(
            value=lambda e, z: e.maximum(z, 0.0),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), 0.0),
            bend=_zero,
            curved=False,
        ),
        "leaky_relu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, LEAKY_SLOPE * z),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), LEAKY_SLOPE),
            bend=_zero,
            curved=False,
        ),
        "elu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, vecmath.expm1(e, e.minimum(z, 0.0))),
            slope=lambda e, h: e.where(h > 0.0, 1.0, h + 1.0),
            bend=lambda e, h, tangent: e.where(h > 0.0, 0.0, tangent),
            curved=True,
        ),
        "softplus": Activation(
            value=vecmath.softplus,
            slope=lambda e, h: -vecmath.expm1(e, -h),
            bend=lambda e, h, tangent: vecmath.exp(e, -h) * tangent,
            curved=True,
        ),
        "sigmoid": Activation(
            value=vecmath.sigmoid,
            slope=lambda e, h: h * (1.0 - h),
            bend=lambda e, h, tangent: e.fma(h, -2.0, 1.0) * tangent,
            curved=True,
        ),
        "identity": Activation(
            value=lambda e, z: z,
            slope=lambda e, h: e.like(1.0, h),
            bend=_zero,
            curved=False,
        ),
    }
)
"""The activations by the names that `tinygrad_ugan.nn.MLP` takes."""
