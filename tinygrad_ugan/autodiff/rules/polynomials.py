"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.derived import derived
from tinygrad_ugan.autodiff.rules.indexing import index_set
from tinygrad_ugan.autodiff.rules.linalg import well_conditioned
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample


def _vector(p: Any) -> Any:
    return np.atleast_1d(as_array(p))


def _without_leading_zeros(p: Any) -> Any:
    p = _vector(p)
    nonzero = np.flatnonzero(untrace(p))
    return p[nonzero[0] if nonzero.size else len(p) - 1 :]


def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Running products of x with itself, which differentiate at 0 as well."""
    x = as_array(x)
    columns = len(x) if N is None else N
    first = np.ones((len(x), min(columns, 1)), x.dtype)
    rest = np.broadcast_to(x[:, None], (len(x), max(columns - 1, 0)))
    powers = np.cumprod(np.concatenate([first, rest], axis=1), axis=1)
    return powers if increasing else np.flip(powers, 1)


def _polyval(p: Any, x: Any) -> Any:
    """By Horner's rule."""
    x = as_array(x)
    y = np.zeros(shape_of(x), x.dtype)
    for coefficient in as_array(p):
        y = y * x + coefficient
    return y


def _padded(p: Any, length: int) -> Any:
    p = _vector(p)
    return np.concatenate([np.zeros(length - len(p), p.dtype), p])


def _polyadd(a1: Any, a2: Any) -> Any:
    length = max(len(_vector(a1)), len(_vector(a2)))
    return _padded(a1, length) + _padded(a2, length)


def _polysub(a1: Any, a2: Any) -> Any:
    length = max(len(_vector(a1)), len(_vector(a2)))
    return _padded(a1, length) - _padded(a2, length)


def _polymul(a1: Any, a2: Any) -> Any:
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Long division; a remainder that starts with zeros is shortened."""
    rest, divisor = _vector(u), _vector(v)
    n = len(divisor)
    scale = 1.0 / divisor[0]
    quotient = []
    for k in range(len(rest) - n + 1):
        quotient.append(scale * rest[k])
        left = rest[k : k + n] - quotient[-1] * divisor
        rest = index_set(rest, left, slice(k, k + n))
    while len(rest) > 1 and np.allclose(rest[0], 0, rtol=1e-14):
        rest = rest[1:]
    dtype = np.result_type(rest.dtype, divisor.dtype)
    return np.stack(quotient) if quotient else np.zeros(1, dtype), rest


def _polyder(p: Any, m: int = 1) -> Any:
    p = as_array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    p = as_array(p)
    constants = np.broadcast_to(0.0 if k is None else as_array(k), (m,))
    for constant in constants:
        quotients = p / np.arange(len(p), 0, -1)
        p = np.concatenate([quotients, np.reshape(constant, (1,))])
    return p


def _poly(seq_of_zeros: Any) -> Any:
    roots = _vector(seq_of_zeros)
    if len(shape_of(roots)) == 2:
        return _characteristic(roots)
    p = np.ones(1, roots.dtype)
    for root in roots:
        p = np.convolve(p, np.stack([np.ones((), roots.dtype), -root]))
    return p


def _characteristic(a: Any) -> Any:
    """Coefficients of det(z - a) by Faddeev and Le Verrier, without eigenvalues."""
    one = np.eye(shape_of(a)[0], dtype=a.dtype)
    coefficients, adjugate = [np.ones((), a.dtype)], one
    for k in range(1, shape_of(a)[0] + 1):
        product = a @ adjugate
        coefficients.append(-np.trace(product) / k)
        adjugate = product + coefficients[-1] * one
    return np.stack(coefficients)


def _roots(p: Any) -> Any:
    """The eigenvalues of the companion matrix, and zeros."""
    p = _vector(p)
    nonzero = np.flatnonzero(untrace(p))
    if nonzero.size == 0:
        return np.zeros(0, p.dtype)
    first, last = nonzero[0], nonzero[-1]
    zeros = np.zeros(len(p) - 1 - last, p.dtype)
    if first == last:
        return zeros
    shifts = np.eye(last - first - 1, last - first, dtype=p.dtype)
    top = -p[first + 1 : last + 1] / p[first]
    return np.concatenate([np.linalg.eigvals(np.concatenate([top[None], shifts])), zeros])


def _polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, *, w: Any = None) -> Any:
    """Least squares on the powers of x, each scaled to unit length."""
    x, y = as_array(x), as_array(y)
    powers = np.vander(x, deg + 1)
    if w is not None:
        w = as_array(w)
        powers = powers * w[:, None]
        y = y * np.reshape(w, (-1, *(1,) * (len(shape_of(y)) - 1)))
    size = np.sqrt(np.sum(np.square(untrace(powers)), axis=0))
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    found = np.linalg.lstsq(powers / size, y, rcond)[0]
    return found / np.reshape(size, (-1, *(1,) * (len(shape_of(y)) - 1)))


RULES = (
    derived(np.vander, _vander),
    derived(np.polyval, _polyval),
    composite(np.polyadd, _polyadd),
    composite(np.polysub, _polysub),
    derived(np.polymul, _polymul),
    composite(np.polydiv, _polydiv),
    derived(np.polyder, _polyder),
    derived(np.polyint, _polyint),
    derived(np.poly, _poly),
    derived(
        np.roots,
        _roots,
        "complex roots are refused; at a multiple root the derivative is not finite",
    ),
    derived(np.polyfit, _polyfit),
)


def _far_apart(x: Any) -> Any:
    """Numbers near 0, 3, 6, ..."""
    return x / 10 + 3 * np.arange(shape_of(x)[-1], dtype=x.dtype)


def _with_real_roots(x: Any) -> Any:
    """Coefficients near those of (z - 1)(z - 2)(z - 4)."""
    return x / 50 + np.asarray([1, -7, 14, -8], x.dtype)


_P, _Q, _V, _S = Random((4,)), Random((3,)), Random((5,)), Random(())
_LEADING = Random((3,), POSITIVE)
_POINTS = Random((5,), Domain(-2, 2), _far_apart)
_REAL = Random((4,), structure=_with_real_roots)
_LINE = np.asarray([0, 2, 1], np.float32)
_MATRIX = Random((3, 3), structure=well_conditioned)

SAMPLES: Samples = {
    np.vander: [sample(_Q), sample(_Q, 4), sample(_P, 3, increasing=True)],
    np.polyval: [sample(_P, _S), sample(_Q, Random((2, 3))), sample(_LINE, _V)],
    np.polyadd: [sample(_P, _Q), sample(_S, _P)],
    np.polysub: [sample(_P, _Q), sample(_Q, _V)],
    np.polymul: [sample(_P, _Q), sample(_LINE, _P), sample(_S, _Q)],
    np.polydiv: [sample(_V, _LEADING), sample(_Q, Random((2,), POSITIVE))],
    np.polyder: [sample(_P), sample(_V, 2), sample(_P, m=0)],
    np.polyint: [sample(_P), sample(_Q, 2, Random((2,))), sample(_P, k=1.5)],
    np.poly: [sample(_P), sample(_MATRIX)],
    np.roots: [sample(_REAL), sample(Random((2,), POSITIVE))],
    np.polyfit: [
        *(sample(_POINTS, _V, 2), sample(_POINTS, Random((5, 2)), 1)),
        sample(_POINTS, _V, 1, w=np.asarray([1, 2, 1, 0.5, 1])),
    ],
}
