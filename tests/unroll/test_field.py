import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.oracles import derivative
from tinygrad_ugan.unroll import games


def test_bilinear_game_rotates_and_unrolling_makes_it_attract():
    """v = (-y - 2 K eta x, x): eigenvalues -K eta +- sqrt((K eta)^2 - 1)."""
    game = games.bilinear().game
    origin = np.zeros(1), np.zeros(1)
    for K, eta in ((0, 0.0), (1, 0.1), (5, 0.1), (20, 0.1)):
        jacobian = ug.unroll.game_jacobian(game, *origin, None, steps=K, lr=eta)
        np.testing.assert_allclose(jacobian, [[-2 * K * eta, -1], [1, 0]], atol=1e-14)
        root = np.sqrt(complex((K * eta) ** 2 - 1))
        expected = np.array([-K * eta + root, -K * eta - root])
        np.testing.assert_allclose(
            np.sort_complex(np.linalg.eigvals(jacobian)), np.sort_complex(expected), atol=1e-7
        )


def test_goodfellows_orbit_is_a_circle():
    """Exercise 7.2: x' = -y, y' = x keeps its radius; the midpoint rule does so exactly."""
    game, h = games.bilinear().game, 0.05
    jacobian = ug.unroll.game_jacobian(game, np.zeros(1), np.zeros(1), None)
    step = np.linalg.solve(np.eye(2) - h / 2 * jacobian, np.eye(2) + h / 2 * jacobian)
    point = np.array([1.0, 0.0])
    for _ in range(1000):
        point = step @ point
    assert np.linalg.norm(point) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("steps", [0, 3])
def test_jacobian_against_differences_of_the_field(steps):
    example = games.dirac_gan()
    x, y = example.theta_g, example.theta_d
    jacobian = ug.unroll.game_jacobian(example.game, x, y, None, steps=steps, lr=0.2)
    for column, (dx, dy) in enumerate([(1, 0), (0, 1)]):

        def along(t, dx=dx, dy=dy):
            moved = (x + t * dx, y + t * dy)
            return np.array(ug.unroll.field(example.game, *moved, None, steps=steps, lr=0.2))

        np.testing.assert_allclose(jacobian[:, column], derivative(along), rtol=1e-9, atol=1e-11)


def test_field_of_a_gan_is_what_both_players_do(rng):
    game = ug.gan.Game(ug.nn.MLP((2, 3, 1)), ug.nn.MLP((1, 3, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((4, 1)), rng.standard_normal((4, 2)))
    down, up = ug.unroll.field(game, *theta, batch, steps=2, lr=0.1)
    _, gradient = ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1)
    ascent = ug.grad(game.inner, argnums=1)(*theta, batch)
    np.testing.assert_allclose(down[0]["w"], -gradient[0]["w"], rtol=1e-12)
    np.testing.assert_allclose(up[0]["w"], ascent[0]["w"], rtol=1e-12)
