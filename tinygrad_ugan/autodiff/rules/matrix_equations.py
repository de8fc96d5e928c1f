"""scipy.linalg: functions of matrices, and systems of equations of special form.

SciPy's functions do not dispatch; `tinygrad_ugan.linalg` calls these primitives in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import linalg

from tinygrad_ugan.autodiff.core import Params
from tinygrad_ugan.autodiff.operands import in_common_dtype, shape_of
from tinygrad_ugan.autodiff.primitive import Primitive, general, unary
from tinygrad_ugan.autodiff.rules.linalg import well_conditioned
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError


def _through_blocks(function: Callable[..., Any]) -> Primitive:
    """Declare a function f of square matrices by the derivative that f([[a, t], [0, a]]) holds.

    It is the upper right block (Higham, Functions of Matrices, theorem 3.6). The transpose
    of the derivative at a is the derivative at the transpose of a.
    """

    def derivative(a: Any, t: Any) -> Any:
        n = shape_of(a)[-1]
        upper = np.concatenate([a, t], axis=-1)
        lower = np.concatenate([np.zeros_like(a), a], axis=-1)
        return primitive(np.concatenate([upper, lower], axis=-2))[..., :n, n:]

    primitive = unary(
        function,
        lambda t, ans, a: derivative(a, t),
        lambda g, ans, a: derivative(mT(a), g),
    )
    return primitive


def _expm(a: Any) -> Any:
    return linalg.expm(a)


def _logm(a: Any) -> Any:
    return _real(linalg.logm(np.asarray(a, float)), a)


def _sqrtm(a: Any) -> Any:
    return _real(linalg.sqrtm(a), a)


def _real(result: Any, a: Any) -> Any:
    """The real part of a result that is real up to rounding, complex in some versions of SciPy."""
    rounding = 1e3 * np.finfo(result.dtype).eps * np.max(np.abs(result), initial=0)
    if np.max(np.abs(np.imag(result)), initial=0) > rounding:
        raise ArgumentError(
            "a", "one with eigenvalues on the negative axis", "a matrix of which that is real"
        )
    return in_common_dtype(np.real(result), a)


def _solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solve ``a x + x b = q`` for x."""
    return in_common_dtype(linalg.solve_sylvester(a, b, q), a, b, q)


def _solve_sylvester_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    terms = {0: lambda t: -(t @ ans), 1: lambda t: -(ans @ t), 2: lambda t: t}
    right = sum(terms[i](t) for i, t in zip(traced, tangents, strict=True))
    return solve_sylvester(args[0], args[1], right)


def _solve_sylvester_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    of_q = solve_sylvester(mT(args[0]), mT(args[1]), cotangent)
    cotangents = [-(of_q @ mT(ans)), -(mT(ans) @ of_q), of_q]
    return [cotangents[i].astype(args[i].dtype) for i in traced]


def _solve_triangular(a: Any, b: Any, lower: bool, unit_diagonal: bool) -> Any:
    """Solve for the columns of b, reading one triangle of a, without its diagonal if that is 1."""
    x = linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)
    return in_common_dtype(x, a, b)


def _triangle(x: Any, lower: bool, unit_diagonal: bool) -> Any:
    """The triangle that `_solve_triangular` reads."""
    return np.tril(x, -int(unit_diagonal)) if lower else np.triu(x, int(unit_diagonal))


def _solve_triangular_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    a, _, *options = args
    terms = {0: lambda t: -(_triangle(t, *options) @ ans), 1: lambda t: t}
    right = sum(terms[i](t) for i, t in zip(traced, tangents, strict=True))
    return solve_triangular(a, right, *options)


def _solve_triangular_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    a, _, lower, unit_diagonal = args
    of_b = solve_triangular(mT(a), cotangent, not lower, unit_diagonal)
    cotangents = [-_triangle(of_b @ mT(ans), lower, unit_diagonal), of_b]
    return [cotangents[i].astype(args[i].dtype) for i in traced]


