"""The losses against their definitions in 50-digit arithmetic, and far out."""

import mpmath
import numpy as np
import pytest

from tests.autodiff.checks import check_modes
from tinygrad_ugan import gan, grad
from tinygrad_ugan.errors import ArgumentError


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-mpmath.mpf(float(x))))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def cross_entropy(r, s):
    return mean(mpmath.log(sigmoid(x)) for x in r) + mean(mpmath.log(1 - sigmoid(x)) for x in s)


DEFINITIONS = {
    "minimax": (cross_entropy, cross_entropy),
    "nonsaturating": (cross_entropy, lambda r, s: -mean(mpmath.log(sigmoid(x)) for x in s)),
    "max_likelihood": (cross_entropy, lambda r, s: -mean(mpmath.exp(float(x)) for x in s) / 2),
    "wasserstein": (lambda r, s: mean(r) - mean(s),) * 2,
    "least_squares": (
        lambda r, s: -mean((x - 1) ** 2 for x in r) / 2 - mean(x**2 for x in s) / 2,
        lambda r, s: mean((x - 1) ** 2 for x in s) / 2,
    ),
    "hinge": (
        lambda r, s: -mean(max(0, 1 - x) for x in r) - mean(max(0, 1 + x) for x in s),
        lambda r, s: -mean(s),
    ),
}


def test_every_loss_has_a_definition():
    assert DEFINITIONS.keys() == gan.LOSSES.keys()


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_values_and_derivatives(loss, rng):
    r, s = 3 * rng.standard_normal((6, 1)), 3 * rng.standard_normal((5, 1))
    for objective, definition in zip(gan.LOSSES[loss][:2], DEFINITIONS[loss], strict=True):
        with mpmath.workdps(50):
            expected = float(definition(r.ravel(), s.ravel()))
        assert objective(r, s) == pytest.approx(expected, rel=1e-14)
        check_modes(objective, (r, s), rng, order=2)


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_are_finite_for_every_finite_logit(loss, dtype):
    huge = np.finfo(dtype).max / 4
    logits = np.array([[-huge], [-1000], [0], [1000], [huge]], dtype)
    for objective in gan.LOSSES[loss][:2]:
        assert np.isfinite(objective(logits, logits))
        assert np.isfinite(grad(objective, argnums=1)(logits, logits)).all()


def smooth_cross_entropy(r, s):
    real = mean(0.7 * mpmath.log(sigmoid(x)) + 0.3 * mpmath.log(1 - sigmoid(x)) for x in r)
    return real + mean(mpmath.log(1 - sigmoid(x)) for x in s)


SMOOTH = {
    "minimax": (smooth_cross_entropy, smooth_cross_entropy),
    "nonsaturating": (smooth_cross_entropy, DEFINITIONS["nonsaturating"][1]),
    "max_likelihood": (smooth_cross_entropy, DEFINITIONS["max_likelihood"][1]),
    "least_squares": (
        lambda r, s: -mean((x - 0.7) ** 2 for x in r) / 2 - mean(x**2 for x in s) / 2,
        DEFINITIONS["least_squares"][1],
    ),
}


@pytest.mark.parametrize("loss", SMOOTH)
def test_smoothed_labels(loss, rng):
    r, s = 3 * rng.standard_normal((6, 1)), 3 * rng.standard_normal((5, 1))
    for objective, definition in zip(gan.label_smoothing(loss, 0.3), SMOOTH[loss], strict=True):
        with mpmath.workdps(50):
            expected = float(definition(r.ravel(), s.ravel()))
        assert objective(r, s) == pytest.approx(expected, rel=1e-14)
        check_modes(objective, (r, s), rng, order=2)


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_no_smoothing_is_the_loss_itself_and_stays_on_the_kernels(loss):
    assert gan.label_smoothing(loss, 0.0) is gan.LOSSES[loss]
    game = gan.Game(gan.Networks().build(2)[0], gan.Networks().build(2)[1], gan.LOSSES[loss])
    assert game.logit_form == gan.Game(game.generator, game.discriminator, loss).logit_form


@pytest.mark.parametrize(
    ("loss", "amount", "words"),
    [
        ("wasserstein", 0.1, "label_smoothing: expected 0 with the loss 'wasserstein'.*no targets"),
        ("hinge", 0.1, "label_smoothing: expected 0 with the loss 'hinge'"),
        ("minimax", 1.0, r"label_smoothing: expected a number in \[0, 1\)"),
        ("minimal", 0.1, "loss: .*did you mean 'minimax'"),
    ],
)
def test_what_cannot_be_smoothed(loss, amount, words):
    with pytest.raises(ArgumentError, match=words):
        gan.label_smoothing(loss, amount)
