"""The limit of infinitely many steps, by the implicit function theorem.

At a stationary theta*, where d inner / d theta_D = 0, the discriminator responds to the generator
by ``d theta* / d theta_G = -H^{-1} M`` with H = d2 inner / d theta_D^2 and M = d2 inner / d theta_D
d theta_G. The indirect term is then ``M^T u``, where u solves ``(damping I - H) u = lambda`` and
lambda = d outer / d theta_D. With outer = inner, lambda vanishes at theta*, and so does the term.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff.pytrees import is_traced
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError, check_choice
from tinygrad_ugan.tree import add, ravel
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.adjoint import second_order
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.method import through_samples
from tinygrad_ugan.unroll.problem import Problem, make_problem

Operator = Callable[[Array], Array]

MOST_PRODUCTS = 1_000
"""Default limit on the number of products with H that a solver takes."""


class NotConvergedError(ArgumentError):
    """A solver did not reach its tolerance; the message says how far it got."""


class Implicit(NamedTuple):
    """The result of `implicit_grad`.

    Attributes
    ----------
    value : float
        outer(theta_G, theta_D).
    gradient : pytree like theta_g
        The direct term plus M^T u.
    residual : float
        ``||(damping I - H) u - lambda|| / ||lambda||``, 0 if lambda is.
    iterations : int
        Products with H that the solver took.
    stationarity : float
        ``||d inner / d theta_D||``: how far theta_D is from where the formula holds.
    """

    value: Any
    gradient: PyTree
    residual: float
    iterations: int
    stationarity: float


def implicit_grad(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    solver: str = "cg",
    damping: float = 0.0,
    tolerance: float | None = None,
    max_iterations: int = MOST_PRODUCTS,
) -> Implicit:
    """Return the gradient of the generator's objective against an optimal discriminator.

    ``d outer/d theta_G + M^T (damping I - H)^{-1} d outer/d theta_D``, which the K-step gradient
    tends to as K grows, if theta_D is a maximum of `inner`: Lorraine, Vicol and Duvenaud (2020),
    arXiv 1911.02590, theorem 1.

    Parameters
    ----------
    game, theta_g, theta_d, batch
        See `value_and_grad`; theta_d should be a stationary point of `inner`, and batch a single
        batch.
    solver : {"cg", "neumann", "dense"}
        Conjugate gradients and the Neumann series need only products with H; "dense" forms H, and
        suits small discriminators. The first two need ``damping I - H`` positive definite.
    damping : float
        Added to the diagonal, for a flat or indefinite H; the gradient is then an approximation.
    tolerance : float, optional
        Relative residual at which to stop; by default eps^(2/3) of the dtype: 4e-11 in
        float64, 2e-5 in float32.
    max_iterations : int
        Largest number of products with H.

    Returns
    -------
    Implicit

    Raises
    ------
    NotConvergedError
        If the residual stays above the tolerance.
    ArgumentError, ArgumentTypeError
        If an argument makes no sense.

    Examples
    --------
    inner = x y - y^2 / 2 has its maximum at y = x; with outer = y, dy*/dx = 1.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: y)
    >>> float(ug.unroll.implicit_grad(game, 3.0, 3.0, None).gradient)
    1.0
    """
    check_choice("solver", solver, _SOLVERS)
    if not damping >= 0:
        raise ArgumentError("damping", damping, "a number >= 0")
    problem = make_problem(game, theta_g, theta_d, batch, steps=0, lr=0.0)
    reduced, pull_back = problem.on_samples()
    found = _solve(reduced, theta_d, solver, damping, tolerance, max_iterations)
    return found._replace(gradient=pull_back(found.gradient))


@through_samples
def implicit(problem: Problem) -> tuple[Any, PyTree]:
    """Value of f_K, and its gradient as if theta_K were the optimum, by conjugate gradients."""
    *_, final = problem.states()
    found = _solve(problem, final.theta, "cg", 0.0, None, MOST_PRODUCTS)
    return found.value, found.gradient


def _solve(
    problem: Problem,
    theta: PyTree,
    solver: str,
    damping: float,
    tolerance: float | None,
    max_iterations: int,
) -> Implicit:
    """Solve at theta, on the batch of the outer objective."""
    outer = autodiff.value_and_grad(problem.outer, argnums=(0, 1))
    value, (direct, lam) = outer(problem.theta_g, theta)
    b, unravel = ravel(lam)
    _check_untraced(b)
    products = 0

    def negative_hessian(v: Array) -> Array:
        nonlocal products
        products += 1
        _, _, curvature = second_order(problem, problem.steps, theta, unravel(v.astype(b.dtype)))
        product: Array = damping * v - ravel(curvature)[0]
        _check_untraced(product)
        return product

    tolerance = np.finfo(b.dtype).eps ** (2 / 3) if tolerance is None else tolerance
    size = np.linalg.norm(b)
    u = _SOLVERS[solver](negative_hessian, b, tolerance, max_iterations) if size else b
    iterations = products
    residual = float(np.linalg.norm(negative_hessian(u) - b) / size) if size else 0.0
    if not residual <= 10 * tolerance:  # ten: the solvers' running residual drifts from the true
        raise NotConvergedError(
            "solver",
            f"relative residual {residual:.1e} after {iterations} products by {solver!r}",
            f"a residual of at most {tolerance:.1e}",
            "H may be singular or indefinite: try damping > 0, solver='dense', or more steps first",
        )
    g, mixed, _ = second_order(problem, problem.steps, theta, unravel(u.astype(b.dtype)))
    return Implicit(
        value, add(direct, mixed), residual, iterations, float(np.linalg.norm(ravel(g)[0]))
    )


def _check_untraced(x: Any) -> None:
    if is_traced(x):
        raise NotDifferentiableError(
            "the implicit gradient has no derivative itself, as its solver keeps no tape: take "
            "value_and_grad with steps and method 'adjoint' or 'tape', or cut the derivative with "
            "stop_gradient"
        )


def _conjugate_gradients(a: Operator, b: Array, tolerance: float, max_iterations: int) -> Array:
    from scipy.sparse.linalg import LinearOperator, cg

    operator = LinearOperator((b.size, b.size), matvec=a, dtype=b.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # zero curvature: the residual tells
        solution: Array = cg(operator, b, rtol=tolerance, atol=0.0, maxiter=max_iterations)[0]
    return solution


def _neumann(a: Operator, b: Array, tolerance: float, max_iterations: int) -> Array:
    """``sum_j (I - alpha A)^j alpha b`` with alpha = 1 / ||A||."""
    alpha = 1 / _norm(a, b)
    u = np.zeros_like(b)
    for _ in range(max_iterations):
        rest = b - a(u)
        if np.linalg.norm(rest) <= tolerance * np.linalg.norm(b):
            break
        u = u + alpha * rest
    return u


def _norm(a: Operator, b: Array) -> float:
    """The spectral radius by 30 power iterations, and a tenth on top."""
    v, size = b, float(np.linalg.norm(b))
    for _ in range(30):
        v = a(v / size)
        size = float(np.linalg.norm(v))
        if size == 0:  # singular: any step will do, none converges
            return 1.0
    return 1.1 * size


def _dense(a: Operator, b: Array, tolerance: float, max_iterations: int) -> Array:
    matrix = np.stack([a(unit) for unit in np.eye(b.size, dtype=b.dtype)], axis=1)
    solution: Array = np.linalg.lstsq(matrix, b)[0]
    return solution  # if the matrix is singular, the residual will say so


_SOLVERS = {"cg": _conjugate_gradients, "neumann": _neumann, "dense": _dense}
