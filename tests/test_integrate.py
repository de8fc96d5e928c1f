"""ug.integrate.odeint: SciPy's values; derivatives against closed forms, in both modes."""

import numpy as np
import pytest
import scipy.integrate

import tinygrad_ugan as ug
from tests.oracles import derivative
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

RNG = np.random.default_rng(2)
A = RNG.standard_normal((3, 3)) / 2
Y0 = RNG.standard_normal(3)
TIMES = np.array([0.1, 0.5, 0.6, 1.5])
PRECISE = {"rtol": 1e-11, "atol": 1e-12}

# The solver's error over a few hundred steps, each within rtol.
TOLERANCE = 1e-8


def linear(y, t, a):
    return a @ y


def solution(a, y0, t):
    """That of the linear equation, by the exponential of a matrix."""
    return np.stack([ug.linalg.expm(a * (now - t[0])) @ y0 for now in t])


def forced(y, t, a, b):
    return -np.sqrt(t) * y * a["rate"] + b - np.mean(y * y)


FORCED_ARGS = ({"rate": np.array([0.5, 1.0, 2.0])}, 0.3)


def test_values_are_scipys_to_the_bit():
    for times in (TIMES, TIMES[::-1], TIMES[:1]):
        expected = scipy.integrate.odeint(linear, Y0, times, (A,))
        np.testing.assert_array_equal(ug.integrate.odeint(linear, Y0, times, (A,)), expected)
        value, _ = ug.vjp(lambda a, t: ug.integrate.odeint(linear, Y0, t, (a,)), A, times)
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("times", [TIMES, TIMES[::-1]], ids=["increasing", "decreasing"])
def test_first_derivatives(mode, times):
    def ours(a, y0, t):
        return ug.integrate.odeint(linear, y0, t, (a,), **PRECISE)

    for argnum in range(3):
        found, expected = (
            ug.jacobian(f, argnums=argnum, mode=mode)(A, Y0, times) for f in (ours, solution)
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_second_derivatives():
    weights = RNG.standard_normal((2, 3))

    def total(f):
        return lambda a, y0, t: np.sum(weights * np.sin(f(a, y0, t)))

    def ours(a, y0, t):
        return ug.integrate.odeint(linear, y0, t, (a,), **PRECISE)

    primals, directions = (A, Y0, TIMES[:2]), (A.T, Y0[::-1], np.array([1.0, -2.0]))
    for outer in (ug.jvp, lambda f, xs, vs: (None, ug.vjp(f, *xs)[1](f(*xs)))):
        found, expected = (
            outer(ug.grad(total(f), (0, 1, 2)), primals, directions)[1] for f in (ours, solution)
        )
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=20 * TOLERANCE)


def test_an_equation_that_depends_on_time_and_has_arguments_in_a_pytree():
    def f(y0, t, args):
        return np.sum(np.cos(ug.integrate.odeint(forced, y0, t, args, **PRECISE)))

    gradient = ug.grad(f, (0, 1, 2))(Y0, TIMES, FORCED_ARGS)
    directions = [RNG.standard_normal(n) for n in (3, 4, 3, ())]
    dy0, dt, dr, db = directions
    numeric = derivative(
        lambda h: f(
            Y0 + h * dy0,
            TIMES + 0.05 * h * dt,
            ({"rate": FORCED_ARGS[0]["rate"] + h * dr}, FORCED_ARGS[1] + h * db),
        )
    )
    found = gradient[0] @ dy0 + 0.05 * gradient[1] @ dt
    found += gradient[2][0]["rate"] @ dr + gradient[2][1] * db
    assert found == pytest.approx(numeric, rel=1e-6)


def test_default_tolerances_and_single_precision():
    gradient = ug.grad(lambda k: np.sum(ug.integrate.odeint(decay, [1.0, 2.0], [0, 2.0], (k,))))
    assert gradient(0.5) == pytest.approx(-6 * np.exp(-1), rel=1e-6)
    assert gradient(np.float32(0.5)).dtype == np.float32


def decay(y, t, k):
    return -k * y


def test_no_arguments_at_all_and_lists_of_tensors():
    def swing(y, t):
        return [y[1], -y[0]]

    jacobian = ug.jacobian(lambda y0: ug.integrate.odeint(swing, y0, [0, 1.0], **PRECISE)[-1])
    c, s = np.cos(1), np.sin(1)
    np.testing.assert_allclose(jacobian(np.ones(2)), [[c, s], [-s, c]], atol=TOLERANCE)
    slope = ug.grad(lambda t: ug.integrate.odeint(swing, [0.0, 1.0], t, **PRECISE)[1, 0])
    np.testing.assert_allclose(slope(np.array([0.2, 1.2])), [-c, c], atol=TOLERANCE)


def test_what_the_function_uses_besides_its_arguments_is_refused():
    for transform in (ug.grad, lambda f: lambda x: ug.jvp(f, (x,), (1.0,))):
        with pytest.raises(NotDifferentiableError, match="not among its arguments"):
            transform(lambda k: ug.integrate.odeint(lambda y, t: -k * y, [1.0], [0, 1.0])[-1, 0])(
                0.5
            )
        with pytest.raises(NotDifferentiableError, match="not among its arguments"):
            transform(
                lambda k: ug.integrate.odeint(lambda y, t, a: -k * a * y, [1.0], [0, 1.0], (k,))[
                    1, 0
                ]
            )(0.5)


def test_arguments_written_to_afterwards():
    k = np.array([0.5])
    _, pullback = ug.vjp(lambda y: ug.integrate.odeint(decay, y, [0, 2.0], (k,)), np.ones(1))
    k[:] = 7
    assert pullback(np.ones((2, 1)))[0][0] == pytest.approx(1 + np.exp(-1), rel=1e-6)


def test_a_solver_that_gives_up_says_so_as_scipys_does():
    with pytest.warns(scipy.integrate.ODEintWarning):
        ug.integrate.odeint(decay, [1.0], [0, 1e3], (0.5,), mxstep=2)


@pytest.mark.parametrize(
    ("options", "args", "argument"),
    [
        ({"full_output": True}, ([1.0], [0, 1.0]), "options"),
        ({}, ([[1.0]], [0, 1.0]), "y0, t"),
        ({}, ([1.0], 1.0), "y0, t"),
    ],
)
def test_arguments_that_make_no_sense_are_named(options, args, argument):
    with pytest.raises(ArgumentError, match=f"^{argument}: "):
        ug.integrate.odeint(decay, *args, (0.5,), **options)
