"""What the discriminator climbs, against the engine."""

import hypothesis
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan.check.strategies import problems
from tinygrad_ugan.kernels import threads


def by_engine(game, *arguments):
    return ug.value_and_grad(game.inner, argnums=1)(*arguments)


@hypothesis.settings(max_examples=hypothesis.settings().max_examples // 3)
@given(problem=problems(max_steps=0))
def test_is_the_gradient_of_the_inner_objective(problem):
    game, theta_g, theta_d, batch, _ = problem
    batch = batch[0] if isinstance(batch, list) else batch
    value, gradient = ug.unroll.ascent(game, theta_g, theta_d, batch)
    expected_value, expected = by_engine(game, theta_g, theta_d, batch)
    assert value == pytest.approx(expected_value, rel=1e-12, abs=1e-13)
    assert relative_error(gradient, expected) < 1e-12
    assert optree.tree_structure(gradient) == optree.tree_structure(theta_d)


def large(dtype, loss="minimax"):
    rng = np.random.default_rng(0)
    game = ug.gan.Game(
        ug.nn.MLP((70, 33, 5), "relu"), ug.nn.MLP((5, 129, 40, 1), "softplus", 0.25), loss
    )
    theta_g, theta_d = game.generator.init(rng, dtype), game.discriminator.init(rng, dtype)
    batch = ug.gan.Batch(
        rng.standard_normal((300, 5)).astype(dtype), rng.standard_normal((201, 70)).astype(dtype)
    )
    return game, theta_g, theta_d, batch


@pytest.mark.parametrize("loss", sorted(ug.gan.LOSSES))
def test_float32_and_all_losses(loss):
    value, gradient = ug.unroll.ascent(*large(np.float32, loss))
    expected_value, expected = by_engine(*large(np.float64, loss))
    assert value.dtype == np.float32
    assert value == pytest.approx(expected_value, rel=2e-5)
    assert {leaf.dtype for leaf in optree.tree_leaves(gradient)} == {np.dtype(np.float32)}
    assert relative_error(gradient, expected) < 2e-5


def test_the_same_bits_on_any_number_of_threads():
    before, found = threads.get_num_threads(), set()
    try:
        for n in (1, 2, 3):
            threads.set_num_threads(n)
            leaves = optree.tree_leaves(ug.unroll.ascent(*large(np.float32)))
            found.add(tuple(leaf.tobytes() for leaf in leaves))
    finally:
        threads.set_num_threads(before)
    assert len(found) == 1


def test_other_games_go_through_the_engine():
    """To the bit: the kernels round in another order."""
    rng = np.random.default_rng(0)
    game = ug.gan.Game(lambda w, z: np.sin(z @ w), lambda w, x: np.tanh(x @ w))
    batch = ug.gan.Batch(rng.standard_normal((4, 2)), rng.standard_normal((3, 5)))
    arguments = rng.standard_normal((5, 2)), rng.standard_normal((2, 1)), batch
    value, gradient = ug.unroll.ascent(game, *arguments)
    expected_value, expected = by_engine(game, *arguments)
    assert value == expected_value
    np.testing.assert_array_equal(gradient, expected)
