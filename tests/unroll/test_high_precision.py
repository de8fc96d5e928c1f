"""A small MLP GAN in 60-digit arithmetic, differentiated by differences only.

Nothing here is shared with the engine: the inner gradient is a central difference of step 1e-20,
whose error is of order 1e-40, and the outer one of step 1e-12, whose error is of order 1e-24.
"""

import itertools

import mpmath
import numpy as np
import optree
import pytest
from mpmath import mpf

import tinygrad_ugan as ug

GENERATOR, DISCRIMINATOR = (2, 2, 1), (1, 2, 1)


def network(sizes, flat, rows):
    flat = list(flat)
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        # pytrees flatten dicts by key: "b" comes before "w"
        b, flat = flat[:n_out], flat[n_out:]
        w, flat = flat[: n_in * n_out], flat[n_in * n_out :]
        rows = [
            [b[j] + sum(row[i] * w[i * n_out + j] for i in range(n_in)) for j in range(n_out)]
            for row in rows
        ]
        if layer < len(sizes) - 1:
            rows = [[mpmath.tanh(h) for h in row] for row in rows]
    return rows


def mean_log_sigmoid(rows, sign):
    return -sum(mpmath.log1p(mpmath.exp(-sign * row[0])) for row in rows) / len(rows)


def inner(theta_g, theta_d, real, noise):
    fake = network(DISCRIMINATOR, theta_d, network(GENERATOR, theta_g, noise))
    return mean_log_sigmoid(network(DISCRIMINATOR, theta_d, real), 1) + mean_log_sigmoid(fake, -1)


def outer(loss, theta_g, theta_d, real, noise):
    if loss == "minimax":
        return inner(theta_g, theta_d, real, noise)
    fake = network(DISCRIMINATOR, theta_d, network(GENERATOR, theta_g, noise))
    return -mean_log_sigmoid(fake, 1)


def gradient(f, x, h):
    def moved(i, by):
        return [a + by if i == j else a for j, a in enumerate(x)]

    return [(f(moved(i, h)) - f(moved(i, -h))) / (2 * h) for i in range(len(x))]


def unrolled(loss, theta_g, theta_d, batch, steps, lr):
    for _ in range(steps):
        g = gradient(lambda d: inner(theta_g, d, *batch), theta_d, mpf("1e-20"))
        theta_d = [t + lr * a for t, a in zip(theta_d, g, strict=True)]
    return outer(loss, theta_g, theta_d, *batch)


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_against_sixty_digits(loss, steps):
    rng = np.random.default_rng(steps)
    game = ug.gan.Game(ug.nn.MLP(GENERATOR), ug.nn.MLP(DISCRIMINATOR), loss)
    theta_g, theta_d = (
        optree.tree_map(lambda x: rng.standard_normal(x.shape), n.init(rng, np.float64))
        for n in (game.generator, game.discriminator)
    )
    batch = ug.gan.Batch(rng.standard_normal((3, 1)), rng.standard_normal((3, 2)))
    with mpmath.workdps(60):
        exact_g, exact_d = (
            [mpf(float(x)) for leaf in optree.tree_leaves(theta) for x in np.ravel(leaf)]
            for theta in (theta_g, theta_d)
        )
        exact_batch = [[[mpf(float(x)) for x in row] for row in rows] for rows in batch]
        lr = mpf(0.25)
        value = unrolled(loss, exact_g, exact_d, exact_batch, steps, lr)
        total = gradient(
            lambda g: unrolled(loss, g, exact_d, exact_batch, steps, lr), exact_g, mpf("1e-12")
        )
    expected = np.array([float(x) for x in total])
    for method in ("tape", "adjoint", "forward"):
        found, found_gradient = ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=steps, lr=0.25, method=method
        )
        flat = np.concatenate([np.ravel(leaf) for leaf in optree.tree_leaves(found_gradient)])
        assert found == pytest.approx(float(value), rel=1e-14)
        # a few dozen roundings of 1e-16
        assert np.linalg.norm(flat - expected) < 1e-13 * np.linalg.norm(expected)
