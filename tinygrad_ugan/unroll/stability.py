"""Diagnosis of gradients that vanish or explode on their way back through the K steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan import autodiff
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.tree import axpy, ravel
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.decompose import decompose
from tinygrad_ugan.unroll.dynamics import Ascent
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, make_problem


class Diagnosis(NamedTuple):
    """The result of `diagnose`.

    Attributes
    ----------
    verdict : {"vanishing", "stable", "exploding"}
    step : int or None
        The last step k whose ||lambda_k|| / ||lambda_K|| is outside [1/threshold, threshold]; None
        if the verdict is "stable".
    adjoint_norms : ndarray, shape (K + 1,)
        ||lambda_k||, k = 0 ... K.
    singular_values : ndarray
        Leading singular values of d theta_K / d theta_0 = prod_k (I + eta_k H_k), in descending
        order: by how much the steps stretch a difference between two discriminators at most.
    """

    verdict: str
    step: int | None
    adjoint_norms: Array
    singular_values: Array

    def __str__(self) -> str:
        """Return the diagnosis as one sentence."""
        growth = self.adjoint_norms[0] / self.adjoint_norms[-1]
        since = "" if self.step is None else f" from step {self.step} back"
        return (
            f"{self.verdict}{since}: ||lambda_0|| / ||lambda_K|| = {growth:.3g}, "
            f"largest singular value of d theta_K / d theta_0 = {self.singular_values[0]:.3g}"
        )


def diagnose(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float],
    threshold: float = 10.0,
    singular_values: int = 1,
) -> Diagnosis:
    """Measure how the adjoint lambda_k = d f_K / d theta_k grows from k = K back to k = 0.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `value_and_grad`.
    threshold : float
        Growth or decay by this factor counts as exploding or vanishing.
    singular_values : int
        Number of leading singular values of d theta_K / d theta_0 to compute, without forming the
        matrix (Lanczos, by `scipy.sparse.linalg.svds`).

    Returns
    -------
    Diagnosis

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    inner = -y^2 / 2 + x y: each step shrinks lambda by 1 - eta.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: y)
    >>> print(ug.unroll.diagnose(game, 1.0, 0.0, None, steps=20, lr=0.5))
    vanishing from step 16 back: ||lambda_0|| / ||lambda_K|| = 9.54e-07, largest singular value of
    d theta_K / d theta_0 = 9.54e-07
    """
    if not threshold > 1:
        raise ArgumentError("threshold", threshold, "a number > 1")
    norms = decompose(game, theta_g, theta_d, batch, steps=steps, lr=lr).adjoint_norms
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    reduced, _ = problem.on_samples()
    verdict, step = _judge(norms, threshold)
    return Diagnosis(verdict, step, norms, _leading_singular_values(reduced, singular_values))


def _judge(norms: Array, threshold: float) -> tuple[str, int | None]:
    large = np.flatnonzero(norms > threshold * norms[-1])
    small = np.flatnonzero(norms < norms[-1] / threshold)
    if len(large) and (len(small) == 0 or large[0] < small[0]):
        return "exploding", int(large[-1])
    if len(small):
        return "vanishing", int(small[-1])
    return "stable", None


def _leading_singular_values(problem: Problem, count: int) -> Array:
    """Leading singular values of ``prod_k (I + eta_k H_k)``, the last factor on the left."""
    from scipy.sparse.linalg import LinearOperator, svds

    thetas = [state.theta for state in problem.states()][:-1]
    start, unravel = ravel(problem.state.theta)

    def through(steps: Sequence[int], v: Array) -> Array:
        tangent = unravel(np.ravel(v).astype(start.dtype))
        for k in steps:
            tangent = _factor(problem, k, thetas[k], tangent)
        return ravel(tangent)[0]

    forwards = range(problem.steps)
    n = start.size
    if n <= max(count, 2):  # Lanczos needs room to iterate
        columns = [through(forwards, unit) for unit in np.eye(n)]
        return np.linalg.svd(np.stack(columns, axis=1), compute_uv=False)[:count]
    operator = LinearOperator(
        (n, n),
        matvec=lambda v: through(forwards, v),
        rmatvec=lambda v: through(forwards[::-1], v),  # every factor is symmetric
        dtype=start.dtype,
    )
    values = svds(operator, k=count, v0=np.ones(n), return_singular_vectors=False)
    return np.sort(values)[::-1]


def _factor(problem: Problem, k: int, theta: PyTree, v: PyTree) -> PyTree:
    """``(I + eta_k H_k) v``."""
    assert isinstance(problem.rule, Ascent)

    def gradient(theta: PyTree) -> PyTree:
        return problem.gradient(k, problem.theta_g, theta)

    return axpy(problem.rule.etas[k], autodiff.jvp(gradient, (theta,), (v,))[1], v)
