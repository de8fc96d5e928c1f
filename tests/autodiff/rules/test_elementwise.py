"""Elementwise functions where the table's samples do not go: kinks, corners, far out."""

import mpmath
import numpy as np
import pytest

from tinygrad_ugan import grad, jvp, vjp
from tinygrad_ugan.autodiff.rules import CONSTANTS, TABLE
from tinygrad_ugan.autodiff.rules.elementwise import sinc_derivative

DIFFERENTIATED = """
    add subtract multiply divide power float_power negative positive absolute abs fabs exp exp2
    expm1 log log2 log10 log1p sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan
    arctan2 sinh cosh tanh arcsinh arccosh arctanh hypot sinc deg2rad rad2deg degrees radians
    maximum minimum fmax fmin clip where select logaddexp logaddexp2 mod remainder fmod
    heaviside nan_to_num copysign real conj conjugate
"""

CONSTANT_OF_ONE = """
    sign floor ceil rint trunc round around fix imag angle logical_not isfinite isnan isinf
    isneginf isposinf isreal iscomplex signbit
"""

CONSTANT_OF_TWO = """
    floor_divide equal not_equal less less_equal greater greater_equal logical_and logical_or
    logical_xor isclose
"""


@pytest.mark.parametrize("name", DIFFERENTIATED.split())
def test_has_a_rule(name):
    assert getattr(np, name) in TABLE


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", [*CONSTANT_OF_ONE.split(), *CONSTANT_OF_TWO.split()])
def test_is_a_constant(name):
    function = getattr(np, name)
    assert function in CONSTANTS
    x = np.array([-1.5, 0.5, 2.0])
    others = [x + 0.5] if name in CONSTANT_OF_TWO.split() else []
    expected = function(x, *others)

    def f(x):
        result = function(x, *others)
        assert isinstance(result, np.ndarray)
        np.testing.assert_array_equal(result, expected)
        return np.sum(result * x)

    np.testing.assert_array_equal(grad(f)(x), expected)


def slopes(f, *args):
    return [float(g) for g in vjp(f, *args)[1](1.0)]


@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (np.absolute, [0.0], [0]),
        (np.fabs, [0.0], [0]),
        (np.copysign, [0.0, -1.0], [0, 0]),
        (np.copysign, [-3.0, 2.0], [-1, 0]),
        (np.copysign, [3.0, -0.0], [-1, 0]),
        (np.heaviside, [0.0, 0.5], [0, 1]),
        (np.heaviside, [1.0, 0.5], [0, 0]),
        (np.hypot, [0.0, 0.0], [0, 0]),
        (np.arctan2, [0.0, 0.0], [0, 0]),
        (np.arctan2, [1e-200, 1e-200], [5e199, -5e199]),
        (np.arctan2, [1e200, 1e200], [5e-201, -5e-201]),
        (np.maximum, [1.0, 1.0], [0.5, 0.5]),
        (np.minimum, [1.0, 1.0], [0.5, 0.5]),
        (np.fmax, [1.0, 1.0], [0.5, 0.5]),
        (np.fmin, [1.0, 1.0], [0.5, 0.5]),
        (np.fmax, [np.nan, 1.0], [0, 1]),
        (np.fmin, [1.0, np.nan], [1, 0]),
        (np.clip, [1.0, 0.0, 1.0], [0.5, 0, 0.5]),
        (np.float_power, [0.0, 2.0], [0, 0]),
        (np.power, [0.0, 0.0], [0, 0]),
        (np.mod, [6.0, 2.0], [1, -3]),
        (np.mod, [-5.0, 2.0], [1, 3]),
        (np.mod, [5.0, -2.0], [1, 3]),
        (np.fmod, [6.0, 2.0], [1, -3]),
        (np.fmod, [-5.0, 2.0], [1, 2]),
        (np.fmod, [5.0, -2.0], [1, 2]),
        (np.nan_to_num, [np.nan], [0]),
        (np.nan_to_num, [np.inf], [0]),
        (np.nan_to_num, [2.0], [1]),
    ],
)
def test_derivatives_at_chosen_points(f, args, expected):
    assert slopes(f, *args) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.mod, -5.3),
        (np.fmod, -5.3),
        (lambda x, y: x % y, 7.1),
        (lambda x, y: (2 * x) % y, -0.3),
    ],
)
def test_remainders_agree_with_their_definition(f, x):
    y, h = 2.0, 1e-6
    assert slopes(f, x, y)[1] == pytest.approx((f(x, y + h) - f(x, y - h)) / (2 * h), abs=1e-8)


