"""Functions sampled at points: differences, integrals, convolutions, interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_operand, match_dtype, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import bilinear, composite
from tinygrad_ugan.autodiff.samples import Domain, Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError, check_choice


def _along(axis: int, part: Any) -> tuple[Any, ...]:
    """Index `part` of an axis, which is counted from the front or from the back."""
    if axis >= 0:
        return (*(slice(None),) * axis, part)
    return (Ellipsis, part, *(slice(None),) * (-1 - axis))


def _steps(x: Any, axis: int) -> Any:
    """``x[i + 1] - x[i]``."""
    return x[_along(axis, slice(1, None))] - x[_along(axis, slice(None, -1))]


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n < 0:
        raise ArgumentError("n", n, "a whole number >= 0")
    a = as_operand(a)
    edge = tuple(1 if i == axis % len(shape_of(a)) else k for i, k in enumerate(shape_of(a)))
    ends = [
        np.broadcast_to(x, edge) if x is not None and np.ndim(x) == 0 else x
        for x in (prepend, append)
    ]
    if prepend is not None or append is not None:
        a = np.concatenate([x for x in (ends[0], a, ends[1]) if x is not None], axis)
    for _ in range(n):
        a = _steps(a, axis)
    return a


def _floating(x: Any) -> Any:
    x = as_operand(x)
    return x if x.dtype.kind == "f" else x.astype(float)


def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = _floating(f)
    every = range(len(shape_of(f)))
    axes = tuple(every) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    spacings = [x if shape_of(x) == () else _floating(x) for x in map(as_operand, varargs)] or [1]
    if len(spacings) == 1 and shape_of(spacings[0]) == ():
        spacings *= len(axes)
    shapes, full = [shape_of(x) for x in spacings], [(shape_of(f)[i],) for i in axes]
    if len(shapes) != len(full) or any(s not in ((), n) for s, n in zip(shapes, full, strict=True)):
        raise ArgumentError("varargs", f"shapes {shapes}", f"numbers, or shapes {full}")
    if edge_order not in (1, 2):
        raise ArgumentError("edge_order", edge_order, "1 or 2")
    results = tuple(
        np.moveaxis(_slopes(np.moveaxis(f, i, -1), h, edge_order), -1, i)
        for i, h in zip(axes, spacings, strict=True)
    )
    return results[0] if len(axes) == 1 else results


def _slopes(f: Any, spacing: Any, edge_order: int) -> Any:
    """Slopes along the last axis: of the parabola through three neighbours, or of a line."""
    n = shape_of(f)[-1]
    if n <= edge_order:
        raise ArgumentError("f", f"an axis of length {n}", f"at least {edge_order + 1} elements")
    h = _steps(spacing, -1) if shape_of(spacing) else np.broadcast_to(spacing, (n - 1,))
    lines = _steps(f, -1) / h
    a, b = h[:-1], h[1:]
    left, right = lines[..., :-1], lines[..., 1:]
    inside = (b * left + a * right) / (a + b)
    first, last = lines[..., :1], lines[..., -1:]
    if edge_order == 2:
        curvature = (right - left) / (a + b)
        first = first - h[:1] * curvature[..., :1]
        last = last + h[-1:] * curvature[..., -1:]
    return match_dtype(np.concatenate([first, inside, last], -1), f)


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = as_operand(y)
    if x is not None:
        x = as_operand(x)
        behind = len(shape_of(y)) - 1 - axis % len(shape_of(y))
        dx = np.reshape(_steps(x, -1), (-1, *(1,) * behind)) if x.ndim == 1 else _steps(x, axis)
    twice = dx * (y[_along(axis, slice(1, None))] + y[_along(axis, slice(None, -1))])
    return np.sum(twice / 2, axis)


def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    return np.convolve(a, v, mode)


def _convolve_left(g: Any, a: Any, v: Any, mode: str = "full") -> Any:
    """Cotangent of a: the full convolution's, correlated with v."""
    m, n = len(a), len(v)
    cut = {"full": 0, "same": (min(m, n) - 1) // 2, "valid": min(m, n) - 1}[mode]
    full = np.pad(g, (cut, m + n - 1 - len(g) - cut))
    return np.convolve(full, v[::-1], "valid")


def _convolve_right(g: Any, a: Any, v: Any, mode: str = "full") -> Any:
    return _convolve_left(g, v, a, mode)


convolve = bilinear(_convolve, _convolve_left, _convolve_right)


def _convolve_arrays(a: Any, v: Any, mode: str = "full") -> Any:
    check_choice("mode", mode, ("full", "same", "valid"))
    return convolve(np.atleast_1d(a), np.atleast_1d(v), mode=mode)


def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: None = None
) -> Any:
    """Interpolate linearly, in the dtype of the arguments rather than always in float64."""
    if period is not None:
        raise NotDifferentiableError(
            "numpy.interp with period= has no derivative rule; map x into one period with "
            "np.mod, and repeat a point of xp and fp on either side"
        )
    x, xp, fp = as_operand(x), as_operand(xp), as_operand(fp)
    y = _on_lines(x, xp, fp) if len(xp) > 1 else np.broadcast_to(fp[0], shape_of(x))
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    return np.where(x > xp[-1], fp[-1] if right is None else right, y)


