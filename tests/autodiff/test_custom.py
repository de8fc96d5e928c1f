"""Rules of one's own, for functions and for operations."""

import math

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NotDifferentiableError


def log1pexp():
    """The example of JAX's documentation: log(1 + exp(x)) with a rule that does not overflow."""

    def plain(x):
        return np.log(1 + np.exp(x))

    f = ug.custom_vjp(plain)
    f.defvjp(lambda x: (plain(x), x), lambda x, g: (g * (1 - 1 / (1 + np.exp(x))),))
    return f


@pytest.mark.filterwarnings("ignore:overflow")
def test_the_rule_is_used():
    f = log1pexp()
    assert ug.grad(f)(1000.0) == 1.0
    assert f(0.0) == np.log(2)


def test_higher_derivatives_are_those_of_the_rule():
    f, x = log1pexp(), 0.3
    s = 1 / (1 + np.exp(-x))
    second, third = s * (1 - s), s * (1 - s) * (1 - 2 * s)
    assert ug.grad(ug.grad(f))(x) == pytest.approx(second, rel=1e-14)
    assert ug.grad(ug.grad(ug.grad(f)))(x) == pytest.approx(third, rel=1e-14)
    assert ug.hvp(f, x, 2.0) == pytest.approx(2 * second, rel=1e-14)
    assert ug.hessian(f)(x) == pytest.approx(second, rel=1e-14)


def test_pytrees_keywords_and_none():
    @ug.custom_vjp
    def f(tree, scale, offset=1.0):
        return {"a": tree["x"] * scale + offset, "b": tree["y"]}

    def bwd(residuals, g):
        assert set(g) == {"a", "b"}
        x, scale = residuals
        return {"x": 10 * g["a"] * scale, "y": g["b"]}, np.sum(g["a"] * x), None

    f.defvjp(lambda tree, scale, offset: (f(tree, scale, offset), (tree["x"], scale)), bwd)

    def loss(tree, scale, offset):
        return np.sum(f(tree, offset=offset, scale=scale)["a"])

    tree = {"x": np.ones(2), "y": np.ones(3)}
    gx, gscale, goffset = ug.grad(loss, argnums=(0, 1, 2))(tree, 3.0, 1.0)
    assert gx["x"].tolist() == [30.0, 30.0]
    assert gx["y"].tolist() == [0.0, 0.0, 0.0]  # "b" was not used: its cotangent is zero
    assert (gscale, goffset) == (2.0, 0.0)
    assert ug.grad(lambda s: loss(tree, s, 1.0))(3.0) == 2.0
    assert ug.grad(lambda s: np.sum(f(tree, scale=s)["a"]))(3.0) == 2.0


def test_name_and_documentation_stay():
    @ug.custom_vjp
    def square(x):
        """Multiply by itself."""

    assert (square.__name__, square.__doc__) == ("square", "Multiply by itself.")


def with_rule(fwd, bwd):
    @ug.custom_vjp
    def f(x):
        return x**2

    f.defvjp(fwd, bwd)
    return f


@pytest.mark.parametrize(
    ("fwd", "bwd", "error", "words"),
    [
        (lambda x: x, None, ArgumentTypeError, r"fwd of f: .*\(out, residuals\)"),
        (lambda x: (x, x), lambda r, g: g, ArgumentError, "bwd of f: .*tuple of 1 cotangents"),
        (lambda x: (x, x), lambda r, g: (g, g), ArgumentError, r"bwd of f: .*1 cotangents.*got 2"),
        (lambda x: (x, x), lambda r, g: ([g],), ArgumentError, "bwd of f"),
        (lambda x: (x, x), lambda r, g: (np.ones(3),), ArgumentError, r"bwd of f: .*shape \(3,\)"),
    ],
)
def test_a_bad_rule_names_itself(fwd, bwd, error, words):
    with pytest.raises(error, match=words):
        ug.grad(with_rule(fwd, bwd))(1.0)


def test_structure_of_a_tree_is_checked():
    f = with_rule(lambda x: (x["a"], None), lambda r, g: ({"b": g},))
    with pytest.raises(ArgumentError, match=r"bwd of f: .*structure"):
        ug.grad(f)({"a": 1.0})


def test_forward_mode_and_a_missing_rule_name_the_way_out():
    f = log1pexp()
    with pytest.raises(NotDifferentiableError, match=r"reverse mode only.*ug\.primitive"):
        ug.jvp(f, (1.0,), (1.0,))
    with pytest.raises(NotDifferentiableError, match=r"defvjp"):
        ug.grad(ug.custom_vjp(lambda x: x))(1.0)
    with pytest.raises(NotDifferentiableError, match=r"f uses a traced value"):
        ug.grad(lambda x: with_rule(lambda y: (x * y, None), None)(x))(1.0)


# Operations.


@ug.primitive(partials=[lambda ans, x, y: 2 * x * y, lambda ans, x, y: x * x])
def square_times(x, y):
    return x * x * y


reverse = ug.primitive(lambda x: x[::-1], transpose=lambda g, x: reverse(g))

outer = ug.primitive(np.multiply.outer, transposes=(lambda g, x, y: g @ y, lambda g, x, y: x @ g))


def _norm_jvp(traced, ans, args, params, tangents):
    return np.sum(args[0] * tangents[0]) / ans


def _norm_vjp(traced, ans, args, params, cotangent):
    return [cotangent * args[0] / ans]


norm = ug.primitive(np.linalg.norm, jvp=_norm_jvp, vjp=_norm_vjp)