def test_operators_of_whole_division():
    x = np.array([5.0, -5.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x // 2 * x))(x), x // 2)
    np.testing.assert_array_equal(grad(lambda x: np.sum(7 // x * x))(x), 7 // x)
    np.testing.assert_array_equal(grad(lambda x: np.sum(7 % x))(x), [-1, 2])


def test_float_power_computes_in_double_as_numpy_does():
    out, tangent = jvp(lambda x: np.float_power(x, 2), (np.float32(3),), (np.float32(1),))
    assert (out.dtype, tangent.dtype) == (np.float64, np.float64)
    assert (out, tangent) == (9, 6)


def test_sinc_is_smooth_at_zero_to_any_order():
    # sinc(x) = 1 - (pi x)^2 / 3! + (pi x)^4 / 5! - ...
    f, expected = np.sinc, [1, 0, -(np.pi**2) / 3, 0, np.pi**4 / 5, 0]
    for value in expected:
        assert float(f(0.0)) == pytest.approx(value, rel=1e-14, abs=1e-14)
        f = grad(f)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 8])
def test_derivatives_of_sinc_against_mpmath(order):
    x = np.concatenate([[0.0, 1e-300, 1e-9, 1e-3], np.linspace(0.05, 2, 8), [-3.3]])

    def exact(x):
        with mpmath.workdps(30):
            s = mpmath.quad(
                lambda t: t**order * mpmath.cos(mpmath.pi * (x * t + order / mpmath.mpf(2))),
                mpmath.linspace(0, 1, 4),
            )
            return float(mpmath.pi**order * s)

    expected = np.array([exact(mpmath.mpf(v)) for v in x])
    # n! / t^n where the recurrence takes over costs two digits at order 8
    atol = 1e-13 * np.pi**order
    np.testing.assert_allclose(sinc_derivative(order, x), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 3, 0.5, 2.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_to_a_number(n, dtype):
    x = dtype([0.5, 1.5, 3])

    def slope(x):
        return vjp(lambda x: x**n, x)[1](np.ones(3, dtype))[0]

    def curvature(x):
        return vjp(slope, x)[1](np.ones(3, dtype))[0]

    tolerance = 4 * np.finfo(dtype).eps  # two products and a power
    for derivative, expected in (
        (slope(x), n * x ** (n - 1.0)),
        (curvature(x), n * (n - 1) * x ** (n - 2.0)),
    ):
        assert derivative.dtype == dtype
        np.testing.assert_allclose(derivative, expected, rtol=tolerance)
    assert n < 1 or slope(np.zeros(3, dtype)).tolist() == [float(n == 1)] * 3
    assert n < 1 or curvature(np.zeros(3, dtype)).tolist() == [2.0 * (n == 2)] * 3


def test_where_alone_gives_places_and_ignores_the_derivative_of_its_condition():
    x = np.array([1.0, -2.0, 3.0])
    assert grad(lambda x: x[np.where(x > 0)].sum())(x).tolist() == [1, 0, 1]
    assert grad(lambda x: x[np.where(x)[0]].sum())(x).tolist() == [1, 1, 1]
    assert grad(lambda x: np.where(x, x, 0).sum())(x).tolist() == [1, 1, 1]
    assert grad(lambda x: np.where(x > 0, x, [1.0, 2.0, 3.0]).sum())(x).tolist() == [1, 0, 1]


def test_select_takes_the_first_that_holds():
    x = np.array([-1.0, 0.5, 3.0])
    conditions = [x < 0, x < 1]

    def f(x):
        return np.sum(np.select(conditions, [x**2, 3 * x], 7.0))

    assert float(vjp(f, x)[0]) == np.sum(np.select(conditions, [x**2, 3 * x], 7.0))
    assert grad(f)(x).tolist() == [-2, 3, 0]
    assert grad(lambda x: np.select([x < 1], [x]).sum())(np.float32(x)).dtype == np.float32
    with pytest.raises(ValueError, match="empty"):
        grad(lambda x: np.select([], [x[0]]))(x)
    with pytest.raises(ValueError, match="shorter"):
        grad(lambda x: np.select([x > 0, x > 1], [x]).sum())(x)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.clip(x, -1, 1),
        lambda x: np.clip(x, -1, None),
        lambda x: np.clip(x, None, 1),
        lambda x: np.clip(x, a_min=-1, a_max=1),
        lambda x: np.clip(x, min=-1),
        lambda x: np.clip(a=x, max=1),
        lambda x: x.clip(-1, 1),
        lambda x: x.clip(max=1),
    ],
)
def test_every_way_to_spell_clip(f):
    x = np.array([-2.0, 0.5, 2.0])
    out, pullback = vjp(f, x)
    np.testing.assert_array_equal(out, f(x))
    np.testing.assert_array_equal(pullback(np.ones(3))[0], f(x) == x)


def test_logarithms_of_sums_are_finite_far_out():
    for function in (np.logaddexp, np.logaddexp2):
        for x in (-1e300, -2000.0, 2000.0, 1e300):
            value, pullback = vjp(lambda x, f=function: f(x, 0), x)
            assert value == max(x, 0)
            assert pullback(1.0)[0] == (x > 0)
