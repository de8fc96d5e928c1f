import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import ArgumentError


def linear_dynamics(curvature):
    """inner = y^T C y / 2: every step multiplies lambda by I + eta C."""
    c = np.asarray(curvature, float)
    return ug.unroll.Game(lambda x, y, _: y @ c @ y / 2 + x @ y, outer=lambda x, y, _: np.sum(y))


@pytest.mark.parametrize(
    ("rate", "verdict", "step"),
    [
        # lambda_k / lambda_K = (1 + rate / 10)^(K - k); 0.5^4 and 1.5^6 are the first beyond 10
        (-5.0, "vanishing", 12 - 4),
        (5.0, "exploding", 12 - 6),
        (0.1, "stable", None),
    ],
)
def test_verdicts(rate, verdict, step):
    n = 3
    found = ug.unroll.diagnose(
        linear_dynamics(rate * np.eye(n)), np.zeros(n), np.ones(n), None, steps=12, lr=0.1
    )
    assert (found.verdict, found.step) == (verdict, step)
    growth = (1 + rate / 10) ** np.arange(12, -1, -1)
    np.testing.assert_allclose(found.adjoint_norms, np.sqrt(n) * growth, rtol=1e-12)
    assert found.singular_values[0] == pytest.approx(growth[0], rel=1e-10)
    since = "" if step is None else f" from step {step} back"
    assert str(found).startswith(
        f"{verdict}{since}: ||lambda_0|| / ||lambda_K|| = {growth[0]:.3g}, largest"
    )


@pytest.mark.parametrize(
    ("growths", "verdict"), [((20, 1 / 400), "vanishing"), ((1 / 20, 400), "exploding")]
)
def test_where_it_ends_counts_not_where_it_has_been(growths, verdict):
    """From lambda_2 = 1 back to lambda_1 and lambda_0."""
    rates = [growth - 1 for growth in growths[::-1]]
    found = ug.unroll.diagnose(
        linear_dynamics([[1.0]]), np.zeros(1), np.ones(1), None, steps=2, lr=rates
    )
    np.testing.assert_allclose(found.adjoint_norms, [growths[0] * growths[1], growths[0], 1])
    assert (found.verdict, found.step) == (verdict, 0)


@pytest.mark.parametrize("n", [2, 6])
def test_singular_values_are_those_of_the_product(n, rng):
    """Against the matrix d theta_K / d theta_0, by the engine's Jacobian."""
    game = ug.unroll.Game(lambda x, y, _: np.sum(np.sin(x * y)) - 0.3 * np.sum(y) ** 2)
    x, y = rng.standard_normal(n), rng.standard_normal(n)

    def last(y):
        for _ in range(5):
            y = y + 0.4 * ug.grad(game.inner, argnums=1)(x, y, None)
        return y

    expected = np.linalg.svd(ug.jacobian(last)(y), compute_uv=False)
    found = ug.unroll.diagnose(game, x, y, None, steps=5, lr=0.4, singular_values=2)
    np.testing.assert_allclose(found.singular_values, expected[:2], rtol=1e-9)


def test_threshold():
    game = linear_dynamics(np.eye(2))
    options = {"steps": 5, "lr": 0.1}  # 1.1^5 = 1.6
    for threshold, verdict in ((1.5, "exploding"), (2.0, "stable")):
        found = ug.unroll.diagnose(
            game, np.ones(2), np.ones(2), None, threshold=threshold, **options
        )
        assert found.verdict == verdict
    with pytest.raises(ArgumentError, match="threshold: expected a number > 1"):
        ug.unroll.diagnose(game, np.ones(2), np.ones(2), None, threshold=1.0, **options)
