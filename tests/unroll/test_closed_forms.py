"""Every method on every solved game, against pen and paper."""

import functools

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.unroll import games

SOLVED = {
    "bilinear": games.bilinear,
    "bilinear 2 x 3": functools.partial(games.bilinear, [[1.0, -0.5, 0.2], [0.3, 0.8, -1.1]]),
    "quadratic": games.quadratic,
    "quadratic 2 x 3": functools.partial(
        games.quadratic, [[1.0, 0.5, 0.2], [-0.3, 0.8, 0.1]], np.diag([1.0, 0.7, 0.4])
    ),
    "quadratic, to a target": functools.partial(games.quadratic, target=(0.3, -0.7)),
    "Dirac-GAN": games.dirac_gan,
    "Gaussian mean": games.gaussian_mean,
}
solved = pytest.mark.parametrize("make", SOLVED.values(), ids=SOLVED)
RTOL = 1e-12  # twenty steps of a few roundings each


@solved
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("lr", [0.05, 0.3])
def test_every_method(make, steps, lr):
    example = make()
    arguments = (example.game, example.theta_g, example.theta_d, example.batch)
    expected = example.solve(example.theta_g, example.theta_d, steps, lr)
    scale = np.max(np.abs(expected.gradient)) + 1
    for method in ("tape", "adjoint", "compiled", "forward", "detached"):
        value, gradient = ug.unroll.value_and_grad(*arguments, steps=steps, lr=lr, method=method)
        right = expected.direct if method == "detached" else expected.gradient
        np.testing.assert_allclose(value, expected.value, rtol=RTOL)
        np.testing.assert_allclose(gradient, right, rtol=RTOL, atol=1e-14 * scale)


@solved
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_response_and_trajectory(make, mode):
    example = make()
    arguments = (example.game, example.theta_g, example.theta_d, example.batch)
    expected = example.solve(example.theta_g, example.theta_d, 6, 0.2)
    response = ug.unroll.response_jacobian(*arguments, steps=6, lr=0.2, mode=mode)
    assert response.shape == expected.response.shape
    np.testing.assert_allclose(response, expected.response, rtol=RTOL, atol=1e-14)

    path = ug.unroll.trajectory(*arguments, steps=6, lr=0.2)
    for k, theta in enumerate(path.thetas):
        at_k = example.solve(example.theta_g, example.theta_d, k, 0.2).theta_d
        np.testing.assert_allclose(theta, at_k, rtol=RTOL)
        inner = example.game.inner(example.theta_g, theta, example.batch)
        assert path.inner_values[k] == pytest.approx(inner, rel=1e-14)


def test_the_dirac_gan_is_the_minimax_game_of_one_point_against_another():
    """Logits y u, with real data u = 0 and generated ones at x; the Dirac-GAN of `gan.Game`."""
    gan = ug.gan.Game(lambda x, z: x + z, lambda y, u: y * u)
    example = games.dirac_gan()
    x, y, origin = example.theta_g, example.theta_d, np.zeros((1, 1))
    expected = gan.inner(x, y, ug.gan.Batch(origin, origin))
    assert example.game.inner(x, y, example.batch) == pytest.approx(expected, rel=1e-14)


def test_the_gaussian_and_its_noise_are_as_described():
    batch = games.gaussian_mean(seed=1, n=10_000).batch
    for values, mean in ((batch["real"], 1.0), (batch["noise"], 0.0)):
        # to five standard errors, of 0.5 / 100 and 0.5 / 141
        assert np.mean(values) == pytest.approx(mean, abs=0.025)
        assert np.std(values) == pytest.approx(0.5, abs=0.018)


@solved
def test_schedules_agree_with_their_pieces(make):
    """Two steps of one size, then three of another, are two solutions one after the other."""
    example = make()
    x, y = example.theta_g, example.theta_d
    middle = example.solve(x, y, 2, 0.1)
    end = example.solve(x, middle.theta_d, 3, 0.25)
    path = ug.unroll.trajectory(
        example.game, x, y, example.batch, steps=5, lr=[0.1, 0.1, 0.25, 0.25, 0.25]
    )
    np.testing.assert_allclose(path.thetas[2], middle.theta_d, rtol=RTOL)
    np.testing.assert_allclose(path.thetas[-1], end.theta_d, rtol=RTOL)
