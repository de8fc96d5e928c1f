"""Real eigenvalues and eigenvectors of general matrices; condition numbers, tensor inverses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import Primitive, composite, unary
from tinygrad_ugan.autodiff.rules.decompositions import inverse_gaps
from tinygrad_ugan.autodiff.rules.derived import derive, derived
from tinygrad_ugan.autodiff.rules.linalg import well_conditioned
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.autodiff.samples import Random, SampleCall, Samples, sample
from tinygrad_ugan.errors import NotDifferentiableError

EigResult = type(np.linalg.eig(np.eye(1)))


def _real_eig(a: Any) -> tuple[Any, Any]:
    w, v = np.linalg.eig(a)
    return _checked(w).real, v.real


def _eigvals(a: Any) -> Any:
    return _checked(np.linalg.eigvals(a)).real


def _checked(w: Any) -> Any:
    """Check that all eigenvalues are real; from NumPy 2.5, their dtype is complex all the same."""
    if np.any(w.imag):
        raise NotDifferentiableError(
            "numpy.linalg.eig and eigvals differentiate where all eigenvalues are real, and here "
            "some are complex; of a symmetric matrix use np.linalg.eigh or eigvalsh"
        )
    return w


# Two primitives: the eigenvalues alone have a first derivative where some of them are equal.
def _eigenvalues(a: Any) -> Any:
    return _real_eig(a)[0]


def _eigenvalues_push(t: Any, ans: Any, a: Any) -> Any:
    v = _basis(eigenvectors(a))
    return np.diagonal(np.linalg.solve(v, t @ v), 0, -2, -1)


def _eigenvalues_pull(g: Any, ans: Any, a: Any) -> Any:
    v = _basis(eigenvectors(a))
    return np.linalg.solve(mT(v), g[..., :, None] * mT(v))


def _eigenvectors(a: Any) -> Any:
    return _real_eig(a)[1]


def _eigenvectors_push(t: Any, ans: Any, a: Any) -> Any:
    inner = np.linalg.solve(_basis(ans), t @ ans)
    return _across(ans, ans @ _over_gaps(inner, a))


def _eigenvectors_pull(g: Any, ans: Any, a: Any) -> Any:
    inner = _over_gaps(mT(ans) @ _across(ans, g), a)
    return np.linalg.solve(mT(_basis(ans)), inner @ mT(ans))


def _basis(v: Any) -> Any:
    """The vectors, or NaN if they are no basis, for a matrix that is defective up to rounding.

    Rounding by eps separates equal eigenvalues and vectors of such a matrix by ``eps ** 0.5``.
    """
    bare = untrace(v)
    smallest = np.min(np.linalg.svd(bare, compute_uv=False), axis=-1, initial=1)
    defective = smallest <= 16 * np.finfo(bare.dtype).eps ** 0.5
    return np.where(defective[..., None, None], np.nan, v)


def _over_gaps(x: Any, a: Any) -> Any:
    """``x_ij / (w_j - w_i)``: 0 on the diagonal, NaN at equal eigenvalues."""
    return x * inverse_gaps(eigenvalues(a))


def _across(v: Any, t: Any) -> Any:
    """Project t, column by column, orthogonally to v, whose length stays 1."""
    return t - v * np.sum(v * t, axis=-2, keepdims=True)


eigenvalues: Primitive = unary(_eigenvalues, _eigenvalues_push, _eigenvalues_pull)
eigenvectors: Primitive = unary(
    _eigenvectors,
    _eigenvectors_push,
    _eigenvectors_pull,
    convention="NaN where eigenvalues are equal, and where the vectors are no basis",
)


def _cond(x: Any, p: Any = None) -> Any:
    x = as_array(x)
    if p in (None, 2, -2):
        s = np.linalg.svd(x, compute_uv=False)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    both = (np.linalg.norm(y, p, (-2, -1)) for y in (x, np.linalg.inv(x)))
    return math.prod(both)


def _tensorinv(a: Any, ind: int = 2) -> Any:
    a = as_array(a)
    rows, columns = shape_of(a)[:ind], shape_of(a)[ind:]
    matrix = np.reshape(a, (math.prod(rows), -1))
    return np.reshape(np.linalg.inv(matrix), columns + rows)


def _tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    a, b = as_array(a), as_array(b)
    rank = len(shape_of(a))
    if axes is not None:
        a = np.moveaxis(a, tuple(axes), tuple(range(rank - len(axes), rank)))
    shape = shape_of(a)[len(shape_of(b)) :]
    matrix = np.reshape(a, (-1, math.prod(shape)))
    return np.reshape(np.linalg.solve(matrix, np.ravel(b)), shape)


_REAL = "complex eigenvalues are refused; NaN for the vectors of equal ones, and without a basis"

RULES = (
    eigenvalues,
    eigenvectors,
    composite(np.linalg.eig, lambda a: EigResult(eigenvalues(a), eigenvectors(a)), _REAL),
    composite(np.linalg.eigvals, derive(_eigvals, lambda a: eigenvalues(a)), _REAL),
    derived(np.linalg.cond, _cond),
    derived(np.linalg.tensorinv, _tensorinv),
    derived(np.linalg.tensorsolve, _tensorsolve),
)


def _fix_signs(v: Any) -> Any:
    """The vectors with a positive diagonal."""
    return v * np.sign(np.diagonal(v, 0, -2, -1))[..., None, :]


def _fix_eigenvectors(result: Any) -> Any:
    return np.real(result[0]), _fix_signs(np.real(result[1]))


_SQUARE = Random((3, 3), structure=well_conditioned)
_STACK = Random((2, 3, 3), structure=well_conditioned)
_WIDE = Random((2, 4), structure=well_conditioned)


def _well_conditioned_tensor(x: Any) -> Any:
    """A tensor of shape (2, 3, 3, 2) that is a well-conditioned matrix from the last two axes."""
    return np.reshape(well_conditioned(np.reshape(x, (6, 6))), (2, 3, 3, 2))


_TENSOR = Random((2, 3, 3, 2), structure=_well_conditioned_tensor)

SAMPLES: Samples = {
    _eigenvalues: [sample(_SQUARE), sample(_STACK)],
    _eigenvectors: [SampleCall((x,), {}, _fix_signs) for x in (_SQUARE, _STACK)],
    np.linalg.eig: [SampleCall((x,), {}, _fix_eigenvectors) for x in (_SQUARE, _STACK)],
    np.linalg.eigvals: [SampleCall((x,), {}, np.real) for x in (_SQUARE, _STACK)],
    np.linalg.cond: [
        *(sample(_SQUARE), sample(_STACK, 2), sample(_WIDE), sample(_SQUARE, "fro")),
        *(sample(_SQUARE, p) for p in (-2, 1, -1, np.inf, -np.inf, "nuc")),
    ],
    np.linalg.tensorinv: [sample(_TENSOR), sample(_SQUARE, ind=1)],
    np.linalg.tensorsolve: [sample(_TENSOR, Random((2, 3))), sample(_SQUARE, Random((3,)), (0,))],
}
