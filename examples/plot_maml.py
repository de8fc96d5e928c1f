r"""
An initialisation for few-shot learning
=======================================

Finn et al. (2017), arXiv 1703.03400: a network is to learn a sine wave, of an amplitude and phase
that it has never seen, from ten points and a single gradient step. What can be trained for that is
where the step starts: :math:`\theta_0` descends the error on ten other points *after* the step,
averaged over many waves. The first ten points are the batch of the inner step, the others that of
the outer objective, and ``value_and_grad`` is differentiated with respect to the start of the
unrolled program. The size of the step is learned along with it.

The lesson: a network trained on all waves at once, the usual pre-training, knows their mean, and a
step hardly helps; from the learned start one step finds the wave.
"""

import numpy as np
import optree
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
POINTS, ROUNDS = 10, 1500


def sample_waves(n):
    """Draw two sets of points on each of n waves: one to learn from, one to be judged by."""
    amplitude, phase = rng.uniform(0.1, 5.0, (n, 1, 1)), rng.uniform(0.0, np.pi, (n, 1, 1))
    return [(x, amplitude * np.sin(x - phase)) for x in rng.uniform(-5, 5, (2, n, POINTS, 1))]


def network(theta, x):
    for layer in theta[:-1]:
        x = np.tanh(x @ layer["w"] + layer["b"])
    return x @ theta[-1]["w"] + theta[-1]["b"]


def error(_, theta, points):
    """Sum over waves, so that the gradient of each wave's parameters is that of its own error."""
    x, y = points
    return np.sum(np.mean((network(theta, x) - y) ** 2, axis=(1, 2)))


game = ug.unroll.Game(lambda *arguments: -error(*arguments), outer=error)


def copies(theta, n):
    """The same parameters for each of n waves."""
    return optree.tree_map(lambda w: np.broadcast_to(w, (n, *np.atleast_2d(w).shape)), theta)


def error_after(steps, start, waves):
    """The error on the second points of each wave, after steps on the first; their mean."""
    (theta, log_lr), (learned_from, judged_by) = start, waves
    n, batches = len(learned_from[0]), [learned_from] * steps + [judged_by]
    value, _ = ug.unroll.value_and_grad(
        game, (), copies(theta, n), batches, steps=steps, lr=np.exp(log_lr), method="tape"
    )  # there is no theta_G
    return value / n


def train(steps):
    """Descend the error after so many steps, in theta_0 and the logarithm of the step size."""
    start = ug.nn.MLP((1, 40, 40, 1)).init(rng, np.float64), np.log(0.01)
    adam = ug.optim.Adam(lr=1e-2)
    state = adam.init(start)
    for i in range(ROUNDS):
        gradient = ug.grad(error_after, argnums=1)(steps, start, sample_waves(25))
        start, state = ug.optim.descend(adam, gradient, state, start, scale=1 - i / ROUNDS)
    return start


learned, (mean_of_waves, _) = train(steps=1), train(steps=0)
print(f"learned step size: {np.exp(learned[1]):.4f}")

# Judged on new waves; the pre-trained network by the best of several step sizes.
fresh, ks = sample_waves(500), np.arange(11)
pretrained = min(
    ((mean_of_waves, np.log(lr)) for lr in (0.003, 0.01, 0.03, 0.1)),
    key=lambda start: error_after(1, start, fresh),
)
starts = {"learned start": learned, "pre-trained": pretrained}
errors = {name: [error_after(k, start, fresh) for k in ks] for name, start in starts.items()}
for name, found in errors.items():
    print(name, *(f"{found[k]:.2f} after {k}" for k in (0, 1, 10)), sep=", ")
assert errors["learned start"][1] < errors["pre-trained"][1] / 4

figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
grid, (theta, log_lr) = np.linspace(-5, 5, 201)[:, None], learned
x = rng.uniform(-5, 5, (1, POINTS, 1))
points = x, 4.0 * np.sin(x - 1.0)
lr = np.exp(log_lr)
path = ug.unroll.trajectory(game, (), copies(theta, 1), [points] * 11, steps=10, lr=lr).thetas
left.plot(grid, 4.0 * np.sin(grid - 1.0), color="gray", label="wave")
left.plot(x.ravel(), points[1].ravel(), "k^", markersize=4, label="ten points")
for k in (0, 1, 10):
    left.plot(grid, network(path[k], grid)[0], label=f"steps taken: {k}", linewidth=1)
for name, found in errors.items():
    right.semilogy(ks, found, "o-", markersize=3, label=name)
left.set(title="a new wave, from the learned start")
right.set(xlabel="steps on ten points", title="mean squared error, 500 new waves")
left.legend(fontsize=7, loc="lower left")
right.legend()
right.grid(alpha=0.3)
