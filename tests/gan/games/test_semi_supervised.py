"""The game of K + 1 classes against its definition, and its gradient through unrolled steps."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn

NET = nn.Sequential(nn.GaussianNoise(4, 0.3), nn.MLP((4, 6)), np.tanh, nn.MLP((6, 3)))


@pytest.fixture(params=[False, True], ids=["logits", "features"])
def problem(request, rng):
    game = gan.SemiSupervised(nn.MLP((2, 6, 4)), NET, match_features=request.param)
    theta_g, theta_d = game.generator.init(rng, float), NET.init(rng, float)
    batch = gan.LabelledBatch(
        labelled=rng.standard_normal((3, 4)),
        classes=np.array([2, 0, 1]),
        real=rng.standard_normal((7, 4)),
        noise=rng.standard_normal((5, 2)),
        sides=tuple(NET.draw(rng, n, float) for n in (3, 7, 5)),
    )
    return game, theta_g, theta_d, batch


def probabilities(logits):
    """Of K + 1 classes, the last of them "generated" with logit 0."""
    e = np.exp(np.concatenate([logits, np.zeros((len(logits), 1))], axis=1))
    return e / e.sum(axis=1, keepdims=True)


def test_is_the_definition(problem):
    game, theta_g, theta_d, batch = problem
    samples = game.generator(theta_g, batch.noise)
    labelled, real, generated = (
        probabilities(NET(theta_d, x, side))
        for x, side in zip((batch.labelled, batch.real, samples), batch.sides, strict=True)
    )
    given_real = labelled[:, :-1] / (1 - labelled[:, -1:])
    inner = (
        np.log(given_real[np.arange(3), batch.classes]).mean()
        + np.log(1 - real[:, -1]).mean()
        + np.log(generated[:, -1]).mean()
    )
    assert game.inner(theta_g, theta_d, batch) == pytest.approx(inner, rel=1e-12)
    if game.match_features:
        hidden = [
            NET[:-1](theta_d[:-1], x, side[:-1])
            for x, side in zip((batch.real, samples), batch.sides[1:], strict=True)
        ]
        outer = np.sum((hidden[0].mean(axis=0) - hidden[1].mean(axis=0)) ** 2)
    else:
        outer = -np.log(1 - generated[:, -1]).mean()
    assert game.outer(theta_g, theta_d, batch) == pytest.approx(outer, rel=1e-12)


def test_unrolled_gradient(problem):
    value, gradient = ug.unroll.value_and_grad(*problem, steps=3, lr=0.2)
    for method in ("tape", "forward"):
        other = ug.unroll.value_and_grad(*problem, steps=3, lr=0.2, method=method)
        assert other[0] == pytest.approx(value, rel=1e-12)
        assert relative_error(other[1], gradient) < 1e-11


def test_classification_is_without_noise_and_sure_logits_are_finite(problem):
    game, theta_g, theta_d, batch = problem
    theta_d[-1][0]["b"] = np.array([0.0, 1e5, -1e5])
    assert game.classify(theta_d, batch.real).tolist() == [1] * 7
    assert np.isfinite(game.inner(theta_g, theta_d, batch))
    assert np.isfinite(game.outer(theta_g, theta_d, batch))


def test_learns_from_labels(rng):
    """Three far clusters, one label each."""
    centers = 4 * np.eye(4)[:3]
    game = gan.SemiSupervised(nn.MLP((2, 6, 4)), NET)
    theta_g, theta_d = game.generator.init(rng, float), NET.init(rng, float)
    classes = np.arange(3).repeat(20)
    x = centers[classes] + 0.3 * rng.standard_normal((60, 4))
    for _ in range(100):
        sides = tuple(NET.draw(rng, n, float) for n in (3, 60, 20))
        batch = gan.LabelledBatch(centers, np.arange(3), x, rng.standard_normal((20, 2)), sides)
        ascent = ug.grad(game.inner, argnums=1)(theta_g, theta_d, batch)
        theta_d = ug.optim.apply_updates(theta_d, ascent, 0.2)
    assert (game.classify(theta_d, x) == classes).all()
