"""Activation functions in kernels, beside what they are in NumPy.

A backward pass keeps the output ``h = act(z)`` and not z, so the derivatives are functions of h:
the slope ``act'(z)``, and the bend ``act''(z) Rz``, where the pass is differentiated itself along a
direction in which z moves by Rz and h by ``Rh = act'(z) Rz``. At 0 they follow
`tinygrad_ugan.nn.activations`: relu's slope is 0, leaky_relu's 0.01, elu's second derivative 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Value

LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Specification:
    """An activation in NumPy: the meaning of the kernel's code, and its oracle.

    Attributes
    ----------
    value : function of z
    slope : function of h
    bend : function of h and Rh
    """

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    bend: Callable[[Any, Any], Any]


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
    specification : Specification
        The same in NumPy.
    """

    value: Callable[[Emitter, Value], Value]
    slope: Callable[[Emitter, Value], Value]
    bend: Callable[[Emitter, Value, Value], Value]
    curved: bool
    specification: Specification


def _zero(e: Emitter, h: Value, tangent: Value) -> Value:
    return e.like(0.0, h)


ACTIVATIONS: MappingProxyType[str, Activation] = MappingProxyType(
    {
        "tanh": Activation(
            value=vecmath.tanh,
            slope=lambda e, h: e.fma(-h, h, 1.0),
            bend=lambda e, h, tangent: -2.0 * h * tangent,
            curved=True,
            specification=Specification(
                value=np.tanh,
                slope=lambda h: 1 - h * h,
                bend=lambda h, tangent: -2 * h * tangent,
            ),
        ),
        "relu": Activation(
            value=lambda e, z: e.maximum(z, 0.0),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), 0.0),
            bend=_zero,
            curved=False,
            specification=Specification(
                value=lambda z: np.maximum(z, 0),
                slope=lambda h: np.where(h > 0, 1, 0),
                bend=lambda h, tangent: np.zeros_like(h),
            ),
        ),
        "leaky_relu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, LEAKY_SLOPE * z),
            slope=lambda e, h: e.where(h > 0.0, e.like(1.0, h), LEAKY_SLOPE),
            bend=_zero,
            curved=False,
            specification=Specification(
                value=lambda z: np.where(z > 0, z, LEAKY_SLOPE * z),
                slope=lambda h: np.where(h > 0, 1, LEAKY_SLOPE),
                bend=lambda h, tangent: np.zeros_like(h),
            ),
        ),
        "elu": Activation(
            value=lambda e, z: e.where(z > 0.0, z, vecmath.expm1(e, e.minimum(z, 0.0))),
            slope=lambda e, h: e.where(h > 0.0, 1.0, h + 1.0),
            bend=lambda e, h, tangent: e.where(h > 0.0, 0.0, tangent),
            curved=True,
            specification=Specification(
                value=lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
                slope=lambda h: np.where(h > 0, 1, h + 1),
                bend=lambda h, tangent: np.where(h > 0, 0, tangent),
            ),
        ),
        "softplus": Activation(
            value=vecmath.softplus,
            slope=lambda e, h: -vecmath.expm1(e, -h),
            bend=lambda e, h, tangent: vecmath.exp(e, -h) * tangent,
            curved=True,
            specification=Specification(
                value=lambda z: np.logaddexp(z, 0),
                slope=lambda h: -np.expm1(-h),
                bend=lambda h, tangent: np.exp(-h) * tangent,
            ),
        ),
        "sigmoid": Activation(
            value=vecmath.sigmoid,
            slope=lambda e, h: h * (1.0 - h),
            bend=lambda e, h, tangent: e.fma(h, -2.0, 1.0) * tangent,
            curved=True,
            specification=Specification(
                value=lambda z: np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))),
                slope=lambda h: h * (1 - h),
                bend=lambda h, tangent: (1 - 2 * h) * tangent,
            ),
        ),
        "identity": Activation(
            value=lambda e, z: z,
            slope=lambda e, h: e.like(1.0, h),
            bend=_zero,
            curved=False,
            specification=Specification(
                value=lambda z: z,
                slope=np.ones_like,
                bend=lambda h, tangent: np.zeros_like(h),
            ),
        ),
    }
)
"""The activations by the names that `tinygrad_ugan.nn.MLP` takes."""
