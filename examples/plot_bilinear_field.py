r"""
Unrolling turns rotation into attraction
========================================

In the game :math:`V(x, y) = x y`, where x descends and y ascends, simultaneous gradient steps go
round the equilibrium (0, 0) for ever in continuous time (Goodfellow 2016, exercise 7.2), and spiral
outwards in steps of finite size. If x looks K steps of size :math:`\eta` ahead, its objective is
:math:`f_K = x y + K \eta x^2`: the look-ahead adds friction, and the spiral goes inwards.

The lesson: the eigenvalues of the field at the equilibrium leave the imaginary axis as K grows;
with much friction (K = 20) nothing rotates any more.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

game = ug.unroll.games.bilinear().game
eta, rate, grid = 0.1, 0.1, np.linspace(-2, 2, 13)


def velocity(point, K):
    x, y = ug.unroll.field(game, point[:1], point[1:], None, steps=K, lr=eta)
    return np.concatenate([x, y])


figure = Figure(figsize=(13, 3.4), layout="constrained")
for axis, K in zip(figure.subplots(1, 4), (0, 1, 5, 20), strict=True):
    arrows = np.array([[velocity(np.array([x, y]), K) for x in grid] for y in grid])
    path = [np.array([1.5, 0.0])]
    for _ in range(150):
        path.append(path[-1] + rate * velocity(path[-1], K))
    jacobian = ug.unroll.game_jacobian(game, np.zeros(1), np.zeros(1), None, steps=K, lr=eta)
    largest = np.linalg.eigvals(jacobian).real.max()

    ug.viz.vector_field(axis, grid, arrows, np.array(path))
    axis.set_title(f"K = {K}: largest Re(eigenvalue) {largest:.2f}", fontsize=10)
    start, end = np.linalg.norm(path[0]), np.linalg.norm(path[-1])
    assert (end > start) == (K == 0)  # only the ordinary game drifts outwards
