"""
Judging a gradient by differences: the V-curve
==============================================

A difference quotient is wrong by the derivatives it neglects, of order :math:`h^2` for central
differences and :math:`h^4` after one Richardson extrapolation, and by rounding, of order
:math:`10^{-16} / h`. Plotted against h the error is a V. A *right* gradient shows the slopes 2 and
4 on the right-hand side of it; a wrong one shows a plateau.

The lesson: a gradient is not right because one difference agrees to three digits, but because the
error falls at the rate that theory says. The detached gradient fails at once.
"""

import numpy as np
import optree
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
game = ug.gan.Game(ug.nn.MLP((4, 8, 2)), ug.nn.MLP((2, 8, 1)))
theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
batch = ug.gan.Batch(rng.standard_normal((16, 2)), rng.standard_normal((16, 4)))
v = optree.tree_map(lambda x: rng.standard_normal(x.shape), theta_g)


def unrolled(theta_g, method="adjoint"):
    return ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=5, lr=0.5, method=method)


def along(gradient):
    products = optree.tree_map(lambda g, v: float(np.sum(g * v)), gradient, v)
    return sum(optree.tree_leaves(products))


def central(h):
    up, down = (
        unrolled(optree.tree_map(lambda x, d, s=s: x + s * h * d, theta_g, v))[0] for s in (1, -1)
    )
    return (up - down) / (2 * h)


steps = np.logspace(-6, 0, 49)
second = np.array([central(h) for h in steps])
fourth = np.array([(4 * central(h / 2) - central(h)) / 3 for h in steps])
exact, direct = (along(unrolled(theta_g, method)[1]) for method in ("adjoint", "detached"))

figure = Figure(figsize=(6.4, 4), layout="constrained")
axis = figure.subplots()
for label, found, estimate in (
    ("exact, central differences", exact, second),
    ("exact, Richardson", exact, fourth),
    ("detached, Richardson", direct, fourth),
):
    axis.loglog(steps, np.abs(estimate - found) / abs(exact), label=label)
axis.set(xlabel="step size h", ylabel="relative error", title="f_5 of a GAN, along a direction")
axis.legend()
axis.grid(alpha=0.3)


# %%
# The slopes, measured where neither rounding nor the next order is felt:


def slope(estimate, low, high):
    inside = (steps > low) & (steps < high)
    error = np.abs(estimate[inside] - exact)
    return np.polyfit(np.log(steps[inside]), np.log(error), 1)[0]


slopes = slope(second, 1e-3, 1e-1), slope(fourth, 2e-2, 2e-1)
print(f"slopes: {slopes[0]:.2f} (expected 2), {slopes[1]:.2f} (expected 4)")
assert abs(slopes[0] - 2) < 0.1
assert abs(slopes[1] - 4) < 0.3
