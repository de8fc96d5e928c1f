"""Decompositions of matrices: Cholesky, eigenvalues of symmetric matrices, singular values, QR.

Most have several results. A primitive has one: it packs them, each flattened, behind one another
along a last axis, and its rule unpacks what it is given and packs what it gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import Operand, Sample, composite, general, sample, shape_of
from tinygrad_ugan.autodiff.rules.linalg import spread
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.errors import NotDifferentiableError, check_choice

EighResult = type(np.linalg.eigh(np.eye(1)))
SVDResult = type(np.linalg.svd(np.eye(1)))
QRResult = type(np.linalg.qr(np.eye(1)))


def _symmetric(x: Any) -> Any:
    return (x + mT(x)) / 2


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, 0, -2, -1)


def _lower(x: Any) -> Any:
    """The lower triangle, the diagonal halved: with its transpose it adds up to a symmetric x."""
    n = shape_of(x)[-1]
    return x * (np.tri(n, dtype=x.dtype) - np.eye(n, dtype=x.dtype) / 2)


def _inverse_where_nonzero(x: Any) -> Any:
    return np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))


def _with_several_results(
    implementation: Callable[..., Sequence[Any]],
    shapes: Callable[[int, int], Sequence[tuple[int, ...]]],
    push: Callable[[Sequence[Any], Any], Sequence[Any]],
    pull: Callable[[Sequence[Any], Sequence[Any]], Any],
) -> Callable[[Any], list[Any]]:
    """Make a differentiable function of a matrix (or a stack) that returns a list of arrays.

    Parameters
    ----------
    implementation : callable
        The function on bare arrays.
    shapes : callable
        The shapes of the results for a matrix of m rows and n columns.
    push : callable
        ``push(results, tangent) -> tangents of the results``.
    pull : callable
        ``pull(results, cotangents of the results) -> cotangent of the matrix``.
    """

    def pack(results: Sequence[Any], a: Any) -> Any:
        flat = (*shape_of(a)[:-2], -1)
        return np.concatenate([np.reshape(x, flat) for x in results], axis=-1)

    def unpack(packed: Any, a: Any) -> list[Any]:
        stack, results, end = shape_of(a)[:-2], [], 0
        for shape in shapes(*shape_of(a)[-2:]):
            begin, end = end, end + math.prod(shape)
            results.append(np.reshape(packed[..., begin:end], (*stack, *shape)))
        return results

    def packed(a: Any) -> Any:
        return pack(implementation(a), a)

    def jvp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
    ) -> Any:
        return pack(push(unpack(ans, args[0]), tangents[0]), args[0])

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
    ) -> Sequence[Any]:
        return [pull(unpack(ans, args[0]), unpack(cotangent, args[0]))]

    primitive = general(packed, jvp, vjp, ())
    return lambda a: unpack(primitive(a), a)


def _cholesky_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> Any:
    halfway = np.linalg.solve(ans, _symmetric(tangents[0]))
    return ans @ _lower(np.linalg.solve(ans, mT(halfway)))


def _cholesky_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
) -> Sequence[Any]:
    halfway = np.linalg.solve(mT(ans), _lower(mT(ans) @ cotangent))
    return [_symmetric(np.linalg.solve(mT(ans), mT(halfway)))]


def _cholesky_lower(a: Any) -> Any:
    return np.linalg.cholesky(a)


_SYMMETRIC = Operand((3, 3), structure=lambda x: _symmetric(spread(x)))
_SYMMETRIC_STACK = Operand((2, 3, 3), structure=lambda x: _symmetric(spread(x)))
cholesky = general(
    _cholesky_lower, _cholesky_jvp, _cholesky_vjp, [sample(_SYMMETRIC), sample(_SYMMETRIC_STACK)]
)


def _cholesky(a: Any, *, upper: bool = False) -> Any:
    return mT(cholesky(mT(a))) if upper else cholesky(a)


def _eigh_push(results: Sequence[Any], t: Any) -> Sequence[Any]:
    w, v = results
    inner = mT(v) @ _symmetric(t) @ v
    return _diagonal(inner), v @ (_inverse_gaps(w) * inner)


def _eigh_pull(results: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    (w, v), (of_w, of_v) = results, cotangents
    scaled = v * of_w[..., None, :]
    return _symmetric((scaled + v @ (_inverse_gaps(w) * (mT(v) @ of_v))) @ mT(v))


def _inverse_gaps(w: Any) -> Any:
    """``1 / (w_j - w_i)``, and 0 where they are equal."""
    return _inverse_where_nonzero(w[..., None, :] - w[..., :, None])


_eigh_of_lower = _with_several_results(
    np.linalg.eigh, lambda m, n: ((n,), (n, n)), _eigh_push, _eigh_pull
)


def _eigh(a: Any, UPLO: str = "L") -> Any:
    check_choice("UPLO", UPLO.upper(), ("L", "U"))
    return EighResult(*_eigh_of_lower(a if UPLO.upper() == "L" else mT(a)))


def _svd_push(results: Sequence[Any], t: Any) -> Sequence[Any]:
    u, s, vT = results
    inner = mT(u) @ t @ mT(vT)
    rows, columns = s[..., None, :], s[..., :, None]
    gaps = _inverse_where_nonzero((rows - columns) * (rows + columns))
    of_u = u @ (gaps * (inner * rows + columns * mT(inner)))
    of_v = mT(vT) @ (gaps * (columns * inner + mT(inner) * rows))
    inverse = _inverse_where_nonzero(rows)
    right, left = (t @ mT(vT)) * inverse, (mT(t) @ u) * inverse
    of_u = of_u + right - u @ (mT(u) @ right)
    of_v = of_v + left - mT(vT) @ (vT @ left)
    return of_u, _diagonal(inner) * np.sign(s), mT(of_v)


def _svd_pull(results: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    (u, s, vT), (of_u, of_s, of_vT) = results, cotangents
    rows, columns = s[..., None, :], s[..., :, None]
    gaps = _inverse_where_nonzero((rows - columns) * (rows + columns))
    turn_u, turn_v = mT(u) @ of_u, vT @ mT(of_vT)
    inner = gaps * (turn_u - mT(turn_u)) * rows + columns * (gaps * (turn_v - mT(turn_v)))
    of_s = of_s * np.sign(s)
    inverse = _inverse_where_nonzero(rows)
    right, left = of_u * inverse, mT(of_vT) * inverse
    right, left = right - u @ (mT(u) @ right), left - mT(vT) @ (vT @ left)
    return (u @ inner + u * of_s[..., None, :] + right) @ vT + u @ mT(left)


_svd_reduced = _with_several_results(
    lambda a: np.linalg.svd(a, full_matrices=False),
    lambda m, n: ((m, min(m, n)), (min(m, n),), (min(m, n), n)),
    _svd_push,
    _svd_pull,
)


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    m, n = shape_of(a)[-2:]
    if compute_uv and full_matrices and m != n:
        raise NotDifferentiableError(
            "numpy.linalg.svd with full_matrices=True has no derivative rule for a matrix that is "
            "not square: the vectors beyond the singular values are not unique; use "
            "full_matrices=False"
        )
    u, s, vT = _svd_reduced(a)
    return SVDResult(u, s, vT) if compute_uv else s


def _qr_push(results: Sequence[Any], t: Any) -> Sequence[Any]:
    q, r = results
    scaled = mT(np.linalg.solve(mT(r), mT(t)))
    inner = mT(q) @ scaled
    upper = 2 * mT(_lower(_symmetric(inner)))
    return scaled - q @ upper, upper @ r


def _qr_pull(results: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    (q, r), (of_q, of_r) = results, cotangents
    inner = r @ mT(of_r) - mT(of_q) @ q
    below = _lower(inner)
    return mT(np.linalg.solve(r, mT(of_q + q @ (below + mT(below)))))


_qr_tall = _with_several_results(np.linalg.qr, lambda m, n: ((m, n), (n, n)), _qr_push, _qr_pull)


def _qr(a: Any, mode: str = "reduced") -> Any:
    m, n = shape_of(a)[-2:]
    if m < n or mode not in ("reduced", "r"):
        raise NotDifferentiableError(
            f"numpy.linalg.qr with mode={mode!r} has no derivative rule for a matrix of {m} rows "
            f"and {n} columns; it has one for mode='reduced' and at least as many rows as columns"
        )
    q, r = _qr_tall(a)
    return QRResult(q, r) if mode == "reduced" else r


def _fix_eigenvectors(result: Any) -> Any:
    w, v = result
    return w, v * np.sign(_diagonal(v))[..., None, :]


def _fix_singular_vectors(result: Any) -> Any:
    u, s, vT = result
    signs = np.sign(_diagonal(u))
    return u * signs[..., None, :], s, signs[..., :, None] * vT


_TALL = Operand((4, 3), structure=spread)
_SQUARE = Operand((2, 3, 3), structure=spread)
_WIDE = Operand((2, 4), structure=spread)
_TRIANGLE = "one triangle is read, and the derivative is that of f((A + A^T) / 2)"

RULES = (
    cholesky,
    composite(
        np.linalg.cholesky,
        _cholesky,
        [sample(_SYMMETRIC), sample(_SYMMETRIC_STACK, upper=True)],
        convention=_TRIANGLE,
    ),
    composite(
        np.linalg.eigh,
        _eigh,
        [
            Sample((_SYMMETRIC,), {}, _fix_eigenvectors),
            Sample((_SYMMETRIC_STACK, "U"), {}, _fix_eigenvectors),
        ],
        convention=f"{_TRIANGLE}; vectors of equal eigenvalues do not turn into each other",
    ),
    composite(
        np.linalg.eigvalsh,
        lambda a, UPLO="L": np.linalg.eigh(a, UPLO).eigenvalues,
        [sample(_SYMMETRIC), sample(_SYMMETRIC_STACK, UPLO="U")],
        convention=_TRIANGLE,
    ),
    composite(
        np.linalg.svd,
        _svd,
        [
            *(sample(x, compute_uv=False) for x in (_TALL, _SQUARE, _WIDE)),
            *(Sample((x, False), {}, _fix_singular_vectors) for x in (_TALL, _SQUARE, _WIDE)),
            Sample((_SQUARE,), {}, _fix_singular_vectors),
        ],
        convention="0 for a singular value that is 0; vectors of equal singular values do not turn "
        "into each other",
    ),
    composite(np.linalg.qr, _qr, [sample(_TALL), sample(_SQUARE), sample(_TALL, mode="r")]),
)