@pytest.mark.parametrize(
    ("operation", "shapes"),
    [
        (square_times, [(2, 3), (3,)]),
        (reverse, [(4,)]),
        (outer, [(3,), (2,)]),
        (norm, [(4,)]),
    ],
)
def test_every_kind_of_operation_in_both_modes_to_third_order(operation, shapes, rng):
    check_modes(operation, tuple(rng.standard_normal(s) for s in shapes), rng, order=3)


def test_an_operation_runs_on_plain_arrays_and_works_beside_numpy(rng):
    x = rng.standard_normal(3)
    assert norm(x) == np.linalg.norm(x)
    assert norm.name == "norm"
    gradient = ug.grad(lambda x: np.log(norm(x)) + np.sum(reverse(x)[0] * x))(x)
    ones = np.ones(3)
    expected = x / np.sum(x * x) + x[-1] * ones + np.array([0, 0, np.sum(x)])
    assert relative_error(gradient, expected) < 1e-14


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "primitive: .*one way.*got no rule"),
        ({"jvp": _norm_jvp}, "got jvp"),
        ({"vjp": _norm_vjp}, "got vjp"),
        ({"partials": [], "transpose": len}, "got partials and transpose"),
    ],
)
def test_an_operation_is_declared_in_exactly_one_way(rules, words):
    with pytest.raises(ArgumentError, match=words):
        ug.primitive(np.linalg.norm, **rules)


def test_an_operation_takes_constants_only_by_keyword():
    scaled = ug.primitive(lambda x, scale: x * scale, transpose=lambda g, x, scale: g * scale)
    assert ug.grad(lambda x: scaled(x, scale=3.0))(2.0) == 3.0
    with pytest.raises(NotDifferentiableError, match=r"scale=.*by position"):
        ug.grad(lambda x: scaled(x, scale=x))(2.0)


def test_an_operation_may_return_a_python_number():
    erf = ug.primitive(math.erf, partials=[lambda ans, x: 2 / math.sqrt(math.pi) * np.exp(-x * x)])
    check_modes(erf, (0.3,), np.random.default_rng(0), order=3)
    assert ug.grad(lambda x: np.sum(erf(x)))(0.0) == 2 / math.sqrt(math.pi)


# Elementwise operations of scalar functions


@ug.elementwise(derivative=lambda x: sigmoid(x))
def softplus(x):
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


sigmoid = ug.elementwise(
    lambda x: 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x)),
    lambda x: sigmoid(x) * (1 - sigmoid(x)),
)
ratio = ug.elementwise(
    lambda x, y: x / (1 + y * y),
    [lambda x, y: 1 / (1 + y * y), lambda x, y: -2 * x * y / (1 + y**2) ** 2],
)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_scalar_functions_in_both_modes(order):
    x, y, rng = np.linspace(-2, 3, 7), np.array([[0.5], [-1.5]]), np.random.default_rng(order)
    check_modes(softplus, (x,), rng, order=order)
    check_modes(ratio, (x, y), rng, order=order)


def test_derivatives_of_scalar_functions_keep_the_dtype():
    x = np.linspace(-2, 3, 7, dtype=np.float32)
    (gradient,) = ug.vjp(softplus, x)[1](np.ones_like(x))
    assert softplus(x).dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-x)), rtol=1e-6)


def test_scalar_functions_equal_numpys():
    x = np.linspace(-50, 50, 101)
    np.testing.assert_allclose(softplus(x), np.logaddexp(0, x), rtol=1e-15)
    third = ug.grad(ug.grad(ug.grad(softplus)))(0.3)
    s = 1 / (1 + np.exp(-0.3))
    assert third == pytest.approx(s * (1 - s) * (1 - 2 * s), rel=1e-14)
    assert ug.grad(ratio, (0, 1))(3.0, 2.0) == pytest.approx((1 / 5, -12 / 25))


def test_scalar_functions_in_a_game():
    """As the activation of both players, against the same game in NumPy's functions."""

    def game(activation):
        def network(theta, x):
            return activation(x @ theta["a"]) @ theta["b"]

        def inner(theta_g, theta_d, batch):
            real, fake = (network(theta_d, x) for x in (batch.real, network(theta_g, batch.noise)))
            return np.mean(-activation(-real)) + np.mean(-activation(fake))

        return ug.unroll.Game(inner)

    rng = np.random.default_rng(0)
    theta_g, theta_d = (
        {"a": rng.normal(size=(m, 5)), "b": rng.normal(size=(5, n))} for m, n in ((3, 2), (2, 1))
    )
    batch = ug.gan.Batch(rng.normal(size=(8, 2)), rng.normal(size=(8, 3)))
    found, expected = (
        ug.unroll.value_and_grad(game(act), theta_g, theta_d, batch, steps=3, lr=0.1)
        for act in (softplus, lambda x: np.logaddexp(0, x))
    )
    assert relative_error(found, expected) < 1e-13


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((lambda x: x,), "derivative: expected derivative=, a function"),
        ((3, lambda x: x), "f: expected a Python function of numbers, got int"),
        ((lambda: 1.0, lambda: 0.0), "f: expected a function of a fixed number of numbers"),
        ((lambda *x: 1.0, lambda x: 0.0), r"fixed number of numbers.*got <lambda>\(\*x\)"),
        ((lambda x, *, y: x, lambda x: 1.0), "fixed number of numbers"),
        ((lambda x, y: x * y, lambda x, y: y), "derivative: expected 2, one for each argument"),
    ],
)
def test_scalar_functions_are_checked_when_declared(arguments, message):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=message):
        ug.elementwise(*arguments)


def test_what_cannot_be_compiled_is_refused_when_called():
    pair = ug.elementwise(lambda x: (x, x), lambda x: 1.0)
    with pytest.raises(ArgumentTypeError, match=r"numba cannot compile.*ug\.primitive takes any"):
        pair(np.ones(3))
