r"""
The strength of a ridge regression, by unrolling
================================================

Ridge regression fits w to training data by ascending
:math:`-\frac{1}{2n} |X w - y|^2 - \frac{\lambda}{2} |w|^2`. The best :math:`\lambda` has
the smallest error on other data. That is a game: w plays on the training data,
:math:`\log \lambda` on the validation data. Unrolling K gradient steps of w gives the derivative of
the validation error with respect to :math:`\log \lambda`, to be compared to that of the closed form

.. math:: w^* = (X^T X / n + \lambda I)^{-1} X^T y / n .

The lesson: the error of the hyper-gradient shrinks like the distance of w from its optimum, by a
constant factor a step, and descending it finds the bottom of the validation curve.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
features, truth = 20, rng.standard_normal(20) * (np.arange(20) < 6)


def noisy_data(rows):
    x = rng.standard_normal((rows, features))
    return x, x @ truth + 2.0 * rng.standard_normal(rows)


def error(w, x, y):
    return np.mean((x @ w - y) ** 2) / 2


(x, y), validation = noisy_data(40), noisy_data(200)


def inner(log_strength, w, _):
    return -error(w, x, y) - np.exp(log_strength) * np.sum(w**2) / 2


game = ug.unroll.Game(inner, outer=lambda log_strength, w, _: error(w, *validation))


def closed_form(log_strength):
    """The validation error of the optimal w, as a function that differentiates."""
    matrix = x.T @ x / len(y) + np.exp(log_strength) * np.eye(features)
    return error(np.linalg.solve(matrix, x.T @ y / len(y)), *validation)


# The hyper-gradient at one strength, after K steps from w = 0.
curvature = np.linalg.eigvalsh(x.T @ x / len(y)) + np.exp(-2.0)
lr, start = 1 / curvature.max(), np.zeros(features)
ks, exact = np.arange(0, 201, 10), ug.grad(closed_form)(-2.0)
unrolled = [
    ug.unroll.value_and_grad(game, -2.0, start, None, steps=K, lr=lr, method="adjoint")[1]
    for K in ks
]
misfit = np.abs(np.array(unrolled) - exact) / abs(exact)
slowest = 1 - lr * curvature.min()  # of the factors by which a step shrinks the distance of w
rate = (misfit[-1] / misfit[5]) ** (1 / (ks[-1] - ks[5]))
print(f"a step shrinks the error by {rate:.3f}, the distance of w by {slowest:.3f}")
assert abs(rate - slowest) < 0.02

# Descent on log(lambda): each round takes 20 steps of w, and goes on from there.
path, w = [-4.0], start
for _ in range(150):
    _, slope = ug.unroll.value_and_grad(game, path[-1], w, None, steps=20, lr=lr)
    w = ug.unroll.trajectory(game, path[-1], w, None, steps=20, lr=lr).thetas[-1]
    path.append(path[-1] - 2.0 * float(slope))

strengths = np.linspace(-5, 2, 141)
curve = np.array([closed_form(s) for s in strengths])
best = strengths[curve.argmin()]
print(f"log lambda = {path[-1]:.3f} by descent, {best:.2f} at the bottom of the curve")
assert abs(path[-1] - best) < 0.06

figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
left.plot(strengths, curve, color="gray", label="closed form")
left.plot(path, [closed_form(s) for s in path], "o-", markersize=3, label="descent by unrolling")
left.set(xlabel=r"$\log\ \lambda$", ylabel="validation error", title="the path of the strength")
right.semilogy(ks, misfit, "o", markersize=3, label="error of the hyper-gradient")
right.semilogy(ks, misfit[-1] * slowest ** (ks - ks[-1]), color="gray", label="rate of w")
right.set(xlabel="K", title="unrolled against closed form")
for axis in (left, right):
    axis.legend()
    axis.grid(alpha=0.3)