def _solve_banded(ab: Any, b: Any, lower: int, upper: int) -> Any:
    """Solve for the columns of b; ``ab[upper + i - j, j]`` is the element i, j of the matrix."""
    return in_common_dtype(linalg.solve_banded((lower, upper), ab, b), ab, b)


def _shifted(x: Any, shifts: Any) -> Any:
    """Stack ``x[i + shifts[k]]`` over k, with zeros outside of x."""
    n = shape_of(x)[0]
    places = np.arange(n) + shifts[:, None]
    inside = (places >= 0) & (places < n)
    rows = x[np.where(inside, places, 0)]
    return np.where(np.reshape(inside, (*inside.shape, *(1,) * (len(shape_of(x)) - 1))), rows, 0)


def _banded_transpose(ab: Any, lower: int, upper: int) -> Any:
    """The bands of the transposed matrix."""
    shifts = np.arange(lower + upper + 1) - lower
    rows = [_shifted(ab[-1 - k], shift)[0] for k, shift in enumerate(shifts[:, None])]
    return np.stack(rows)


def _banded_product(ab: Any, x: Any, lower: int, upper: int) -> Any:
    shifts = upper - np.arange(lower + upper + 1)
    coefficients = np.stack([_shifted(ab[k], shifts[k : k + 1])[0] for k in range(len(shifts))])
    return np.sum(coefficients[..., None] * _shifted(x, shifts), axis=0)


def _solve_banded_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    ab, _, *bands = args
    terms = {0: lambda t: -_banded_product(t, ans, *bands), 1: lambda t: t}
    right = sum(terms[i](t) for i, t in zip(traced, tangents, strict=True))
    return solve_banded(ab, right, *bands)


def _solve_banded_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    ab, _, lower, upper = args
    of_b = solve_banded(_banded_transpose(ab, lower, upper), cotangent, upper, lower)
    shifts = np.arange(lower + upper + 1) - upper
    cotangents = [-np.sum(_shifted(of_b, shifts) * ans, axis=-1), of_b]
    return [cotangents[i].astype(args[i].dtype) for i in traced]


_STACK = Random((2, 3, 3), structure=well_conditioned)

expm = _through_blocks(_expm)
logm = _through_blocks(_logm)
solve_sylvester: Primitive = general(_solve_sylvester, _solve_sylvester_jvp, _solve_sylvester_vjp)
sqrtm = unary(
    _sqrtm,
    lambda t, ans, a: solve_sylvester(ans, ans, t),
    lambda g, ans, a: solve_sylvester(mT(ans), mT(ans), g),
)
solve_triangular: Primitive = general(
    _solve_triangular,
    _solve_triangular_jvp,
    _solve_triangular_vjp,
)
solve_banded: Primitive = general(_solve_banded, _solve_banded_jvp, _solve_banded_vjp)

RULES = (expm, logm, sqrtm, solve_sylvester, solve_triangular, solve_banded)

_SQUARE = Random((3, 3), structure=well_conditioned)
_SMALL = Random((2, 2), structure=well_conditioned)
_BANDS = Random((3, 5), structure=lambda x: x / 10 + np.array([[0.0], [2.0], [0.0]], x.dtype))
_WIDER = Random((4, 4), structure=lambda x: x / 10 + np.array([[0.0], [0], [2], [0]], x.dtype))

SAMPLES: Samples = {
    _expm: [sample(Random((3, 3))), sample(Random((2, 2, 2)))],
    _logm: [sample(_SQUARE), sample(_SMALL)],
    _solve_sylvester: [
        sample(_SQUARE, _SMALL, Random((3, 2))),
        sample(_SMALL, _SMALL, Random((2, 2))),
    ],
    _sqrtm: [sample(_SQUARE), sample(_SMALL)],
    _solve_triangular: [
        sample(_SQUARE, Random((3, 2)), lower, unit)
        for lower in (False, True)
        for unit in (False, True)
    ],
    _solve_banded: [sample(_BANDS, Random((5, 2)), 1, 1), sample(_WIDER, Random((4, 1)), 1, 2)],
}
