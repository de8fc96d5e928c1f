r"""
WGAN-GP, unrolled
=================

The critic of Gulrajani et al. (2017) ascends :math:`E\,D(x) - E\,D(G(z)) - \lambda\,E\,(\|\nabla
D(\hat x)\| - 1)^2`, a derivative of the critic within its objective. The generator looks five of
its steps ahead, so that its gradient holds third derivatives of the networks. With
``method="detached"`` the same steps are taken, and the way in which they depend on the generator is
left out.

The lesson: one real step of the critic for each of the generator is too few for WGAN-GP; the
players chase each other, ever farther from the data. Looking ahead keeps them near, and only the
exact gradient brings the samples closer to the data than they began.
"""

import numpy as np
import optree
from matplotlib.figure import Figure

import tinygrad_ugan as ug

step = ug.gan.Optimizer(lr=5e-3)
config = ug.gan.Config(
    networks=ug.gan.Networks(8, (32,), (32,), "softplus"),
    loss="wasserstein",
    penalty=ug.gan.penalties.GradientPenalty(weight=1.0),
    generator_optimizer=step,
    discriminator_optimizer=step,
    steps=500,
    batch=64,
    evaluate_every=20,
    evaluation_samples=1_000,
)
UNROLLED = {
    "K = 0": ug.gan.Unroll(0),
    "K = 5, detached": ug.gan.Unroll(5, 0.3, method="detached"),
    "K = 5, exact": ug.gan.Unroll(5, 0.3),
}
runs = {
    label: ug.gan.train(config.updated({"unroll": unroll.to_dict()}))
    for label, unroll in UNROLLED.items()
}

# %%
# The exact gradient against a difference quotient, at the end of the run and in double precision:

exact = runs["K = 5, exact"]
game, rng = exact.setup.game, np.random.default_rng(0)
theta_g, theta_d = optree.tree_map(np.float64, (exact.theta_g, exact.theta_d))
batch = ug.gan.FullBatch(ug.data.ring(64, rng=rng), rng.standard_normal((64, 8)))
batch = batch._replace(drawn=game.draw(rng, batch))  # where on the lines between the samples


def f_K(theta_g, method="auto"):
    return ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=5, lr=0.3, method=method)


def along(gradient):
    pairs = zip(optree.tree_leaves(gradient), optree.tree_leaves(direction), strict=True)
    return sum(float(np.sum(g * v)) for g, v in pairs)


direction = optree.tree_map(lambda x: rng.standard_normal(x.shape), theta_g)
ahead = optree.tree_map(lambda x, v: x + 1e-5 * v, theta_g, direction)
behind = optree.tree_map(lambda x, v: x - 1e-5 * v, theta_g, direction)
quotient = (f_K(ahead)[0] - f_K(behind)[0]) / 2e-5
slope, detached = (along(f_K(theta_g, method)[1]) for method in ("auto", "detached"))
print(f"along a direction: exact {slope:.7f}, differences {quotient:.7f}, detached {detached:.7f}")
assert abs(slope - quotient) < 1e-6 * abs(quotient)

# %%
# The distance to the data over training, averaged over its last quarter:

paths = {label: run.columns()["sliced_wasserstein"] for label, run in runs.items()}
late = {label: path[-len(path) // 4 :].mean() for label, path in paths.items()}
print(", ".join(f"{label}: {x:.2f}" for label, x in late.items()))
assert late["K = 0"] > 1.5 * late["K = 5, detached"]
assert late["K = 5, detached"] > 1.2 * late["K = 5, exact"]
assert late["K = 5, exact"] < paths["K = 5, exact"][0] < late["K = 5, detached"]

figure = Figure(figsize=(7, 3), layout="constrained")
left, right = figure.subplots(1, 2)
for label, run in runs.items():
    left.plot(run.columns()["step"], paths[label], label=label)
left.set(xlabel="training step", ylabel="sliced Wasserstein distance", ylim=(0, 8))
left.legend(loc="upper left")
right.plot(*ug.data.ring(300, rng=rng).T, "k.", markersize=3, label="data")
right.plot(*exact.sample(300, rng).T, ".", markersize=3, label="K = 5, exact")
right.set(aspect="equal", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))
right.legend(loc="lower center", ncols=2)
