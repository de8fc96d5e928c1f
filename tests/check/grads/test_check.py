"""The gradient checker: passes what is right, in any form, and finds what is wrong, wherever."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.check.grads.measure_rates import alarm, planted
from tests.check.grads.planted import finding_of, spoiled
from tinygrad_ugan.check import check_grads, strategies
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

# What is right.


@given(strategies.calls())
def test_every_function_of_the_engine_passes(call):
    assume(all(map(np.size, (call.f(*call.args), *call.args))))
    check_grads(*call, order=1)


@given(strategies.programs(min_steps=2, max_steps=5))
def test_random_programs_pass(program):
    check_grads(program, (program.x,), order=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_passes_to_third_order(dtype, rng):
    mlp = ug.nn.MLP((3, 4, 2))
    x = rng.standard_normal((5, 3)).astype(dtype)
    check_grads(mlp, (mlp.init(rng, dtype), x), order=3)


def test_any_pytree_with_constants_among_its_leaves(rng):
    def f(chosen, table, scale, name):
        assert name == "constant"
        return {"sum": np.sum(table["w"][chosen] ** 3), "pair": (scale * table["b"][0], scale)}

    table = {"w": rng.standard_normal(4), "b": [np.float32(0.5), True]}
    check_grads(f, (np.array([0, 2]), table, 0.3, "constant"))


def test_large_inputs_take_few_directions(rng):
    calls = []

    def f(x):
        calls.append(x)
        return np.sum(np.logaddexp(0, x) ** 2)

    check_grads(f, (rng.standard_normal((50, 40)),), order=1)
    assert len(calls) < 200


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (1e6 + np.sin(x)) - 1e6,
        lambda x: np.sin(x.astype(np.float32) ** 2),
        lambda x: 1e-9 * np.sin(x),
        lambda x: 1e12 + 1e-3 * x**2,
    ],
    ids=["cancels", "computes in float32", "small", "beside a large constant"],
)
def test_functions_that_are_badly_conditioned_pass(f):
    check_grads(f, (np.array([1.0, 2.0]),))


@pytest.mark.parametrize("x", [1e-6, 1e-3, 1.0, 1e4])
def test_steps_fit_the_function_and_end_with_its_domain(x):
    check_grads(np.log, (np.array([x, 1.0]),), order=3)
    check_grads(lambda x: np.sqrt(x * (1 - x)), (x if x < 1 else 0.999,))
    check_grads(lambda y: np.sin(y / x), (np.array([x, 2 * x]),))


# What is wrong.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("element", [(0, 0), (1, 2), (39, 29)])
def test_one_wrong_element_among_many_is_named(dtype, element, rng):
    size = 1e-6 if dtype == np.float64 else 1e-2
    plant = spoiled(size, (40, 30), element)

    def f(params):
        return np.sum(np.tanh(plant(params["w"])) * params["b"])

    params = {"w": 0.1 * rng.standard_normal((40, 30)), "b": 1 + rng.uniform(size=30)}
    found = finding_of(f, ({k: x.astype(dtype) for k, x in params.items()},))
    assert (found.argument, found.element) == ("args[0]['w']", element)
    assert found.found / found.expected - 1 == pytest.approx(size, rel=0.1)
    assert found.derivative.modes == ("forward",)


@pytest.mark.parametrize("modes", ["reverse", "forward"])
def test_a_rule_that_is_wrong_at_second_order_only(modes):
    @ug.primitive(partials=[lambda ans, x: ug.stop_gradient(np.cos(x))])
    def sine(x):
        return np.sin(x)

    check_grads(sine, (0.3,), order=1, modes=modes)
    found = finding_of(sine, (0.3,), order=2, modes=modes)
    assert found.derivative.order == 2
    assert found.found == 0
    text = str(found)
    assert text.startswith(f"{modes} over {modes} is wrong, order 2\n")
    assert "it is the derivative that is wrong" in text


def test_only_the_mode_that_is_wrong_is_accused():
    def jvp(traced, ans, args, params, tangents):
        return 2 * args[0] * tangents[0]

    def vjp(traced, ans, args, params, cotangent):
        return [3 * args[0] * cotangent]

    square = ug.primitive(lambda x: x * x, jvp=jvp, vjp=vjp)
    check_grads(square, (1.5,), modes="forward")
    assert finding_of(square, (1.5,)).derivative.modes == ("reverse",)


def test_tolerances_of_ones_own():
    f = spoiled(1e-3, (), ())
    finding_of(f, (1.5,), rtol=1e-4)
    finding_of(f, (1.5,), atol=1e-4)
    check_grads(f, (1.5,), order=1, rtol=2e-3)
    check_grads(f, (1.5,), order=1, atol=2e-3)


# What makes no sense.


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"args": np.ones(2)}, ArgumentTypeError, "args: expected the tuple.*got ndarray"),
        ({"args": (3,)}, ArgumentError, "args: expected a floating-point array"),
        ({"args": (np.array([1.0, np.nan]),)}, NonFiniteError, r"args\[0\]: expected finite"),
        ({"f": lambda x: x > 0}, ArgumentTypeError, "f: expected floating.*result of dtype bool"),
        ({"f": lambda x: []}, ArgumentError, "f: expected a function that returns numbers"),
        ({"f": lambda x: {"a": x / 0.0}}, NonFiniteError, r"result\['a'\]: expected finite"),
        ({"order": 4}, ArgumentError, "order: expected 1, 2 or 3, got 4"),
        ({"order": True}, ArgumentError, "order"),
        ({"modes": "backward"}, ArgumentError, "modes: expected one of 'forward', 'reverse'"),
        ({"modes": ()}, ArgumentError, "modes: expected at least one"),
        ({"rtol": -1}, ArgumentError, "rtol: expected a number >= 0"),
        ({"atol": np.nan}, ArgumentError, "atol: expected a number >= 0"),
        ({"rng": 0}, ArgumentTypeError, "rng: expected a numpy.random.Generator, got int"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_input_names_the_argument(changes, error, words):
    with pytest.raises(error, match=words):
        check_grads(**{"f": np.sin, "args": (np.ones(2),)} | changes)


@given(strategies.calls(), st.integers(0, 2**32 - 1), st.booleans())
def test_planted_errors_are_found(call, seed, whole):
    """Of relative size 1e-6, in a whole argument or in one element."""
    rng = np.random.default_rng(seed)
    assume(all(map(np.size, (call.f(*call.args), *call.args))))
    wrong = planted(call, 1e-6, whole, rng)
    assume(wrong is not None)
    assert alarm(wrong, order=1, rng=rng)
