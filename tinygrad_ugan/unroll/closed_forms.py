"""Games whose unrolled gradient is known in closed form, as a reference for every method.

Each function returns a `ClosedForm`: the game, a point at which to evaluate it, and the solution
by pen and paper, which shares no code with the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_ugan.typing import Array
from tinygrad_ugan.unroll.game import Game


class Solution(NamedTuple):
    """The state after K steps of size eta, and f_K with its derivatives.

    Attributes
    ----------
    theta_d : array
        theta_K.
    response : ndarray, shape (n_D, n_G)
        d theta_K / d theta_G.
    value : float
        f_K.
    direct, gradient : array like theta_g
        d f_K / d theta_G with theta_K held constant, and in full.
    """

    theta_d: Any
    response: Array
    value: Any
    direct: Any
    gradient: Any


@dataclass(frozen=True)
class ClosedForm:
    """A game with its solution.

    Attributes
    ----------
    game : Game
    theta_g, theta_d : array
        A point at which to evaluate it.
    batch : Any
        The third argument of the objectives.
    solve : callable
        ``solve(theta_g, theta_d, steps, lr) -> Solution``.
    """

    game: Game
    theta_g: Any
    theta_d: Any
    batch: Any
    solve: Callable[[Any, Any, int, float], Solution]


def bilinear(matrix: ArrayLike = ((1.0,),)) -> ClosedForm:
    """V = x^T A y, for both players.

    With A = 1 this is exercise 7.2 of Goodfellow (2016), arXiv 1701.00160: simultaneous gradient
    descent in continuous time goes round (0, 0) on a circle, and in discrete steps spirals
    outwards. Unrolling adds a force -2 K eta A A^T x to the field, which makes it spiral inwards.

    ``y_K = y + K eta A^T x``.

    Examples
    --------
    >>> example = bilinear()
    >>> example.solve(np.array([2.0]), np.array([3.0]), 2, 0.5).gradient
    array([7.])
    """
    a = np.asarray(matrix, float)

    def value(x: Any, y: Any, batch: Any) -> Any:
        return x @ a @ y

    def solve(x: Any, y: Any, steps: int, lr: float) -> Solution:
        response = steps * lr * a.T
        y_K = y + response @ x
        direct = a @ y_K
        return Solution(y_K, response, x @ a @ y_K, direct, direct + response.T @ a.T @ x)

    return ClosedForm(Game(value), np.ones(a.shape[0]), np.full(a.shape[1], 0.5), None, solve)


def quadratic(
    coupling: ArrayLike = ((1.0, 0.5), (-0.3, 0.8)),
    curvature: ArrayLike = ((1.0, 0.2), (0.2, 0.6)),
    target: ArrayLike | None = None,
) -> ClosedForm:
    """Inner = x^T B y - y^T A y / 2, concave in y for a positive definite A = `curvature`.

    ``y_K = P^K y + A^{-1} (I - P^K) B^T x`` with ``P = I - eta A``. The outer objective is the
    inner one; with a `target` t it is ``|y - t|^2 / 2`` instead, which does not depend on x at all:
    the gradient is then the indirect term alone.

    Examples
    --------
    >>> example = quadratic([[1.0]], [[1.0]])
    >>> example.solve(np.array([2.0]), np.array([0.0]), 1, 0.5).theta_d
    array([1.])
    """
    b, a = np.asarray(coupling, float), np.asarray(curvature, float)
    t = None if target is None else np.asarray(target, float)

    def inner(x: Any, y: Any, batch: Any) -> Any:
        return x @ b @ y - y @ a @ y / 2

    def distance(x: Any, y: Any, batch: Any) -> Any:
        return np.sum((y - t) ** 2) / 2

    def solve(x: Any, y: Any, steps: int, lr: float) -> Solution:
        identity = np.eye(len(a))
        shrink = np.linalg.matrix_power(identity - lr * a, steps)
        response = np.linalg.solve(a, identity - shrink) @ b.T
        y_K = shrink @ y + response @ x
        if t is None:
            value, direct, by_y = x @ b @ y_K - y_K @ a @ y_K / 2, b @ y_K, b.T @ x - a @ y_K
        else:
            value, direct, by_y = np.sum((y_K - t) ** 2) / 2, np.zeros(len(x)), y_K - t
        return Solution(y_K, response, value, direct, direct + response.T @ by_y)

    game = Game(inner, inner if t is None else distance)
    return ClosedForm(game, np.ones(b.shape[0]), np.full(b.shape[1], 0.5), None, solve)


def dirac_gan() -> ClosedForm:
    """The Dirac-GAN of Mescheder, Geiger and Nowozin (2018), arXiv 1801.04406, definition 2.1.

    All data lie at 0, the generator is a point at x, D(u) = sigmoid(y u), and the minimax objective
    is ``V = log sigmoid(0) + log(1 - sigmoid(x y))``. The steps ``y' = y - eta x sigmoid(x y)`` and
    their response follow a scalar recurrence.

    Examples
    --------
    >>> round(float(dirac_gan().solve(1.0, 0.0, 1, 0.5).theta_d), 3)
    -0.25
    """

    def value(x: Any, y: Any, batch: Any) -> Any:
        return -np.log(2.0) - np.logaddexp(0, x * y)

    def sigmoid(t: float) -> float:
        share: float = 1 / (1 + np.exp(-t))
        return share

    def solve(x: float, y: float, steps: int, lr: float) -> Solution:
        response = 0.0
        for _ in range(steps):
            s = sigmoid(x * y)
            slope = s * (1 - s)
            # both of y' = y - lr x s and of its derivative in x, where x y changes by y + x y'
            y, response = y - lr * x * s, response - lr * (s + x * slope * (y + x * response))
        s = sigmoid(x * y)
        total = -s * (y + x * response)
        return Solution(y, np.array([[response]]), value(x, y, None), -s * y, total)

    return ClosedForm(Game(value), 1.5, 0.4, None, solve)


def gaussian_mean(seed: int = 0, n: int = 16) -> ClosedForm:
    """Learn the mean of a Gaussian: G(z) = x + z, logits D(u) = y u, least squares.

    ``inner = -mean((y r - 1)^2)/2 - mean((y (x + z))^2)/2`` is quadratic in y, with curvature
    ``a = mean(r^2) + mean((x + z)^2)`` and maximum ``mean(r) / a``, and ``y_K = y* + (1 - eta a)^K
    (y - y*)``; ``outer = mean((y (x + z) - 1)^2)/2``. The `n` data r are normal with mean 1 and
    standard deviation 1/2, and so are as many z, with mean 0.

    Examples
    --------
    >>> example = gaussian_mean()
    >>> float(example.game.outer(0.0, 0.0, example.batch))
    0.5
    """
    rng = np.random.default_rng(seed)
    real, noise = rng.normal(1.0, 0.5, n), rng.normal(0.0, 0.5, n)

    def inner(x: Any, y: Any, batch: Any) -> Any:
        fake = x + batch["noise"]
        return -np.mean((y * batch["real"] - 1) ** 2) / 2 - np.mean((y * fake) ** 2) / 2

    def outer(x: Any, y: Any, batch: Any) -> Any:
        return np.mean((y * (x + batch["noise"]) - 1) ** 2) / 2

    def solve(x: float, y: float, steps: int, lr: float) -> Solution:
        fake = x + noise
        a, b = np.mean(real**2) + np.mean(fake**2), np.mean(real)
        q, best = 1 - lr * a, b / a
        y_K = best + q**steps * (y - best)
        by_a = -best / a * (1 - q**steps) - lr * steps * q ** max(steps - 1, 0) * (y - best)
        response = by_a * 2 * np.mean(fake)
        error = y_K * fake - 1
        direct, by_y = np.mean(error * y_K), np.mean(error * fake)
        total = direct + by_y * response
        return Solution(y_K, np.array([[response]]), np.mean(error**2) / 2, direct, total)

    return ClosedForm(Game(inner, outer), 0.3, 0.2, {"real": real, "noise": noise}, solve)
