"""Operations with several results."""

import numpy as np
import pytest

from tests.autodiff.checks import check_modes
from tinygrad_ugan import grad, jvp
from tinygrad_ugan.autodiff.primitive import general


def _jvp(traced, ans, args, params, tangents):
    moves = dict(zip(traced, tangents, strict=True))
    x, y = args
    dx, dy = moves.get(0, np.zeros_like(x)), moves.get(1, np.zeros_like(y))
    return dx * y + x * dy, np.cos(x) * dx * params["factor"]


def _vjp(traced, ans, args, params, cotangents):
    x, y = args
    product, sine = (np.zeros_like(x) if c is None else c for c in cotangents)
    found = [product * y + np.cos(x) * sine * params["factor"], product * x]
    return [found[i] for i in traced]


def _implementation(x, y, factor):
    return x * y, np.sin(x) * factor


product_and_sine = general(_implementation, _jvp, _vjp, multiple_results=True)


@pytest.mark.parametrize("weights", [(1, 0), (0, 1), (2, 3)])
def test_both_modes_to_third_order(weights, rng):
    def f(x, y):
        product, sine = product_and_sine(x, y, factor=2.0)
        return weights[0] * product + weights[1] * sine**2

    operands = rng.standard_normal(3), rng.standard_normal(3)
    check_modes(f, operands, rng, order=3)
    check_modes(lambda y: f(operands[0], y), operands[1:], rng, order=3)


def test_on_bare_arrays_and_in_one_call():
    assert product_and_sine(2.0, 3.0, factor=1.0)[0] == 6
    assert jvp(lambda x: product_and_sine(x, 3.0, factor=1.0), (2.0,), (1.0,))[1][0] == 3


def test_results_that_nothing_depends_on_have_no_cotangent():
    seen = []
    spy = general(
        lambda x: (x, 2 * x),
        None,
        lambda traced, ans, args, params, c: seen.append(c) or [c[1]],
        multiple_results=True,
    )
    grad(lambda x: spy(x)[1])(1.0)
    assert seen == [[None, 1.0]]
