"""Losses, penalties and layers through the unrolled steps: every exact method, differences, JAX."""

from typing import Any, NamedTuple

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError

CLASSES, ROWS = 3, 6
G, D = nn.MLP((3, 5, 2)), nn.MLP((2, 6, 1))
PLAIN = gan.Game(G, D, "nonsaturating")
CRITIC = gan.Game(G, D, "wasserstein")
CONDITIONAL = gan.Game(nn.MLP((3 + CLASSES, 5, 2)), nn.MLP((2 + CLASSES, 6, 1)), "minimax", CLASSES)
NOISY = gan.Game(
    nn.Sequential(
        nn.MLP((3, 5)), nn.BatchNorm(5), np.tanh, nn.GaussianNoise(5, 0.2), nn.MLP((5, 2))
    ),
    nn.Sequential(nn.SpectralNorm(nn.MLP((2, 6))), np.tanh, nn.Dropout(6, 0.3), nn.MLP((6, 1))),
    "nonsaturating",
)
FEATURES = nn.Sequential(nn.MLP((2, 6)), np.tanh, nn.MLP((6, 1)))


@ug.compile
def features(theta, x):
    return FEATURES[:2](theta[:2], x)


GP, R1, R2 = gan.penalties.GradientPenalty(2.0), gan.penalties.R1(3.0), gan.penalties.R2(3.0)
GAMES = {
    "wgan-gp": gan.Penalized(CRITIC, GP),
    "r1": gan.Penalized(PLAIN, R1),
    "r2": gan.Penalized(PLAIN, R2),
    "label smoothing": gan.Game(G, D, gan.label_smoothing("minimax", 0.2)),
    "smooth squares": gan.Game(G, D, gan.label_smoothing("least_squares", 0.2)),
    "instance noise": gan.InstanceNoise(PLAIN, 0.3),
    "conditional": CONDITIONAL,
    "feature matching": gan.FeatureMatching(gan.Game(G, FEATURES), features),
    "conditional wgan-gp": gan.Penalized(CONDITIONAL, GP),
    "noisy layers": NOISY,
    "all": gan.InstanceNoise(gan.Penalized(gan.Penalized(NOISY, R1), GP), 0.1),
}


class Problem(NamedTuple):
    """The arguments of `value_and_grad`."""

    game: Any
    theta_g: Any
    theta_d: Any
    batch: Any


def batch_of(game, rng):
    real, noise = 1 + rng.standard_normal((ROWS, 2)), rng.standard_normal((ROWS, 3))
    batch = gan.FullBatch(real, noise, rng.integers(CLASSES, size=ROWS))
    return batch._replace(drawn=game.draw(rng, batch))


def problem_of(name, rng):
    game = GAMES[name]
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    theta = optree.tree_map(lambda x: x + 0.1 * rng.standard_normal(x.shape), theta)
    return Problem(game, *theta, batch_of(game, rng))


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("name", GAMES)
def test_every_exact_method_and_differences(name, steps, rng):
    problem = problem_of(name, rng)
    how = {"steps": steps, "lr": 0.1}
    assert ug.unroll.explain_method(*problem, **how).startswith("compiled: ")
    reason = "a .*Game, not a .* around one|the loss is not|networks see labels|generator is not"
    with pytest.raises(ArgumentError, match=rf"method: .*got 'fused'; .*({reason})"):
        ug.unroll.value_and_grad(*problem, **how, method="fused")
    value, gradient = ug.unroll.value_and_grad(*problem, **how, method="adjoint")
    for method in ("tape", "forward", "compiled"):
        other = ug.unroll.value_and_grad(*problem, **how, method=method)
        assert relative_error((value, gradient), other) < 1e-11

    v = normal_like(rng, problem.theta_g)
    numeric = directional_derivative(
        lambda theta_g: f_K(problem._replace(theta_g=theta_g), steps), problem.theta_g, v, step=0.02
    )
    assert dot(gradient, v) == pytest.approx(float(numeric), rel=1e-7)


def f_K(problem, steps):
    """The unrolled objective as anyone would write it."""
    game, theta_g, theta, batch = problem
    for _ in range(steps):
        g = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
        theta = optree.tree_map(lambda x, u: x + 0.1 * u, theta, g)
    return game.outer(theta_g, theta, batch)


@pytest.mark.parametrize("name", ["wgan-gp", "noisy layers", "all"])
def test_fresh_draws_in_every_step(name, rng):
    """What is drawn anew for each step is what that step sees."""
    problem = problem_of(name, rng)
    batches = [
        problem.batch._replace(drawn=problem.game.draw(rng, problem.batch)) for _ in range(4)
    ]
    how = {"steps": 3, "lr": 0.1}
    found = [
        ug.unroll.value_and_grad(*problem[:3], batches, **how, method=method)
        for method in ("adjoint", "tape", "forward")
    ]
    assert relative_error(found[0], found[1]) < 1e-11
    assert relative_error(found[0], found[2]) < 1e-11
    same = ug.unroll.value_and_grad(*problem[:3], batches[0], **how)
    assert relative_error(found[0][1], same[1]) > 1e-3
    again = ug.unroll.value_and_grad(*problem[:3], [batches[0]] * 4, **how)
    assert relative_error(same, again) < 1e-11


