"""``x ** y``: mixed derivatives to fourth order against mpmath, whole exponents, zero bases."""

import itertools

import mpmath
import numpy as np
import pytest

from tinygrad_ugan import grad, jvp, vjp

ORDERS = [(k, n) for k in range(5) for n in range(5) if 1 <= k + n <= 4]
EXPONENTS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0]
SPELLINGS = [lambda x, y: x**y, np.power, np.float_power]


def nested(f, places):
    """f differentiated at these places one after the other, in turns by both modes."""
    for turn, place in enumerate(places):
        f = reverse(f, place) if turn % 2 else forward(f, place)
    return f


def reverse(f, place):
    return lambda *args: grad(f, place)(*args)


def forward(f, place):
    def derivative(*args):
        def along(x):
            return f(*args[:place], x, *args[place + 1 :])

        return jvp(along, (args[place],), (1.0,))[1]

    return derivative


def exact(k, n, x, y):
    """By the product rule in y, of falling factorials as polynomials; at x = 0 for n = 0 only."""
    with mpmath.workdps(40):
        x, y = mpmath.mpf(x), mpmath.mpf(y)
        factors = mpmath.taylor(lambda t: mpmath.ff(t, k) if k else mpmath.mpf(1), y, n)
        if x == 0:
            return 0.0 if abs(factors[0]) < 1e-25 else float(factors[0] * x ** (y - k))
        terms = (
            mpmath.binomial(n, j) * mpmath.factorial(n - j) * factors[n - j] * mpmath.log(x) ** j
            for j in range(n + 1)
        )
        return float(mpmath.re(sum(terms) * x ** (y - k)))


@pytest.mark.parametrize("f", SPELLINGS)
@pytest.mark.parametrize(("k", "n"), ORDERS)
def test_mixed_derivatives_against_mpmath(f, k, n):
    for places in {*itertools.permutations([0] * k + [1] * n)}:
        derivative = nested(f, places)
        for x, y in itertools.product([0.5, 1.0, 2.0, 7.5], EXPONENTS):
            # a dozen roundings, each of terms up to 30 times as large as their sum
            expected = exact(k, n, x, y)
            assert derivative(x, y) == pytest.approx(expected, rel=1e-13, abs=1e-13), (x, y)


@pytest.mark.parametrize("f", SPELLINGS)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_whole_exponents_at_zero_and_negative_bases(f, k):
    for x, y in itertools.product([0.0, -0.5, -3.0], [0, 1, 2, 3, 4, 5]):
        for exponent in (y, float(y), np.array(float(y)), np.float32(y), np.int64(y)):
            value = nested(lambda x, e=exponent: f(x, e), [0] * k)(x)
            assert value == pytest.approx(exact(k, 0, x, y), rel=1e-14), (x, exponent)
        # where the exponent is traced too, but does not vary
        assert nested(f, [0] * k)(x, float(y)) == pytest.approx(exact(k, 0, x, y), rel=1e-14)


@pytest.mark.parametrize("f", SPELLINGS)
def test_a_negative_base_has_no_derivative_in_its_exponent(f):
    for x, y in itertools.product([-2.0, -0.5], [-1.0, 0.0, 1.0, 2.0]):
        assert np.isnan(grad(f, 1)(x, y))
        assert np.isnan(jvp(lambda y, x=x: f(x, y), (y,), (1.0,))[1])
        assert np.isnan(nested(f, (0, 1))(x, y))
        assert np.isnan(nested(f, (1, 0))(x, y))
    assert np.isnan(grad(lambda y: (-2.0) ** y)(2.0))


@pytest.mark.filterwarnings("ignore:divide by zero")  # as NumPy says of 0 ** -0.5
@pytest.mark.parametrize("f", SPELLINGS)
def test_base_zero(f):
    """Limits from the right; 0 ** y is constant for y > 0 and jumps at y = 0, where 0 is taken."""
    assert [float(g) for g in vjp(f, 0.0, 0.0)[1](1.0)] == [0, 0]
    assert [float(g) for g in vjp(f, 0.0, 0.5)[1](1.0)] == [np.inf, 0]
    assert [float(g) for g in vjp(f, 0.0, 2.0)[1](1.0)] == [0, 0]
    assert nested(f, (0, 1))(0.0, 1.0) == -np.inf  # 1 + log(x) at 0
    assert nested(f, (0, 1))(0.0, 0.0) == np.inf  # 1 / x
    assert nested(f, (0, 0, 1))(0.0, 3.0) == 0  # (6 log(x) + 5) x


def test_a_stack_of_exponents_keeps_dtypes():
    x, y = np.float32([0, 0, 0, -1]), np.float32([0, 1, 2, 3])
    gradient = grad(lambda x: np.sum(x**y))(x)
    assert (gradient.dtype, gradient.tolist()) == (np.float32, [0, 1, 0, 3])
    assert grad(lambda y: np.sum(2**y))(y).dtype == np.float32
