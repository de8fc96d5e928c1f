"""The limit of infinitely many steps."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.unroll import games

SOLVERS = ("cg", "neumann", "dense")


@pytest.mark.parametrize("solver", SOLVERS)
def test_quadratic_game_in_closed_form(solver):
    """y* = A^{-1} B^T x, so d|y* - t|^2/2 / dx = B A^{-1} (y* - t)."""
    b, a, t = np.array([[1.0, 0.5], [-0.3, 0.8]]), np.array([[1.0, 0.2], [0.2, 0.6]]), (0.3, -0.7)
    example = games.quadratic(b, a, t)
    x = example.theta_g
    best = np.linalg.solve(a, b.T @ x)
    found = ug.unroll.implicit_grad(example.game, x, best, None, solver=solver)
    expected = b @ np.linalg.solve(a, best - t)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-9)  # the default tolerance
    assert found.residual < 1e-9
    assert found.stationarity < 1e-14
    assert found.value == pytest.approx(np.sum((best - t) ** 2) / 2)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_outer_objective_does_not_matter(solver, scale):
    example = games.quadratic(target=(0.3, -0.7))
    scaled = ug.unroll.Game(example.game.inner, lambda *args: scale * example.game.outer(*args))
    found, expected = (
        ug.unroll.implicit_grad(game, example.theta_g, example.theta_d, None, solver=solver)
        for game in (scaled, example.game)
    )
    np.testing.assert_allclose(found.gradient, scale * expected.gradient, rtol=1e-9)


def test_iterations_are_products_with_the_curvature():
    example = games.quadratic(target=(0.3, -0.7))
    point = example.theta_g, example.theta_d
    found = ug.unroll.implicit_grad(example.game, *point, None, solver="dense")
    assert found.iterations == 2  # one a column


@pytest.mark.parametrize("solver", SOLVERS)
def test_damping_shifts_the_curvature(solver):
    example = games.quadratic([[1.0]], [[2.0]], target=[0.0])
    x, y = np.array([1.0]), np.array([0.5])
    found = ug.unroll.implicit_grad(example.game, x, y, None, solver=solver, damping=0.5)
    np.testing.assert_allclose(found.gradient, [0.5 / 2.5], rtol=1e-9)


def logistic_gan(loss):
    """A discriminator that is linear in its parameters, made strictly concave by a penalty."""

    def features(u):
        return np.concatenate([u, u**2, np.ones_like(u)], axis=1)

    def logits(theta_d, u):
        return features(u) @ theta_d

    gan = ug.gan.Game(lambda theta_g, z: theta_g[0] + theta_g[1] * z, logits, loss)

    def penalised(objective):
        return lambda g, d, batch: objective(g, d, batch) - 0.05 * np.sum(d**2)

    outer = penalised(gan.outer) if loss == "minimax" else gan.outer
    game = ug.unroll.Game(penalised(gan.inner), outer)
    rng = np.random.default_rng(0)
    batch = ug.gan.Batch(1 + 0.5 * rng.standard_normal((20, 1)), rng.standard_normal((20, 1)))
    theta_g, theta_d = [np.array(0.2), np.array(0.7)], np.zeros((3, 1))
    theta_d = ug.unroll.trajectory(game, theta_g, theta_d, batch, steps=3000, lr=0.3).thetas[-1]
    return game, theta_g, theta_d, batch


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
def test_the_unrolled_gradient_tends_to_the_implicit_one(loss):
    """What K steps from the optimum miss is M^T (I + eta H)^K H^-1 lambda: geometric in K."""
    problem = logistic_gan(loss)
    limit = ug.unroll.implicit_grad(*problem)
    assert limit.stationarity < 1e-12
    errors = [
        relative_error(ug.unroll.value_and_grad(*problem, steps=K, lr=0.3)[1], limit.gradient)
        for K in (10, 100, 300, 1000)
    ]
    indirect = [ug.unroll.decompose(*problem, steps=K, lr=0.3).norm_ratio for K in (0, 10, 1000)]
    if loss == "minimax":  # lambda_K = 0 at the optimum: no indirect term from the start
        assert max(indirect) < 1e-10
        assert max(errors) < 1e-9
    else:
        assert indirect[-1] > 0.1
        assert errors[0] > errors[1] > errors[2] > errors[3]
        assert errors[3] < 1e-9


def test_minimax_indirect_term_vanishes_as_the_discriminator_approaches_its_optimum():
    game, theta_g, _, batch = logistic_gan("minimax")
    start = np.zeros((3, 1))
    ratios = [
        ug.unroll.decompose(game, theta_g, start, batch, steps=K, lr=0.3).norm_ratio
        for K in (1, 30, 300, 1000)
    ]
    assert ratios[0] > ratios[1] > ratios[2] > ratios[3]
    assert ratios[3] < 1e-6


def test_method_implicit_is_implicit_grad_at_theta_K():
    game, theta_g, theta_d, batch = logistic_gan("nonsaturating")
    path = ug.unroll.trajectory(game, theta_g, 0.9 * theta_d, batch, steps=5, lr=0.3)
    expected = ug.unroll.implicit_grad(game, theta_g, path.thetas[-1], batch)
    value, gradient = ug.unroll.value_and_grad(
        game, theta_g, 0.9 * theta_d, batch, steps=5, lr=0.3, method="implicit"
    )
    assert value == expected.value
    assert relative_error(gradient, expected.gradient) == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_float32_runs_to_its_own_tolerance(solver):
    game, *point, batch = logistic_gan("nonsaturating")
    exact = ug.unroll.implicit_grad(game, *point, batch)
    single = optree.tree_map(np.float32, (*point, batch))
    found = ug.unroll.implicit_grad(game, *single, solver=solver)
    assert {x.dtype for x in optree.tree_leaves(found.gradient)} == {np.dtype(np.float32)}
    assert relative_error(found.gradient, exact.gradient) < 1e-3  # residual 2e-5 x condition ~ 30


@pytest.mark.parametrize("solver", SOLVERS)
def test_not_converged_is_an_error_that_says_what_to_do(solver):
    game = ug.unroll.Game(lambda x, y, _: np.sum(x * y), outer=lambda x, y, _: np.sum(y))
    x, y = np.ones(3), np.ones(3)  # bilinear: H = 0
    with pytest.raises(ug.unroll.NotConvergedError, match=f"residual .*{solver}.*damping"):
        ug.unroll.implicit_grad(game, x, y, None, solver=solver)


def test_the_residual_is_relative_to_what_is_solved_for():
    game = ug.unroll.Game(lambda x, y, _: np.sum(x * y), outer=lambda x, y, _: 5 * np.sum(y))
    with pytest.raises(ug.unroll.NotConvergedError, match=r"most 3\.7e-11, .*residual 1\.0e\+00"):
        ug.unroll.implicit_grad(game, np.ones(3), np.ones(3), None, solver="dense")


def test_an_outer_objective_without_the_discriminator_leaves_nothing_to_solve():
    game = ug.unroll.Game(lambda x, y, _: x * y, outer=lambda x, y, _: x**2)
    found = ug.unroll.implicit_grad(game, 3.0, 1.0, None)
    assert (found.gradient, found.residual, found.iterations) == (6.0, 0.0, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solver": "cgs"}, "solver: .*did you mean 'cg'"),
        ({"damping": -1.0}, "damping: .*>= 0"),
        ({"batch": [None, None]}, "batch: .*got 2 batches"),
    ],
)
def test_bad_input(options, words):
    example = games.quadratic()
    arguments = {"theta_g": example.theta_g, "theta_d": example.theta_d, "batch": None}
    with pytest.raises(ArgumentError, match=words):
        ug.unroll.implicit_grad(example.game, **arguments | options)