@pytest.mark.parametrize("name", ["wgan-gp", "r1", "instance noise", "all"])
def test_single_precision_stays(name, rng):
    single = optree.tree_map(np.float32, problem_of(name, rng)[1:])
    single = single[2]._replace(labels=None), *single[:2]
    batch, theta_g, theta_d = single
    drawn = GAMES[name].draw(np.random.default_rng(0), batch)
    floats = [x for x in optree.tree_leaves(drawn) if x.dtype != bool]
    assert all(x.dtype == np.float32 for x in floats)
    batch = batch._replace(drawn=drawn)
    value, gradient = ug.unroll.value_and_grad(
        GAMES[name], theta_g, theta_d, batch, steps=2, lr=0.1
    )
    leaves = [value, *optree.tree_leaves(gradient)]
    assert {x.dtype for x in leaves} == {np.dtype(np.float32)}


# The same in JAX, by its own derivatives of derivatives.

IN_JAX = [name for name in GAMES if name not in ("smooth squares", "noisy layers", "all")]


def in_jax(jax):
    """The objectives by name: functions of (theta_g, theta_d, batch), written once more."""
    jnp, nnj = jax.numpy, jax.nn

    def mlp(theta, x):
        for layer in theta[:-1]:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return x @ theta[-1]["w"] + theta[-1]["b"]

    def label(x, labels):
        return jnp.concatenate([x, nnj.one_hot(labels, CLASSES, dtype=x.dtype)], axis=1)

    def bare(x, labels):
        return x

    def cross_entropy(r, s):
        return jnp.mean(nnj.log_sigmoid(r)) + jnp.mean(nnj.log_sigmoid(-s))

    def saturating(r, s):
        return cross_entropy(r, s), cross_entropy(r, s)

    def nonsaturating(r, s):
        return cross_entropy(r, s), -jnp.mean(nnj.log_sigmoid(s))

    def smooth(r, s):
        f = cross_entropy(r, s) + 0.2 * jnp.mean(nnj.log_sigmoid(-r) - nnj.log_sigmoid(r))
        return f, f

    def wasserstein(r, s):
        return (jnp.mean(r) - jnp.mean(s),) * 2

    def slopes(theta_d, x, batch, see):
        def logit(x, label):
            return mlp(theta_d, see(x[None], label[None]))[0, 0]

        return jax.vmap(jax.grad(logit))(x, batch.labels)

    def penalised(loss, penalty, see=bare):
        def play(theta_g, theta_d, batch):
            x = mlp(theta_g, see(batch.noise, batch.labels))
            r, s = (mlp(theta_d, see(y, batch.labels)) for y in (batch.real, x))
            inner, outer = loss(r, s)
            return inner - penalty(theta_d, x, batch, see), outer

        return play

    def none(*args):
        return 0.0

    def gp(theta_d, x, batch, see):
        t = batch.drawn["line"]
        g = slopes(theta_d, t * batch.real + (1 - t) * x, batch, see)
        return 2.0 * jnp.mean((jnp.linalg.norm(g, axis=1) - 1) ** 2)

    def r1(theta_d, x, batch, see):
        return 1.5 * jnp.mean(jnp.sum(slopes(theta_d, batch.real, batch, see) ** 2, axis=1))

    def r2(theta_d, x, batch, see):
        return 1.5 * jnp.mean(jnp.sum(slopes(theta_d, x, batch, see) ** 2, axis=1))

    def noisy(theta_g, theta_d, batch):
        noise = batch.drawn["instance_noise"]
        x = mlp(theta_g, batch.noise) + 0.3 * noise["generated"]
        return nonsaturating(mlp(theta_d, batch.real + 0.3 * noise["real"]), mlp(theta_d, x))

    def matching(theta_g, theta_d, batch):
        first, last = theta_d[0], theta_d[2]
        r, s = (
            jnp.tanh(x @ first[0]["w"] + first[0]["b"])
            for x in (batch.real, mlp(theta_g, batch.noise))
        )
        inner = cross_entropy(*(h @ last[0]["w"] + last[0]["b"] for h in (r, s)))
        return inner, jnp.sum((jnp.mean(r, axis=0) - jnp.mean(s, axis=0)) ** 2)

    return {
        "wgan-gp": penalised(wasserstein, gp),
        "r1": penalised(nonsaturating, r1),
        "r2": penalised(nonsaturating, r2),
        "label smoothing": penalised(smooth, none),
        "instance noise": noisy,
        "conditional": penalised(saturating, none, label),
        "conditional wgan-gp": penalised(saturating, gp, label),
        "feature matching": matching,
    }


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("name", IN_JAX)
def test_double_backward_in_jax(name, steps, rng):
    jax = pytest.importorskip("jax")
    problem = problem_of(name, rng)
    value, gradient = ug.unroll.value_and_grad(*problem, steps=steps, lr=0.1)
    with jax.enable_x64(True):
        play = in_jax(jax)[name]

        def f_K(theta_g, theta_d, batch):
            for _ in range(steps):
                g = jax.grad(lambda d: play(theta_g, d, batch)[0])(theta_d)
                theta_d = jax.tree.map(lambda x, u: x + 0.1 * u, theta_d, g)
            return play(theta_g, theta_d, batch)[1]

        expected = jax.value_and_grad(f_K)(*problem[1:])
        expected = jax.tree.map(np.asarray, expected)
    assert value.dtype == expected[0].dtype == np.float64
    assert relative_error((value, gradient), expected) < 1e-11
