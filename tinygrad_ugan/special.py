"""Differentiable versions of the functions of scipy.special that do not dispatch.

The ufuncs of scipy.special take tensors themselves, as NumPy's do: ``scipy.special.gamma(x)``. Its
Python functions make plain arrays of their arguments; here they are again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.functions import log_softmax, softmax
from tinygrad_ugan.autodiff.functions import logsumexp as _logsumexp
from tinygrad_ugan.autodiff.operands import as_array, untrace
from tinygrad_ugan.autodiff.rules.axes import Axis
from tinygrad_ugan.autodiff.rules.special.gamma_functions import polygamma as _polygamma
from tinygrad_ugan.errors import ArgumentError

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"]


def logsumexp(a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False) -> Any:
    """Compute ``log(sum(b * exp(a)))``, finite for every finite `a`, as `scipy.special.logsumexp`.

    Parameters
    ----------
    a : array_like
        Real numbers.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.
    b : array_like, optional
        Factors of the exponentials, of a shape that broadcasts with `a`; ones by default. What
        has the factor 0 has no part in the sum. Where the sum is negative, the result is NaN.
    keepdims : bool
        Whether the summed axes stay, with length 1.

    Returns
    -------
    array or scalar
        The logarithms of the sums.

    Examples
    --------
    >>> float(logsumexp([1000.0, 1000.0], b=[1.0, 3.0]) - (1000 + np.log(4)))
    0.0
    """
    if b is None:
        return _logsumexp(a, axis, keepdims)
    a, b = as_array(a), as_array(b)
    used = np.where(untrace(b) == 0, -np.inf, untrace(a))
    largest = np.max(used, axis=axis, keepdims=True)
    scaled = a - np.where(np.isfinite(largest), largest, 0)
    ceiling = np.finfo(np.result_type(a.dtype, b.dtype, 0.0)).max
    beyond = scaled > np.log(ceiling)  # of a term with the factor 0
    terms = b * np.where(beyond, ceiling, np.exp(np.where(beyond, 0, scaled)))
    result = np.log(np.sum(terms, axis, keepdims=True)) + largest
    return result if keepdims else np.squeeze(result, axis)


def multigammaln(a: Any, d: int) -> Any:
    r"""Compute the logarithm of the multivariate gamma function, as `scipy.special.multigammaln`.

    .. math:: \log \Gamma_d(a) = \tfrac{d (d - 1)}{4} \log \pi
              + \sum_{j=0}^{d-1} \log \Gamma(a - \tfrac{j}{2})

    Parameters
    ----------
    a : array_like
        Greater than ``(d - 1) / 2``.
    d : int
        The dimension, a whole number >= 1.

    Returns
    -------
    array or scalar
        Like `a`.

    Raises
    ------
    ArgumentError
        If `a` or `d` is out of range.

    References
    ----------
    R. J. Muirhead, *Aspects of Multivariate Statistical Theory*, Wiley 1982, theorem 2.1.12.

    Examples
    --------
    >>> float(np.round(multigammaln(23.5, 10), 10))
    457.1766747829
    """
    if d != math.floor(d) or d < 1:
        raise ArgumentError("d", d, "a whole number >= 1")
    a = as_array(a)
    if np.any(a <= 0.5 * (d - 1)):
        raise ArgumentError("a", untrace(a), f"numbers > (d - 1) / 2 = {0.5 * (d - 1)}")
    logarithms = sum(sp.gammaln(a - j / 2) for j in range(int(d)))
    return logarithms + d * (d - 1) / 4 * math.log(math.pi)


def polygamma(n: Any, x: Any) -> Any:
    r"""Compute the n-th derivative of the digamma function, as `scipy.special.polygamma`.

    .. math:: \psi^{(n)}(x) = (-1)^{n+1}\, n!\, \zeta(n + 1, x), \qquad \psi^{(0)} = \psi

    Parameters
    ----------
    n : array_like of int
        The order, >= 0; a constant.
    x : array_like
        Real numbers.

    Returns
    -------
    array or scalar
        Its derivative is ``polygamma(n + 1, x)``.

    Raises
    ------
    ArgumentError
        If `n` is not a whole number >= 0.
    NotDifferentiableError
        If `n` is a tensor.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.15.

    Examples
    --------
    >>> polygamma(1, [1.0, 2.0])
    array([1.64493407, 0.64493407])
    """
    if not isinstance(n, Tracer) and np.any((np.asarray(n) < 0) | (np.asarray(n) % 1 != 0)):
        raise ArgumentError("n", n, "whole numbers >= 0")
    return _polygamma(n if isinstance(n, Tracer | int) else np.asarray(n), as_array(x))
