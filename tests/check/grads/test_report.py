"""The report tells which of the two is off, and whether f is smooth."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.check.grads.planted import finding_of, spoiled
from tinygrad_ugan.check import GradCheckError, check_grads


@pytest.mark.parametrize(
    ("f", "order", "words"),
    [
        (
            lambda x: np.where(x > 0, 2 * x, x),
            1,
            "f looks non-smooth here.*kink: .* 1 .*2",
        ),
        (lambda x: np.maximum(x, 0) ** 2, 2, "derivative of order 1 looks non-smooth.*kink"),
        (lambda x: np.maximum(x, 0), 2, "derivative of order 1 looks non-smooth here: it jumps"),
        (lambda x: np.where(x > 0, 1 + x, x), 1, "f looks non-smooth here: it jumps"),
        (lambda x: np.where(x > 0, 1, -1) * np.sqrt(np.abs(x + 1e-300)), 1, "infinitely steep"),
    ],
)
def test_points_that_are_not_smooth_are_said_to_be(f, order, words):
    with pytest.raises(GradCheckError, match=words):
        check_grads(f, (np.array([0.0, 1.0]),), order=order)


def test_differences_that_do_not_settle_are_not_trusted():
    wild = finding_of(spoiled(0.5, (), (), value=lambda x: np.sin(1e13 * x)), (0.5,), order=1)
    assert not wild.is_settled
    assert "noisy" in str(wild)

    def narrow(x):
        return np.where(np.abs(x - 0.5) < 1e-14, x, np.nan)[()]

    nothing_known = finding_of(spoiled(0.0, (), (), value=narrow), (0.5,), order=1)
    assert not nothing_known.is_settled
    assert "it may be they that are off" in str(nothing_known)


def test_rules_that_are_wrong_in_form():
    def doubled(traced, ans, args, params, cotangent):
        return [np.stack([cotangent, cotangent])]

    def widened(traced, ans, args, params, cotangent):
        return [np.float64(cotangent)]

    for vjp, words in ((doubled, r"has shape \(2,\), expected \(\)"), (widened, "dtype float64")):
        itself = ug.primitive(lambda x: x, jvp=lambda t, ans, a, p, v: v[0], vjp=vjp)
        with pytest.raises(GradCheckError, match=words):
            check_grads(itself, (np.float32(1.5),))
    with pytest.raises(GradCheckError, match="the rate of result is not finite: nan"):
        check_grads(ug.primitive(lambda x: x, partials=[lambda ans, x: x * np.nan]), (1.0,))
