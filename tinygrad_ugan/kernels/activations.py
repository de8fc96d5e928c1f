"""Activation functions in kernels, as defined in `tinygrad_ugan.kernels.reference.layers`.

A pass keeps the output ``h = act(z)`` and not z, so the derivatives are functions of h: the slope
``act'(z)``, and for tangents of a backward pass the tangent of the slope, ``act''(z) Rz``, which is
a function of h and ``Rh = act'(z) Rz``. At 0 they follow `tinygrad_ugan.nn.activations`: relu has
slope 0, leaky_relu 0.01, and the second derivative of elu is 1.
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
    slope_tangent : function of the emitter, h and Rh
        ``act''(z) Rz``, computed as ``act''(z) / act'(z) Rh``.
    curved : bool
        False if the second derivative is 0 everywhere.
    """

    value: Callable[[Emitter, Value], Value]
    slope: Callable[[Emitter, Value], Value]
    slope_tangent: Callable[[Emitter, Value, Value], Value]
    curved: bool


def _zero(e: Emitter, h: Value, tangent: Value) -> Value:
    return e.like(0.0, h)


ACTIVATIONS: MappingProxyType[str, Activation] = MappingProxyType(
    {
        "tanh": Activation(
            value=vecmath.tanh,
            slope=lambda e, h: e.fma(-h, h, 1.0),
            slope_tangent=lambda e, h, tangent: -2.0 * h * tangent,
            curved=True,
        ),
        "relu": Activation(
            value=lambda e, z: e.maximum(z, 0.0),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), 0.0),
            slope_tangent=_zero,
            curved=False,
        ),
        "leaky_relu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, LEAKY_SLOPE * z),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), LEAKY_SLOPE),
            slope_tangent=_zero,
            curved=False,
        ),
        "elu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, vecmath.expm1(e, e.minimum(z, 0.0))),
            slope=lambda e, h: e.where(h > 0.0, 1.0, h + 1.0),
            slope_tangent=lambda e, h, tangent: e.where(h > 0.0, 0.0, tangent),
            curved=True,
        ),
        "softplus": Activation(
            value=vecmath.softplus,
            slope=lambda e, h: -vecmath.expm1(e, -h),
            slope_tangent=lambda e, h, tangent: vecmath.exp(e, -h) * tangent,
            curved=True,
        ),
        "sigmoid": Activation(
            value=vecmath.sigmoid,
            slope=lambda e, h: h * (1.0 - h),
            slope_tangent=lambda e, h, tangent: e.fma(h, -2.0, 1.0) * tangent,
            curved=True,
        ),
        "identity": Activation(
            value=lambda e, z: z,
            slope=lambda e, h: e.like(1.0, h),
            slope_tangent=_zero,
            curved=False,
        ),
    }
)
"""The activations by the names that `tinygrad_ugan.nn.MLP` takes."""
