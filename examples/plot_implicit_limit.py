r"""
Infinitely many steps: the implicit gradient
============================================

At a discriminator that is optimal, :math:`\theta^*`, the implicit function theorem gives the
response without any unrolling: :math:`d\theta^*/d\theta_G = -H^{-1} M`. The K-step gradient tends
to the gradient that it implies. With the minimax loss the indirect term vanishes there, because the
discriminator's own gradient does; with the non-saturating loss it stays.

The lesson: "as K grows, the second term vanishes" is true of the minimax game only.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug


def logits(theta_d, x):
    return np.concatenate([x, x**2, np.ones_like(x)], axis=1) @ theta_d


def make_game(loss):
    """A Gaussian generator; a discriminator linear in its parameters, with a small penalty."""
    gan = ug.gan.Game(lambda theta_g, z: theta_g["mean"] + theta_g["std"] * z, logits, loss)

    def penalised(objective):
        return lambda g, d, batch: objective(g, d, batch) - 0.05 * np.sum(d**2)

    return ug.unroll.Game(
        penalised(gan.inner), penalised(gan.outer) if loss == "minimax" else gan.outer
    )


rng = np.random.default_rng(0)
batch = ug.gan.Batch(1 + 0.5 * rng.standard_normal((40, 1)), rng.standard_normal((40, 1)))
theta_g = {"mean": np.array(0.2), "std": np.array(0.7)}
ks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
for loss in ("minimax", "nonsaturating"):
    game = make_game(loss)
    far = np.zeros((3, 1))
    best = ug.unroll.trajectory(game, theta_g, far, batch, steps=4000, lr=0.3).thetas[-1]
    limit = ug.unroll.implicit_grad(game, theta_g, best, batch)
    assert limit.stationarity < 1e-12

    runs = [ug.unroll.decompose(game, theta_g, far, batch, steps=K, lr=0.3) for K in ks]
    errors = [
        np.hypot(*(terms.total[name] - limit.gradient[name] for name in theta_g)) for terms in runs
    ]
    left.loglog(ks, errors, "o-", label=loss)
    right.loglog(ks, [terms.norm_ratio for terms in runs], "o-", label=loss)
    assert errors[-1] < 1e-4 * errors[0]
    assert (runs[-1].norm_ratio > 1e-3) == (loss == "nonsaturating")

left.set(title="distance to the implicit gradient", xlabel="K")
right.set(title="|indirect| / |direct|", xlabel="K")
left.legend()
