"""The traps that public code fell into, each in a few lines, for any library with ``grad``.

NumPy code is differentiated by `ug.grad`, JAX code by ``jax.grad``; the traps are written once.
None of them uses `tinygrad_ugan.unroll`.
"""

from types import SimpleNamespace

import numpy as np
import optree

import tinygrad_ugan as ug

NUMPY = SimpleNamespace(np=np, grad=ug.grad, stop=ug.stop_gradient, map=optree.tree_map)


def jax_library():
    """JAX, in float64."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    return SimpleNamespace(
        np=jnp, grad=jax.grad, stop=jax.lax.stop_gradient, map=jax.tree_util.tree_map
    )


class Code:
    """Someone's unrolled GAN: plain networks, losses, and steps of plain ascent."""

    def __init__(self, library, problem):
        self.lib, self.problem = library, problem
        self.K, self.eta = problem.steps, problem.lr
        self.theta_g, self.theta_d, self.batch = library.map(
            library.np.asarray, (problem.theta_g, problem.theta_d, problem.batch)
        )

    def network(self, params, x):
        for layer in params[:-1]:
            x = self.lib.np.tanh(x @ layer["w"] + layer["b"])
        return x @ params[-1]["w"] + params[-1]["b"]

    def logits(self, theta_g, theta_d):
        fake = self.network(theta_g, self.batch.noise)
        return self.network(theta_d, self.batch.real), self.network(theta_d, fake)

    def inner(self, theta_g, theta_d):
        r, s = self.logits(theta_g, theta_d)
        mean, softplus = self.lib.np.mean, lambda x: self.lib.np.logaddexp(0.0, x)
        if self.problem.game.loss == "least_squares":
            return -mean((r - 1) ** 2) / 2 - mean(s**2) / 2
        if self.problem.game.loss == "wasserstein":
            return mean(r) - mean(s)
        return -mean(softplus(-r)) - mean(softplus(s))

    def outer(self, theta_g, theta_d):
        _, s = self.logits(theta_g, theta_d)
        mean = self.lib.np.mean
        if self.problem.game.loss == "nonsaturating":
            return mean(self.lib.np.logaddexp(0.0, -s))
        if self.problem.game.loss == "least_squares":
            return mean((s - 1) ** 2) / 2
        return self.inner(theta_g, theta_d)

    def ascent(self, theta_g, theta_d):
        return self.lib.grad(self.inner, 1)(theta_g, theta_d)

    def move(self, theta, g, eta=None):
        eta = self.eta if eta is None else eta
        return self.lib.map(lambda t, g: t + eta * g, theta, g)

    def step(self, theta_g, theta):
        return self.move(theta, self.ascent(theta_g, theta))

    def unrolled(self, theta_g, steps=None, start=None):
        theta = self.theta_d if start is None else start
        for _ in range(self.K if steps is None else steps):
            theta = self.step(theta_g, theta)
        return theta

    def gradient(self, loss):
        return self.lib.grad(loss)(self.theta_g)


def exact(code):
    return code.gradient(lambda g: code.outer(g, code.unrolled(g)))


def samples_without_gradient(code):
    """andrewliao11, musyoku: the steps see generated data that carry no derivative."""
    return code.gradient(lambda g: code.outer(g, code.unrolled(code.lib.stop(g))))


def no_create_graph(code):
    """The gradients of the steps are constants."""

    def loss(g):
        theta = code.theta_d
        for _ in range(code.K):
            theta = code.move(theta, code.lib.stop(code.ascent(g, theta)))
        return code.outer(g, theta)

    return code.gradient(loss)


def substituted_too_late(code):
    """keras_adversarial: the generator's gradient is formed, then theta_D^K put into it."""
    return code.lib.grad(code.outer)(code.theta_g, code.unrolled(code.theta_g))


def never_substituted(code):
    """The generator's gradient is taken at theta_D^0."""
    code.unrolled(code.theta_g)
    return code.lib.grad(code.outer)(code.theta_g, code.theta_d)


def stale(code):
    """Zardinality, K >= 2: the loss of theta_0 is differentiated at every step."""

    def loss(g):
        theta, ascent = code.theta_d, code.ascent(g, code.theta_d)
        for _ in range(code.K):
            theta = code.move(theta, ascent)
        return code.outer(g, theta)

    return code.gradient(loss)


def none_replaces_weights(code):
    """Zardinality, K >= 2: a gradient of None makes a weight of 1."""

    def loss(g):
        theta = code.step(g, code.theta_d)
        for _ in range(code.K - 1):
            theta = code.lib.map(code.lib.np.ones_like, theta)
        return code.outer(g, theta)

    return code.gradient(loss)


def truncated(code):
    """The weights are detached one step before the end."""

    def loss(g):
        return code.outer(g, code.step(g, code.lib.stop(code.unrolled(g, code.K - 1))))

    return code.gradient(loss)


def no_curvature(code):
    """Each gradient is computed at a detached copy of the weights."""

    def loss(g):
        theta = code.theta_d
        for _ in range(code.K):
            theta = code.move(theta, code.ascent(g, code.lib.stop(theta)))
        return code.outer(g, theta)

    return code.gradient(loss)


def ascended(code):
    return code.gradient(lambda g: -code.outer(g, code.unrolled(g)))


def summed(code):
    return code.gradient(lambda g: len(code.batch.noise) * code.outer(g, code.unrolled(g)))


def one_step_less(code):
    return code.gradient(lambda g: code.outer(g, code.unrolled(g, code.K - 1)))


def one_step_more(code):
    return code.gradient(lambda g: code.outer(g, code.unrolled(g, code.K + 1)))


def descended(code):
    """The discriminator descends what it should ascend."""
    code.eta = -code.eta
    return exact(code)


def started_from_last(code):
    """theta_D^K was kept."""
    start = code.unrolled(code.theta_g)
    return code.gradient(lambda g: code.outer(g, code.unrolled(g, start=start)))


def other_loss(code):
    """The generator is trained on the other of Goodfellow's losses."""
    other = {"minimax": "nonsaturating", "nonsaturating": "minimax"}[code.problem.game.loss]
    game = ug.gan.Game(None, None, other)
    code.problem = code.problem._replace(game=game)
    return exact(code)


def outer_detached(code):
    """No derivative through the samples in the generator's own loss."""
    return code.gradient(lambda g: code.outer(code.lib.stop(g), code.unrolled(g)))


def all_cut(code):
    return code.gradient(lambda g: code.outer(code.lib.stop(g), code.unrolled(code.lib.stop(g))))


TRAPS = {
    exact: "exact",
    samples_without_gradient: "detached",
    no_create_graph: "detached",
    substituted_too_late: "detached",
    never_substituted: "lookahead",
    stale: "stale",
    none_replaces_weights: "replaced",
    truncated: "truncated",
    no_curvature: "no_curvature",
    ascended: "wrong_sign",
    summed: "wrong_scale",
    one_step_less: "wrong_steps",
    one_step_more: "wrong_steps",
    descended: "wrong_direction",
    started_from_last: "kept",
    other_loss: "wrong_loss",
    outer_detached: "indirect_only",
    all_cut: "zero",
}

# With one step, these are what they seem: one step cannot be stale, truncated, or replaced.
AT_ONE_STEP = dict.fromkeys((stale, none_replaces_weights, truncated, no_curvature), "exact") | {
    one_step_less: "lookahead"
}


def expected(trap, steps):
    """The verdict that a trap deserves."""
    return AT_ONE_STEP.get(trap, TRAPS[trap]) if steps == 1 else TRAPS[trap]
