"""Differentiable versions of functions of scipy.linalg, which do not dispatch to tensors.

Arguments and values are SciPy's. What NumPy has too (`inv`, `solve`, `det`, `cholesky`, `eigh`,
`svd`, `qr`, `norm` ...) takes tensors as it is: ``np.linalg.inv(x)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, shape_of
from tinygrad_ugan.autodiff.rules import matrix_equations
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.errors import ArgumentError

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "expm",
    "logm",
    "solve_banded",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "toeplitz",
]


def expm(a: Any) -> Any:
    r"""Compute the exponential of a matrix, :math:`\sum_k A^k / k!`, as `scipy.linalg.expm`.

    Parameters
    ----------
    a : array_like, shape (..., n, n)
        A real matrix, or a stack of them.

    Returns
    -------
    array, shape (..., n, n)
        Its derivative along T is the upper right block of
        :math:`\exp \begin{pmatrix} A & T \\ 0 & A \end{pmatrix}`.

    References
    ----------
    N. J. Higham, *Functions of Matrices*, SIAM 2008, chapter 10 and theorem 3.6.

    Examples
    --------
    >>> expm([[0.0, 1.0], [0.0, 0.0]])
    array([[1., 1.],
           [0., 1.]])
    """
    return matrix_equations.expm(_square("a", a, stacks=True))


def logm(a: Any) -> Any:
    r"""Compute the principal logarithm of a matrix, as `scipy.linalg.logm`.

    Parameters
    ----------
    a : array_like, shape (n, n)
        A real matrix without eigenvalues on the closed negative axis.

    Returns
    -------
    array, shape (n, n)
        The real L with :math:`\exp L = A` whose eigenvalues have imaginary parts between -pi
        and pi. Its derivative is the upper right block of a logarithm, as for `expm`.

    Raises
    ------
    ArgumentError
        If the logarithm is not real.

    References
    ----------
    N. J. Higham, *Functions of Matrices*, SIAM 2008, chapter 11 and theorem 3.6.

    Examples
    --------
    >>> logm([[1.0, 2.0], [0.0, 1.0]])
    array([[0., 2.],
           [0., 0.]])
    """
    return matrix_equations.logm(_square("a", a))


def sqrtm(a: Any) -> Any:
    r"""Compute the principal square root of a matrix, as `scipy.linalg.sqrtm`.

    Parameters
    ----------
    a : array_like, shape (n, n)
        A real matrix without eigenvalues on the closed negative axis.

    Returns
    -------
    array, shape (n, n)
        The real X with :math:`X X = A` whose eigenvalues have positive real parts. Its derivative
        Y along T solves :math:`X Y + Y X = T`.

    Raises
    ------
    ArgumentError
        If the root is not real.

    References
    ----------
    N. J. Higham, *Functions of Matrices*, SIAM 2008, chapter 6.

    Examples
    --------
    >>> sqrtm([[4.0, 0.0], [0.0, 9.0]])
    array([[2., 0.],
           [0., 3.]])
    """
    return matrix_equations.sqrtm(_square("a", a))


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solve ``a @ x + x @ b = q`` for x, as `scipy.linalg.solve_sylvester`.

    Parameters
    ----------
    a : array_like, shape (m, m)
        A real matrix.
    b : array_like, shape (n, n)
        A real matrix; no eigenvalue of it is minus one of `a`.
    q : array_like, shape (m, n)
        The right-hand side.

    Returns
    -------
    array, shape (m, n)
        The solution.

    References
    ----------
    N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, SIAM 2002, chapter 16.

    Examples
    --------
    >>> solve_sylvester([[1.0]], [[2.0]], [[6.0]])
    array([[2.]])
    """
    a, b, q = _square("a", a), _square("b", b), as_array(q)
    expected = (shape_of(a)[0], shape_of(b)[0])
    if shape_of(q) != expected:
        raise ArgumentError("q", f"shape {shape_of(q)}", f"shape {expected}")
    return matrix_equations.solve_sylvester(a, b, q)


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """Solve ``a @ x = b`` for a triangular matrix a, as `scipy.linalg.solve_triangular`.

    Parameters
    ----------
    a : array_like, shape (n, n)
        Only one triangle of it is read; the derivative in the other is 0.
    b : array_like, shape (n,) or (n, k)
        The right-hand side, or several as columns.
    trans : {0, 1, 2, "N", "T", "C"}
        Whether to solve with the transpose of `a` instead; for real matrices 2 is as 1.
    lower : bool
        Whether the triangle is the lower one.
    unit_diagonal : bool
        Whether the diagonal is taken to be 1, and not read.

    Returns
    -------
    array
        Like `b`.

    References
    ----------
    M. B. Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
    differentiation*, 2008, section 2.3.1.

    Examples
    --------
    >>> solve_triangular([[2.0, 0.0], [1.0, 1.0]], [2.0, 3.0], lower=True)
    array([1., 2.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ArgumentError("trans", repr(trans), "one of 0, 1, 2, 'N', 'T', 'C'")
    a = _square("a", a)
    if trans not in (0, "N"):
        a, lower = mT(a), not lower
    options = (bool(lower), bool(unit_diagonal))
    return _for_columns(lambda b: matrix_equations.solve_triangular(a, b, *options), a, b)


def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """Compute the Cholesky factor of a matrix, to be used by `cho_solve`.

    Parameters
    ----------
    a : array_like, shape (n, n)
        A symmetric positive definite matrix, of which one triangle is read.
    lower : bool
        Whether that is the lower triangle, and so the factor's.

    Returns
    -------
    tuple of array and bool
        The factor and `lower`. Its other triangle is 0, where `scipy.linalg.cho_factor` leaves
        arbitrary numbers.

    Examples
    --------
    >>> cho_factor([[4.0, 2.0], [2.0, 5.0]])
    (array([[2., 1.],
           [0., 2.]]), False)
    """
    return np.linalg.cholesky(_square("a", a), upper=not lower), bool(lower)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """Solve ``a @ x = b`` by the Cholesky factor of a, as `scipy.linalg.cho_solve`.

    Parameters
    ----------
    c_and_lower : tuple of array_like and bool
        The result of `cho_factor`; one triangle of the factor is read.
    b : array_like, shape (n,) or (n, k)
        The right-hand side, or several as columns.

    Returns
    -------
    array
        Like `b`.

    Examples
    --------
    >>> cho_solve(cho_factor([[4.0, 2.0], [2.0, 5.0]]), [8.0, 12.0])
    array([1., 2.])
    """
    c, lower = c_and_lower
    first = solve_triangular(c, b, trans=0 if lower else 1, lower=lower)
    return solve_triangular(c, first, trans=1 if lower else 0, lower=lower)


def solve_banded(l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    """Solve ``a @ x = b`` for a matrix a of few diagonals, as `scipy.linalg.solve_banded`.

    Parameters
    ----------
    l_and_u : tuple of int
        The numbers of diagonals below and above the main one.
    ab : array_like, shape (l + u + 1, n)
        The diagonals: ``ab[u + i - j, j] = a[i, j]``. What is outside of `a` is not read.
    b : array_like, shape (n,) or (n, k)
        The right-hand side, or several as columns.

    Returns
    -------
    array
        Like `b`.

    Examples
    --------
    >>> solve_banded((1, 0), [[2.0, 1.0], [1.0, 0.0]], [2.0, 3.0])
    array([1., 2.])
    """
    below, above = (int(k) for k in l_and_u)
    ab = as_array(ab)
    if len(shape_of(ab)) != 2 or shape_of(ab)[0] != below + above + 1:
        raise ArgumentError("ab", f"shape {shape_of(ab)}", f"shape ({below + above + 1}, n)")
    return _for_columns(lambda b: matrix_equations.solve_banded(ab, b, below, above), ab, b)


def toeplitz(c: Any, r: Any = None) -> Any:
    """Build the matrix that is constant along its diagonals, as `scipy.linalg.toeplitz`.

    Parameters
    ----------
    c : array_like, shape (m,)
        The first column.
    r : array_like, shape (n,), optional
        The first row, `c` by default; its first element is not used.

    Returns
    -------
    array, shape (m, n)
        Its element i, j is ``c[i - j]`` for i >= j, and ``r[j - i]`` otherwise.

    Examples
    --------
    >>> toeplitz([1.0, 2.0], [1.0, 4.0, 5.0])
    array([[1., 4., 5.],
           [2., 1., 4.]])
    """
    c = as_array(c)
    r = c if r is None else as_array(r)
    if len(shape_of(c)) != 1 or len(shape_of(r)) != 1:
        raise ArgumentError("c, r", f"shapes {shape_of(c)}, {shape_of(r)}", "vectors")
    m, n = shape_of(c)[0], shape_of(r)[0]
    diagonals = np.concatenate([r[:0:-1], c])
    return diagonals[np.arange(m)[:, None] - np.arange(n) + n - 1]


def block_diag(*arrays: Any) -> Any:
    """Put matrices behind one another along the diagonal of one, as `scipy.linalg.block_diag`.

    Parameters
    ----------
    *arrays : array_like
        Matrices; a vector counts as a row, a number as a matrix of one element.

    Returns
    -------
    array
        Zero outside of the blocks.

    Examples
    --------
    >>> block_diag([[1.0, 2.0]], 3.0)
    array([[1., 2., 0.],
           [0., 0., 3.]])
    """
    blocks = [np.atleast_2d(as_array(x)) for x in arrays]
    if not blocks or any(len(shape_of(x)) != 2 for x in blocks):
        raise ArgumentError("arrays", f"shapes {[shape_of(x) for x in blocks]}", "matrices")
    widths = [shape_of(x)[1] for x in blocks]
    starts = np.cumsum([0, *widths])
    rows = [
        np.pad(x, ((0, 0), (int(start), int(starts[-1] - start - width))))
        for x, start, width in zip(blocks, starts[:-1], widths, strict=True)
    ]
    return np.concatenate(rows)


def _square(name: str, a: Any, *, stacks: bool = False) -> Any:
    """The argument as an array, a square matrix."""
    a = as_array(a)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2] or (len(shape) > 2 and not stacks):
        expected = "square matrices, shape (..., n, n)" if stacks else "a square matrix"
        raise ArgumentError(name, f"shape {shape}", expected)
    return a


def _for_columns(solve: Callable[[Any], Any], a: Any, b: Any) -> Any:
    """Solve for a right-hand side that is a vector, or columns of a matrix."""
    b, n = as_array(b), shape_of(a)[-1]
    if len(shape_of(b)) not in (1, 2) or shape_of(b)[0] != n:
        raise ArgumentError("b", f"shape {shape_of(b)}", f"shape ({n},) or ({n}, k)")
    if len(shape_of(b)) == 1:
        return np.squeeze(solve(np.expand_dims(b, -1)), -1)
    return solve(b)
