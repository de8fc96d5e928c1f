"""Decompositions of matrices: Cholesky, eigenvalues of symmetric matrices, singular values, QR.

NumPy reads one triangle of a symmetric matrix, and so only the elements of that triangle have a
derivative: twice for those off the diagonal, which stand for two each.

Vectors of equal values are not unique, nor are some singular vectors of a zero value. Their
derivative is NaN, and so is that of everything computed from them. Values count as equal if they
differ by no more than their own rounding error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import shape_of, untrace
from tinygrad_ugan.autodiff.primitive import composite, unary
from tinygrad_ugan.autodiff.rules.linalg import well_conditioned
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.autodiff.samples import Random, SampleCall, Samples, sample
from tinygrad_ugan.errors import NotDifferentiableError, check_choice

EighResult = type(np.linalg.eigh(np.eye(1)))
SVDResult = type(np.linalg.svd(np.eye(1)))
QRResult = type(np.linalg.qr(np.eye(1)))


def _symmetric(x: Any) -> Any:
    return (x + mT(x)) / 2


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, 0, -2, -1)


def _lower(x: Any) -> Any:
    """The lower triangle with half the diagonal: plus its transpose it is x, if x is symmetric."""
    n = shape_of(x)[-1]
    return x * (np.tri(n, dtype=x.dtype) - np.eye(n, dtype=x.dtype) / 2)


def _mirrored(x: Any, upper: bool) -> Any:
    """The symmetric matrix that is read from one triangle of x."""
    x = mT(x) if upper else x
    return np.tril(x) + mT(np.tril(x, -1))


def _folded(g: Any, upper: bool) -> Any:
    """The transpose of `_mirrored`: 0 outside of the triangle that is read."""
    lower = np.tril(g) + mT(np.triu(g, 1))
    return mT(lower) if upper else lower


def _rounding(x: Any) -> Any:
    """A bound on the rounding errors of the values, with the last axis kept."""
    bare = np.abs(untrace(x))
    unit = 8 * np.finfo(bare.dtype).eps * bare.shape[-1]
    return unit * np.max(bare, axis=-1, keepdims=True, initial=0)


def _inverse_or_nan(x: Any, least: Any) -> Any:
    """``1 / x``, and NaN where x is 0 up to rounding."""
    return 1 / np.where(np.abs(untrace(x)) <= least, np.nan, x)


def inverse_gaps(w: Any) -> Any:
    """``1 / (w_j - w_i)``, and 0 where i = j."""
    diagonal = np.eye(shape_of(w)[-1], dtype=bool)
    gaps = np.where(diagonal, 1, w[..., None, :] - w[..., :, None])
    return np.where(diagonal, 0, _inverse_or_nan(gaps, _rounding(w)[..., None] * ~diagonal))


def _is_upper(UPLO: str) -> bool:
    return UPLO.upper() == "U"


def _cholesky_push(t: Any, ans: Any, a: Any, upper: bool = False) -> Any:
    factor = mT(ans) if upper else ans
    halfway = np.linalg.solve(factor, _mirrored(t, upper))
    pushed = factor @ _lower(np.linalg.solve(factor, mT(halfway)))
    return mT(pushed) if upper else pushed


def _cholesky_pull(g: Any, ans: Any, a: Any, upper: bool = False) -> Any:
    transposed, g = (ans, mT(g)) if upper else (mT(ans), g)
    halfway = np.linalg.solve(transposed, _lower(transposed @ g))
    return _folded(np.linalg.solve(transposed, mT(halfway)), upper)


def _eigh_push(t: Any, ans: Any, a: Any, UPLO: str) -> Any:
    w, v = ans
    inner = mT(v) @ _mirrored(t, _is_upper(UPLO)) @ v
    return _diagonal(inner), v @ (inverse_gaps(w) * inner)


def _eigh_pull(g: Any, ans: Any, a: Any, UPLO: str) -> Any:
    (w, v), (of_w, of_v) = ans, g
    terms = []
    if of_w is not None:
        terms.append(v * of_w[..., None, :])
    if of_v is not None:
        terms.append(v @ (inverse_gaps(w) * (mT(v) @ of_v)))
    return _folded(sum(terms[1:], terms[0]) @ mT(v), _is_upper(UPLO))


eigenpairs = unary(np.linalg.eigh, _eigh_push, _eigh_pull, multiple_results=True)


def _eigh(a: Any, UPLO: str = "L") -> Any:
    check_choice("UPLO", UPLO.upper(), ("L", "U"))
    return EighResult(*eigenpairs(a, UPLO))


def _eigvalsh_push(t: Any, ans: Any, a: Any, UPLO: str = "L") -> Any:
    v = np.linalg.eigh(a, UPLO).eigenvectors
    return np.sum(v * (_mirrored(t, _is_upper(UPLO)) @ v), axis=-2)


def _eigvalsh_pull(g: Any, ans: Any, a: Any, UPLO: str = "L") -> Any:
    v = np.linalg.eigh(a, UPLO).eigenvectors
    return _folded(v * g[..., None, :] @ mT(v), _is_upper(UPLO))


def _svd_gaps(s: Any) -> tuple[Any, Any, Any]:
    """``1 / (s_j^2 - s_i^2)``, s_j and s_i."""
    rows, columns = s[..., None, :], s[..., :, None]
    diagonal = np.eye(shape_of(s)[-1], dtype=bool)
    return (
        inverse_gaps(s) / np.where(diagonal | (untrace(rows + columns) == 0), 1, rows + columns),
        rows,
        columns,
    )


def _svd_push(t: Any, ans: Any, a: Any, full_matrices: bool) -> Any:
    u, s, vT = ans
    v, (m, n) = mT(vT), shape_of(t)[-2:]
    inner = mT(u) @ t @ v
    gaps, rows, columns = _svd_gaps(s)
    of_u = u @ (gaps * (inner * rows + columns * mT(inner)))
    of_v = v @ (gaps * (columns * inner + mT(inner) * rows))
    if m > n:
        of_u = of_u + _beyond(u, (t @ v) * _inverse(s))
    if m < n:
        of_v = of_v + _beyond(v, (mT(t) @ u) * _inverse(s))
    return of_u, _diagonal(inner), mT(of_v)


def _svd_pull(g: Any, ans: Any, a: Any, full_matrices: bool) -> Any:
    (u, s, vT), (of_u, of_s, of_vT) = ans, g
    v, (m, n) = mT(vT), shape_of(a)[-2:]
    gaps, rows, columns = _svd_gaps(s)
    terms = []
    if of_s is not None:
        terms.append(u * of_s[..., None, :] @ vT)
    if of_u is not None:
        turn = mT(u) @ of_u
        terms.append(u @ (gaps * (turn - mT(turn)) * rows) @ vT)
        if m > n:
            terms.append(_beyond(u, of_u * _inverse(s)) @ vT)
    if of_vT is not None:
        turn = vT @ mT(of_vT)
        terms.append(u @ (columns * (gaps * (turn - mT(turn)))) @ vT)
        if m < n:
            terms.append(u @ mT(_beyond(v, mT(of_vT) * _inverse(s))))
    return sum(terms[1:], terms[0])


def _inverse(s: Any) -> Any:
    """``1 / s_j``, as factors of columns."""
    return _inverse_or_nan(s, _rounding(s))[..., None, :]


def _beyond(q: Any, x: Any) -> Any:
    """The part of the columns of x that those of q do not span."""
    return x - q @ (mT(q) @ x)


singular_triples = unary(np.linalg.svd, _svd_push, _svd_pull, multiple_results=True)


def _singular_values(a: Any) -> Any:
    return np.linalg.svd(a, compute_uv=False)


def _singular_values_push(t: Any, ans: Any, a: Any) -> Any:
    u, _, vT = singular_triples(a, False)
    return np.sum(u * (t @ mT(vT)), axis=-2)


def _singular_values_pull(g: Any, ans: Any, a: Any) -> Any:
    u, _, vT = singular_triples(a, False)
    return u * g[..., None, :] @ vT


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return singular_values(a)
    m, n = shape_of(a)[-2:]
    if full_matrices and m != n:
        raise NotDifferentiableError(
            "numpy.linalg.svd with full_matrices=True has no derivative rule for a matrix that is "
            "not square: the vectors beyond the singular values are not unique; use "
            "full_matrices=False"
        )
    return SVDResult(*singular_triples(a, full_matrices))


def _qr_push(t: Any, ans: Any, a: Any) -> Any:
    q, r = ans
    scaled = mT(np.linalg.solve(mT(_full_rank(r)), mT(t)))
    inner = mT(q) @ scaled
    upper = 2 * mT(_lower(_symmetric(inner)))
    return scaled - q @ upper, upper @ r


def _qr_pull(g: Any, ans: Any, a: Any) -> Any:
    (q, r), (of_q, of_r) = ans, g
    of_q = np.zeros(shape_of(q), q.dtype) if of_q is None else of_q
    inner = -mT(of_q) @ q if of_r is None else r @ mT(of_r) - mT(of_q) @ q
    below = _lower(inner)
    return mT(np.linalg.solve(_full_rank(r), mT(of_q + q @ (below + mT(below)))))


def _full_rank(r: Any) -> Any:
    """The triangular factor, or NaN where it is singular."""
    diagonal = _diagonal(untrace(r))
    singular = np.any(np.abs(diagonal) <= _rounding(diagonal), axis=-1)
    return np.where(singular[..., None, None], np.nan, r)


orthogonal_factors = unary(np.linalg.qr, _qr_push, _qr_pull, multiple_results=True)


def _qr(a: Any, mode: str = "reduced") -> Any:
    m, n = shape_of(a)[-2:]
    if m < n or mode not in ("reduced", "r"):
        raise NotDifferentiableError(
            f"numpy.linalg.qr with mode={mode!r} has no derivative rule for a matrix of {m} rows "
            f"and {n} columns; it has one for mode='reduced' and at least as many rows as columns"
        )
    q, r = orthogonal_factors(a)
    return QRResult(q, r) if mode == "reduced" else r


_TRIANGLE = "the derivative is 0 in the elements of the triangle that is not read"
_EQUAL = "NaN for the vectors of equal"
_VALUES = "of equal values, those along the vectors that NumPy finds"

singular_values = unary(_singular_values, _singular_values_push, _singular_values_pull)

RULES = (
    unary(np.linalg.cholesky, _cholesky_push, _cholesky_pull, convention=_TRIANGLE),
    composite(np.linalg.eigh, _eigh, convention=f"{_TRIANGLE}; {_EQUAL} eigenvalues; {_VALUES}"),
    unary(
        np.linalg.eigvalsh,
        _eigvalsh_push,
        _eigvalsh_pull,
        convention=f"{_TRIANGLE}; {_VALUES}, and NaN for their second derivative",
    ),
    singular_values,
    composite(
        np.linalg.svd,
        _svd,
        convention=f"{_EQUAL} singular values, and for those of 0 beyond a square; {_VALUES}; at a "
        "value of 0, u @ da @ v, as if it could become negative",
    ),
    composite(np.linalg.qr, _qr, convention="NaN for a matrix of lower rank"),
)


def _fix_eigenvectors(result: Any) -> Any:
    w, v = result
    return w, v * np.sign(_diagonal(v))[..., None, :]


def _fix_singular_vectors(result: Any) -> Any:
    u, s, vT = result
    signs = np.sign(_diagonal(u))
    return u * signs[..., None, :], s, signs[..., :, None] * vT


_TALL = Random((4, 3), structure=well_conditioned)
# One triangle is read: nothing makes these symmetric.
_SQUARE = Random((3, 3), structure=well_conditioned)
_STACK = Random((2, 3, 3), structure=well_conditioned)
_WIDE = Random((2, 4), structure=well_conditioned)

SAMPLES: Samples = {
    _singular_values: [sample(x) for x in (_TALL, _STACK, _WIDE)],
    np.linalg.cholesky: [sample(_SQUARE), sample(_STACK), sample(_STACK, upper=True)],
    np.linalg.eigh: [
        SampleCall((_SQUARE,), {}, _fix_eigenvectors),
        SampleCall((_STACK, "U"), {}, _fix_eigenvectors),
    ],
    np.linalg.eigvalsh: [sample(_SQUARE), sample(_STACK, UPLO="U")],
    np.linalg.svd: [
        *(sample(x, compute_uv=False) for x in (_TALL, _STACK, _WIDE)),
        *(SampleCall((x, False), {}, _fix_singular_vectors) for x in (_TALL, _STACK, _WIDE)),
        SampleCall((_STACK,), {}, _fix_singular_vectors),
    ],
    np.linalg.qr: [sample(_TALL), sample(_STACK), sample(_TALL, mode="r")],
}
