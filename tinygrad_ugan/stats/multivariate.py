"""Distributions of several variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError
from tinygrad_ugan.linalg import solve_triangular
from tinygrad_ugan.stats.univariate import LOG_ROOT_2PI

# How far from 1 the sum of a point of the simplex may be, as in scipy.stats.
_SIMPLEX_TOLERANCE = 1e-9


class MultivariateNormal:
    r"""The normal distribution of several variables; use the instance `multivariate_normal`.

    .. math:: \log p(x) = -\tfrac{1}{2} \left(d \log 2 \pi + \log \det C
              + (x - m)^T C^{-1} (x - m)\right)

    for mean m and covariance C, of which the lower triangle is read, as in scipy.stats; it alone
    has a derivative.

    References
    ----------
    Kotz, Balakrishnan & Johnson, *Continuous Multivariate Distributions*, Wiley 2000, chapter 45.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> ug.grad(ug.stats.multivariate_normal.logpdf)(np.array([1.0, 2.0]), np.zeros(2))
    array([-1., -2.])
    """

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """Compute the logarithm of the density.

        Parameters
        ----------
        x : array_like, shape (..., d)
            The points.
        mean : array_like, shape (d,), optional
            Zero by default.
        cov : array_like
            A matrix of shape (d, d), or its diagonal, or a number for a multiple of the identity.
        allow_singular : bool
            Whether to take the distribution on the subspace of a singular `cov`, which is a
            constant then; outside of it the density is 0.

        Returns
        -------
        array or scalar, shape (...)
            Differentiable in `x`, `mean` and `cov`.

        Raises
        ------
        numpy.linalg.LinAlgError
            If `cov` is not positive definite and that is not allowed.
        """
        mean, cov = _mean_and_covariance(mean, cov)
        x, d = as_array(x), shape_of(mean)[0]
        if len(shape_of(x)) < 2:
            x = np.reshape(x, (-1, 1) if d == 1 else (1, -1))
        if shape_of(x)[-1] != d:
            raise ArgumentError("x", f"shape {shape_of(x)}", f"points of {d} numbers")
        density = _singular_log_density if allow_singular else _regular_log_density
        return np.squeeze(density(x - mean, cov))[()]  # as in scipy.stats

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """Compute the density; see `logpdf`."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        """Compute the differential entropy, ``(d (1 + log(2 pi)) + log(det(cov))) / 2``."""
        mean, cov = _mean_and_covariance(mean, cov)
        d = shape_of(mean)[0]
        return d * (0.5 + LOG_ROOT_2PI) + _half_log_determinant(np.linalg.cholesky(cov))


class Dirichlet:
    r"""The Dirichlet distribution on the simplex; use the instance `dirichlet`.

    .. math:: p(x) = \Gamma\left(\sum_i \alpha_i\right)
              \prod_i \frac{x_i^{\alpha_i - 1}}{\Gamma(\alpha_i)}, \qquad \sum_i x_i = 1

    References
    ----------
    Kotz, Balakrishnan & Johnson, *Continuous Multivariate Distributions*, Wiley 2000, chapter 49.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> ug.grad(ug.stats.dirichlet.logpdf)(np.array([0.25, 0.75]), [2.0, 3.0])
    array([4.        , 2.66666667])
    """

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Compute the logarithm of the density.

        Parameters
        ----------
        x : array_like, shape (k,), (k - 1,) or either by n
            Points of the simplex, along the first axis; the last coordinate may be left out.
        alpha : array_like, shape (k,)
            The concentrations, positive.

        Returns
        -------
        array or scalar, shape () or (n,)
            Differentiable in both; in `x` it is the derivative of the formula, which the points
            next to the simplex have too.

        Raises
        ------
        ArgumentError
            If `alpha` is not positive, or `x` not on the simplex.
        """
        x, alpha = as_array(x), as_array(alpha)
        if len(shape_of(alpha)) != 1 or np.any(alpha <= 0):
            raise ArgumentError("alpha", untrace(alpha), "a vector of positive numbers")
        k = shape_of(alpha)[0]
        if not shape_of(x) or shape_of(x)[0] not in (k - 1, k):
            raise ArgumentError("x", f"shape {shape_of(x)}", f"{k} or {k - 1} coordinates first")
        if shape_of(x)[0] == k - 1:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        off = np.abs(np.sum(untrace(x), axis=0) - 1)
        if np.any(off > _SIMPLEX_TOLERANCE) or np.any(x < 0):
            raise ArgumentError("x", untrace(x), "numbers >= 0 with the sum 1 along the first axis")
        normalisation = sp.gammaln(np.sum(alpha)) - np.sum(sp.gammaln(alpha))
        powers = sp.xlogy((alpha - 1).reshape((-1, *(1,) * (len(shape_of(x)) - 1))), x)
        return normalisation + np.sum(powers, axis=0)

    def pdf(self, x: Any, alpha: Any) -> Any:
        """Compute the density; see `logpdf`."""
        return np.exp(self.logpdf(x, alpha))


def _mean_and_covariance(mean: Any, cov: Any) -> tuple[Any, Any]:
    """A vector and a matrix, of whatever the caller may leave out."""
    cov = as_array(cov)
    if mean is None:
        mean = np.zeros(shape_of(cov)[0] if shape_of(cov) else 1)
    mean = np.atleast_1d(as_array(mean))
    d = shape_of(mean)[0]
    if shape_of(cov) in ((), (d,)) and shape_of(mean) == (d,):
        cov = np.eye(d) * cov
    if shape_of(mean) != (d,) or shape_of(cov) != (d, d):
        shapes = f"shapes {shape_of(mean)} and {shape_of(cov)}"
        raise ArgumentError("mean, cov", shapes, "a vector (d,) and a matrix (d, d)")
    return mean, cov


def _half_log_determinant(factor: Any) -> Any:
    return np.sum(np.log(np.diagonal(factor)))


def _regular_log_density(deviation: Any, cov: Any) -> Any:
    d = shape_of(cov)[0]
    factor = np.linalg.cholesky(cov)
    rows = np.reshape(deviation, (-1, d))
    scaled = solve_triangular(factor, rows.T, lower=True)
    squares = np.reshape(np.sum(scaled * scaled, axis=0), shape_of(deviation)[:-1])
    return -d * LOG_ROOT_2PI - _half_log_determinant(factor) - squares / 2


def _singular_log_density(deviation: Any, cov: Any) -> Any:
    if isinstance(cov, Tracer):
        raise NotDifferentiableError(
            "ug.stats.multivariate_normal got a tensor for cov with allow_singular=True, where the "
            "density is no smooth function of it; leave allow_singular=True away, or cut the "
            "derivative with stop_gradient"
        )
    values, vectors = np.linalg.eigh(cov)
    # scipy.stats takes a million roundings for zero.
    smallest = 1e6 * np.finfo(values.dtype).eps * np.max(np.abs(values))
    if np.min(values) < -smallest:
        raise np.linalg.LinAlgError("cov is not positive semidefinite")
    kept = values > smallest
    scaled = deviation @ (vectors[:, kept] / np.sqrt(values[kept]))
    logarithms = np.sum(np.log(values[kept])) / 2
    result = -np.sum(kept) * LOG_ROOT_2PI - logarithms - np.sum(scaled * scaled, axis=-1) / 2
    outside = np.linalg.norm(untrace(deviation) @ vectors[:, ~kept], axis=-1) >= smallest
    return np.where(outside, -np.inf, result)


multivariate_normal = MultivariateNormal()
dirichlet = Dirichlet()
