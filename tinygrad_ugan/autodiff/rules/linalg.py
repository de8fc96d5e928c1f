"""``np.linalg``: inverses, systems of equations, powers and norms."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Params, Tracer
from tinygrad_ugan.autodiff.operands import as_array, shape_of, unbroadcast, untrace
from tinygrad_ugan.autodiff.primitive import composite, general, unary
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.autodiff.rules.stable_derivatives import root
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NotDifferentiableError


def well_conditioned(x: Any) -> Any:
    """A matrix near diag(2, 4, 6, ...): well conditioned, its singular values far apart."""
    rows, columns = shape_of(x)[-2:]
    return x / 10 + np.eye(rows, columns, dtype=x.dtype) * np.arange(2, 2 * columns + 2, 2, x.dtype)


def _pinv_push(t: Any, ans: Any, a: Any, *_rank: Any, **_options: Any) -> Any:
    """For constant rank: Golub & Pereyra (1973), equation 4.12."""
    tT, ansT = mT(t), mT(ans)
    left, right = tT @ ansT @ ans, ans @ ansT @ tT
    return left - ans @ (a @ left) + right - (right @ a) @ ans - ans @ t @ ans


def _pinv_pull(g: Any, ans: Any, a: Any, *_rank: Any, **_options: Any) -> Any:
    gT, ansT = mT(g), mT(ans)
    left, right = ansT @ (ans @ gT), (gT @ ans) @ ansT
    return left - (left @ ans) @ a + right - a @ (ans @ right) - ansT @ g @ ansT


def _solve(a: Any, b: Any) -> Any:
    """Solve for the columns of the matrices b."""
    return np.linalg.solve(a, b)


def _solve_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    by_place = dict(zip(traced, tangents, strict=True))
    terms = [by_place[1]] if 1 in by_place else []
    if 0 in by_place:
        terms.append(-(by_place[0] @ ans))
    return solve(args[0], sum(terms[1:], terms[0]))


def _solve_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    of_b = solve(mT(args[0]), cotangent)
    cotangents = [-(of_b @ mT(ans)) if i == 0 else of_b for i in traced]
    return [unbroadcast(g, args[i]) for i, g in zip(traced, cotangents, strict=True)]


solve = general(_solve, _solve_jvp, _solve_vjp)


def _solve_any(a: Any, b: Any) -> Any:
    a, b = as_array(a), as_array(b)
    if len(shape_of(b)) == 1:
        return np.squeeze(solve(a, np.expand_dims(b, -1)), -1)
    return solve(a, b)


def _lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    a, b = as_array(a), as_array(b)
    m, n = shape_of(a)
    if rcond is None:
        rcond = np.finfo(np.result_type(a, b)).eps * max(m, n)
    x = np.linalg.pinv(a, rcond) @ b
    s = np.linalg.svd(a, compute_uv=False)
    rank = np.sum(s > rcond * np.max(untrace(s), initial=0))
    residuals = np.sum((b - a @ x) ** 2, axis=0, keepdims=len(shape_of(b)) == 1)
    return x, residuals if rank == n < m else np.zeros(0, x.dtype), rank, s


def _matrix_power(a: Any, n: int) -> Any:
    """Multiply in the order that NumPy does."""
    if not hasattr(n, "__index__"):
        raise ArgumentTypeError("n", n, "a whole number")
    n = operator.index(n)
    if n == 0:
        return np.broadcast_to(np.eye(shape_of(a)[-1], dtype=a.dtype), shape_of(a))
    square, power = a if n > 0 else np.linalg.inv(a), None
    n = abs(n)
    if n == 3:
        return (square @ square) @ square
    while True:
        if n % 2:
            power = square if power is None else power @ square
        n //= 2
        if n == 0:
            return power
        square = square @ square


def _multi_dot(arrays: Sequence[Any]) -> Any:
    """An einsum of a chain of labels, contracted in the cheapest order."""
    arrays = [as_array(x) for x in arrays]
    operands: list[Any] = []
    for i, x in enumerate(arrays):
        labels = [i, i + 1] if len(shape_of(x)) == 2 else [max(i, 1)]
        operands += [x, labels]
    ends = [0, len(arrays)]
    output = [c for c, x in zip(ends, (arrays[0], arrays[-1]), strict=True) if len(x.shape) == 2]
    return np.einsum(*operands, output, optimize=True)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if isinstance(ord, Tracer):
        raise NotDifferentiableError(
            "numpy.linalg.norm has no derivative rule in ord; write np.sum(np.abs(x) ** p) ** "
            "(1 / p), or cut the derivative with stop_gradient"
        )
    x = as_array(x)
    every = range(len(shape_of(x)))
    axes = tuple(every) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ord is None:
        result = root(np.sum(x * x, axes, keepdims=True), 2)
    elif len(axes) == 1:
        result = _vector_norm(x, ord, axes[0])
    elif len(axes) == 2:
        result = _matrix_norm(x, ord, *axes)
    else:
        raise ArgumentError("axis", axis, "one axis or two", "or leave ord= out")
    return result if keepdims else np.squeeze(result, axes)


def _vector_norm(x: Any, order: Any, axis: int) -> Any:
    if isinstance(order, str):
        raise ArgumentError("ord", repr(order), "a number for a vector")
    if order == 2:
        return root(np.sum(x * x, axis, keepdims=True), 2)
    if order == 0:
        return np.sum(x != 0, axis, keepdims=True).astype(x.dtype)
    size = np.absolute(x)
    if order == 1:
        return np.sum(size, axis, keepdims=True)
    if abs(order) == np.inf:
        return _extreme(order)(size, axis, keepdims=True)
    side = np.where(x < 0, -x, x) if order > 1 else size  # powers have no corner at 0
    return root(np.sum(side**order, axis, keepdims=True), order)


def _matrix_norm(x: Any, order: Any, row: int, column: int) -> Any:
    if order in ("fro", "f"):
        return root(np.sum(x * x, (row, column), keepdims=True), 2)
    if order in ("nuc", 2, -2):
        s = np.linalg.svd(np.moveaxis(x, (row, column), (-2, -1)), compute_uv=False)
        s = np.absolute(s)  # which they are, but the derivative of 0 is 0
        norm = np.sum(s, -1) if order == "nuc" else _extreme(order)(s, -1)
        return np.expand_dims(norm, (row, column))
    if order not in (1, -1, np.inf, -np.inf):
        raise ArgumentError("ord", repr(order), "one of 'fro', 'nuc', 1, -1, 2, -2, inf, -inf")
    if abs(order) == np.inf:
        row, column = column, row
    sums = np.sum(np.absolute(x), row, keepdims=True)
    return _extreme(order)(sums, column, keepdims=True)


def _extreme(order: float) -> Callable[..., Any]:
    return _largest if order > 0 else np.min


def _largest(x: Any, axis: int, keepdims: bool = False) -> Any:
    """The maximum of absolute values; 0 if there are none, as for their sum."""
    return (np.max if shape_of(x)[axis] else np.sum)(x, axis=axis, keepdims=keepdims)


RULES = (
    unary(
        np.linalg.inv,
        lambda t, ans, a: -(ans @ t @ ans),
        lambda g, ans, a: -(mT(ans) @ g @ mT(ans)),
    ),
    unary(
        np.linalg.pinv,
        _pinv_push,
        _pinv_pull,
        convention="the rank is taken to stay the same nearby",
    ),
    solve,
    composite(np.linalg.solve, _solve_any),
    composite(
        np.linalg.lstsq,
        _lstsq,
        convention="the rank is taken to stay the same nearby",
        rounds_differently=True,
    ),
    composite(np.linalg.matrix_power, _matrix_power),
    composite(np.linalg.multi_dot, _multi_dot, rounds_differently=True),
    composite(
        np.linalg.norm,
        _norm,
        convention="0 at 0, and then NaN; equal extremes share the cotangent evenly",
        rounds_differently=True,
    ),
)

CONSTANTS = (np.linalg.matrix_rank,)

_SQUARE = Random((3, 3), structure=well_conditioned)
_STACK = Random((2, 3, 3), structure=well_conditioned)
_TALL = Random((4, 3), structure=well_conditioned)
_WIDE = Random((2, 2, 4), structure=well_conditioned)
_NEGATIVE = Domain(-3.0, -0.2)
_V, _N, _A = Random((4,), POSITIVE), Random((3, 4), _NEGATIVE), Random((2, 3, 4), POSITIVE)

SAMPLES: Samples = {
    _solve: [sample(_SQUARE, Random((3, 2))), sample(_STACK, Random((4, 1, 3, 1)))],
    np.linalg.inv: [sample(_SQUARE), sample(_STACK)],
    np.linalg.pinv: [sample(_SQUARE), sample(_TALL), sample(_WIDE, 1e-10)],
    np.linalg.solve: [
        *(sample(_SQUARE, Random((3,))), sample(_STACK, Random((3,)))),
        sample(_STACK, _SQUARE),
    ],
    np.linalg.lstsq: [
        sample(_TALL, Random((4,))),
        sample(_TALL, Random((4, 2))),
        sample(_SQUARE, Random((3,))),
    ],
    np.linalg.matrix_power: [*(sample(_SQUARE, n) for n in (1, 2, 5, -1, -2)), sample(_STACK, 3)],
    np.linalg.multi_dot: [
        sample([Random((2, 3)), Random((3, 4)), Random((4, 2)), Random((2, 3))]),
        sample([Random((3,)), Random((3, 4)), Random((4,))]),
        sample([Random((2, 3)), Random((3, 4))]),
    ],
    np.linalg.norm: [
        *(sample(_A), sample(_A, axis=(0, -1)), sample(_N, None, -1, True), sample(_V, None)),
        *(sample(_V, p) for p in (2, 1, 3, 0.5, -1, np.inf, -np.inf)),
        *(sample(_A, p, 1, keepdims=True) for p in (2, 1, np.inf)),
        *(sample(_N, p) for p in ("fro", 1, -1, np.inf, -np.inf)),
        *(sample(_TALL, p) for p in (2, -2, "nuc")),
        *(sample(_A, p, (2, 0), True) for p in ("fro", 1, -np.inf)),
        sample(
            Random((3, 2, 4), structure=lambda x: np.moveaxis(well_conditioned(x), 1, 0)),
            2,
            (1, 2),
        ),
    ],
}