def _on_lines(x: Any, xp: Any, fp: Any) -> Any:
    i = np.searchsorted(untrace(xp)[1:-1], untrace(x), "right")
    slope = (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i])
    return fp[i] + slope * (x - xp[i])


RULES = (
    composite(np.diff, _diff),
    composite(np.gradient, _gradient, rounds_differently=True),
    composite(np.trapezoid, _trapezoid),
    convolve,
    composite(np.convolve, _convolve_arrays),
    composite(
        np.interp,
        _interp,
        convention="at a point of xp the slope is that of the line on its right, at the last point "
        "that of the line on its left",
        rounds_differently=True,
    ),
)

_V = Random((5,))
_A = Random((2, 4, 5))
_CONVOLVE_SAMPLES = [
    *(sample(_V, Random((3,)), mode=mode) for mode in ("full", "same", "valid")),
    *(sample(Random((2,)), _V, mode=mode) for mode in ("full", "same", "valid")),
    sample(Random((1,)), Random((1,))),
]
_UNEVEN = np.array([0.0, 1.0, 2.5, 3.0, 4.0])
_POINTS = Random((5,), structure=lambda x: x / 20 + np.arange(5, dtype=x.dtype))
_FIRST_PIECE, _THIRD_PIECE = Domain(0.3, 0.7), Domain(2.3, 2.7)
_LEFT, _RIGHT = Domain(-2.0, -1.0), Domain(5.0, 6.0)

SAMPLES: Samples = {
    _convolve: _CONVOLVE_SAMPLES,
    np.diff: [
        *(sample(_V), sample(_A, 2), sample(_A, axis=1), sample(_A, 3, 0), sample(_V, 0)),
        *(sample(_V, 1, -1, Random(())), sample(_A, 1, -2, Random((2, 1, 5)), Random(()))),
    ],
    np.gradient: [
        *(sample(_V), sample(_V, 0.5), sample(Random((3, 4)))),
        *(
            sample(_V, _UNEVEN),
            sample(_V, _UNEVEN, edge_order=2),
            sample(_V, 2.0, edge_order=2),
        ),
        *(sample(_A, 0.5, _UNEVEN, axis=(1, -1)), sample(_A, 2.0, axis=-2, edge_order=2)),
        sample(_V, _POINTS),
    ],
    np.trapezoid: [
        *(sample(_V), sample(_A, dx=0.5, axis=1), sample(_A, _V), sample(_A, _A, axis=0)),
        sample(_A, Random((4,)), axis=-2),
    ],
    np.convolve: [*_CONVOLVE_SAMPLES, sample(Random(()), _V)],
    np.interp: [
        sample(Random((3,), _FIRST_PIECE), _POINTS, _V),
        sample(Random((2, 2), _THIRD_PIECE), _POINTS, _V),
        sample(Random((), _LEFT), _POINTS, _V),
        sample(Random((2,), _RIGHT), _POINTS, _V, right=-1.0),
    ],
}
