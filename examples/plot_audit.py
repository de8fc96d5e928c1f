r"""
Auditing a gradient: with one step, half of the mistakes are invisible
======================================================================

`ug.check.audit` is handed a gradient of :math:`f_K` and says what it is. Here it is handed what
most public code computes: K discriminator steps in a plain loop, and then the generator's gradient.
It finds that :math:`\theta_D^K` was taken for a constant.

The picture shows how far each known mistake is from the exact gradient, for K = 1 to 8, at the
initial weights of a small GAN.

The lesson: test with K >= 2. With one step a stale gradient is fresh, nothing can be truncated, and
no curvature is lost: such code is *right* at K = 1 and breaks where unrolling begins.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
game = ug.gan.Game(ug.nn.MLP((4, 8, 2)), ug.nn.MLP((2, 8, 1)))
theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
batch = ug.gan.Batch(rng.standard_normal((32, 2)), rng.standard_normal((32, 4)))


def gradient_of_a_loop(steps, lr=0.5):
    theta = theta_d
    for _ in range(steps):
        ascent = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
        theta = [{k: p[k] + lr * g[k] for k in p} for p, g in zip(theta, ascent, strict=True)]
    return ug.grad(game.outer)(theta_g, theta, batch)


found = ug.check.audit(gradient_of_a_loop(5), game, theta_g, theta_d, batch, steps=5, lr=0.5)
print(found)
assert found.verdict == "detached"

# %%
# How far every mistake is from the exact gradient:

mistakes = ("detached", "truncated", "no_curvature", "stale", "lookahead", "wrong_direction")
Ks = np.arange(1, 9)
distances = {name: np.zeros(len(Ks)) for name in mistakes}
for i, K in enumerate(Ks):
    how = {"steps": int(K), "lr": 0.5}
    _, exact = ug.unroll.value_and_grad(game, theta_g, theta_d, batch, **how, method="adjoint")
    audit = ug.check.audit(exact, game, theta_g, theta_d, batch, **how)
    assert audit.ok
    for candidate in audit.candidates:  # of the truncated ones, the last is through one step
        if candidate.verdict in mistakes and "detached" not in candidate.detail:
            distances[candidate.verdict][i] = candidate.relative_error

figure = Figure(figsize=(6.4, 4), layout="constrained")
axis = figure.subplots()
for name, values in distances.items():
    axis.plot(Ks, values, marker="o", label=name)
axis.set(xlabel="K", ylabel="relative distance from the exact gradient", ylim=(0, None))
axis.legend()
axis.grid(alpha=0.3)

invisible = [name for name in mistakes if distances[name][0] < 1e-9]
print("invisible at K = 1:", ", ".join(invisible))
assert invisible == ["truncated", "no_curvature", "stale"]
assert all(distances[name][1] > 1e-3 for name in mistakes)
