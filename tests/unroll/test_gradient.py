"""Every method against every other, against differences, and against closed forms."""

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan.check.strategies import problems
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.optim import (
    SGD,
    Adam,
    AdamW,
    CosineSchedule,
    ExponentialSchedule,
    LinearSchedule,
    Momentum,
    Nesterov,
    Optimistic,
    RMSprop,
    WarmupSchedule,
    add_decayed_weights,
    chain,
    clip_by_norm,
)

EXACT = ("tape", "adjoint", "forward")
FIRST = (*EXACT, "detached")

# A gradient that should vanish is noise of 1e-17; Adam multiplies it by lr / eps.
OPTIMIZERS = (SGD(0.1), Momentum(0.1, 0.5), Adam(0.05, 0.5, 0.9, eps=1e-2))


def compute(problem, method, **options):
    *arguments, settings = problem
    return ug.unroll.value_and_grad(*arguments, method=method, **settings, **options)


def unroll(problem, theta_g):
    """f_K and theta_K by definition, in a loop of its own that needs first derivatives only."""
    game, _, theta, batch, options = problem
    steps, optimizer = options["steps"], options.get("optimizer")
    batches = batch if isinstance(batch, list) else [batch] * (steps + 1)
    memory = optimizer.init(theta) if optimizer else None
    for k, eta in enumerate(np.broadcast_to(options.get("lr", np.nan), steps)):
        g = ug.grad(game.inner, argnums=1)(theta_g, theta, batches[k])
        if optimizer:
            descent = optree.tree_map(np.negative, g)
            updates, memory = optimizer.update(descent, memory, theta)
        else:
            updates = optree.tree_map(lambda d, eta=eta: eta * d, g)
        theta = optree.tree_map(np.add, theta, updates)
    return game.outer(theta_g, theta, batches[-1]), theta


@given(problems(optimizers=OPTIMIZERS))
def test_exact_methods_agree_with_each_other_and_with_differences(problem):
    value, gradient = compute(problem, "tape")
    for method in EXACT:
        other_value, other = compute(problem, method)
        assert other_value == pytest.approx(value, rel=1e-12)
        assert relative_error(other, gradient) < 1e-11
    assert value == pytest.approx(float(unroll(problem, problem.theta_g)[0]), rel=1e-12)

    v = normal_like(np.random.default_rng(0), problem.theta_g)
    numeric = directional_derivative(lambda g: unroll(problem, g)[0], problem.theta_g, v)
    size = np.sqrt(dot(gradient, gradient) * dot(v, v))
    # rounding in f_K, of order 1e-15 |f_K|, is divided by steps of about 1e-2
    assert abs(dot(gradient, v) - numeric) <= 1e-8 * size + 1e-11 * (1 + abs(value))


MORE_OPTIMIZERS = [
    Nesterov(0.1, 0.5),
    Optimistic(0.1),
    RMSprop(0.05, 0.9, eps=1e-2),
    AdamW(0.05, 0.5, 0.9, eps=1e-2, weight_decay=0.1),
    Momentum(CosineSchedule(0.1, 4), 0.5),
    Adam(CosineSchedule(0.1, 4), 0.5, 0.9, eps=1e-2),
    RMSprop(ExponentialSchedule(0.1, 0.5, 2), 0.9, eps=1e-2),
    AdamW(WarmupSchedule(3, LinearSchedule(0.1, 0.0, 4)), 0.5, 0.9, eps=1e-2),
    chain(clip_by_norm(0.1), add_decayed_weights(0.1), SGD(CosineSchedule(0.5, 8))),
]


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("optimizer", MORE_OPTIMIZERS)
def test_every_optimizer_is_unrolled_exactly(optimizer, steps, rng):
    game = ug.gan.Game(ug.nn.MLP((2, 3, 2), "tanh"), ug.nn.MLP((2, 3, 1), "tanh"))
    theta_g, theta_d = (
        network.init(rng, float) for network in (game.generator, game.discriminator)
    )
    batch = ug.gan.Batch(rng.standard_normal((6, 2)), rng.standard_normal((6, 2)))
    problem = (game, theta_g, theta_d, batch, {"steps": steps, "optimizer": optimizer})
    _, gradient = compute(problem, "tape")
    for method in ("auto", "adjoint", "forward"):
        assert relative_error(compute(problem, method)[1], gradient) < 1e-11
    v = normal_like(rng, theta_g)
    numeric = directional_derivative(lambda g: unroll(problem, g)[0], theta_g, v)
    assert dot(gradient, v) == pytest.approx(numeric, rel=1e-7, abs=1e-10)


@given(problems())
def test_detached_is_the_direct_term_alone(problem):
    value, gradient = compute(problem, "detached")
    assert value == pytest.approx(compute(problem, "tape")[0], rel=1e-12)
    last = problem.batch[-1] if isinstance(problem.batch, list) else problem.batch
    direct = ug.grad(problem.game.outer)(problem.theta_g, unroll(problem, problem.theta_g)[1], last)
    assert relative_error(gradient, direct) < 1e-12


@given(problems(optimizers=OPTIMIZERS), st.data())
def test_truncation_and_snapshots_in_every_mix(problem, data):
    truncate = data.draw(st.integers(0, problem.steps))
    snapshots = data.draw(st.integers(1, 6))
    _, expected = compute(problem, "tape", truncate=truncate)
    for method in EXACT:
        assert relative_error(compute(problem, method, truncate=truncate), (_, expected)) < 1e-11
    for method in ("tape", "adjoint"):
        without = compute(problem, method, truncate=truncate)
        with_them = compute(problem, method, truncate=truncate, snapshots=snapshots)
        assert bits(with_them) == bits(without)
    if truncate == 0:
        assert relative_error(expected, compute(problem, "detached")[1]) < 1e-12
    if truncate == problem.steps:
        assert relative_error(expected, compute(problem, "tape")[1]) == 0


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in optree.tree_leaves(tree)]


@given(problems())
def test_detached_differs_from_the_total(problem):
    _, total = compute(problem, "adjoint")
    _, direct = compute(problem, "detached")
    if problem.steps == 0:
        assert relative_error(total, direct) < 1e-12
    else:
        assert relative_error(total, direct) > 1e-7


def test_bilinear_game_in_closed_form():
    """V = x y: y_K = y + K eta x, f_K = x y + K eta x^2, d f_K/dx = y + 2 K eta x."""
    game = ug.unroll.Game(lambda x, y, batch: x * y)
    x, y, K, eta = 1.25, -0.5, 7, 0.125
    for method in EXACT:
        value, gradient = ug.unroll.value_and_grad(game, x, y, None, steps=K, lr=eta, method=method)
        assert value == pytest.approx(x * y + K * eta * x**2, rel=1e-15)
        assert gradient == pytest.approx(y + 2 * K * eta * x, rel=1e-15)
    _, direct = ug.unroll.value_and_grad(game, x, y, None, steps=K, lr=eta, method="detached")
    assert direct == pytest.approx(y + K * eta * x, rel=1e-15)


def test_fresh_batches_and_step_sizes_in_closed_form():
    """V = b x y: y_K = y + x sum(eta_k b_k), f_K = b_K x y_K."""
    game = ug.unroll.Game(lambda x, y, b: b["b"] * x * y)
    batches = [{"b": np.float64(b)} for b in (1.0, -2.0, 0.5, 3.0)]
    rates, x, y = [0.1, 0.2, 0.4], 1.5, 0.75
    moved = 0.1 * 1.0 - 0.2 * 2.0 + 0.4 * 0.5
    for method in EXACT:
        value, gradient = ug.unroll.value_and_grad(
            game, x, y, batches, steps=3, lr=rates, method=method
        )
        assert value == pytest.approx(3 * x * (y + x * moved), rel=1e-14)
        assert gradient == pytest.approx(3 * (y + 2 * x * moved), rel=1e-14)


def test_the_paper_objective_differs_from_the_outer_objective():
    """inner = x y - y^2 / 2 with outer = y: y_{k+1} = (1 - eta) y_k + eta x."""
    game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: y)
    for method, slope in (("tape", 1 - 0.9**4), ("adjoint", 1 - 0.9**4), ("detached", 0.0)):
        _, gradient = ug.unroll.value_and_grad(game, 2.0, 0.0, None, steps=4, lr=0.1, method=method)
        assert gradient == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("method", EXACT)
def test_a_thousand_steps_on_a_tiny_game(method):
    game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: y)
    _, gradient = ug.unroll.value_and_grad(game, 2.0, 0.0, None, steps=1000, lr=0.01, method=method)
    assert gradient == pytest.approx(1 - 0.99**1000, rel=1e-12)


@pytest.mark.parametrize("method", FIRST)
def test_float32_stays_float32_and_is_close_to_float64(method, rng):
    game = ug.gan.Game(ug.nn.MLP((4, 16, 2)), ug.nn.MLP((2, 16, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((32, 2)), rng.standard_normal((32, 4)))
    single = optree.tree_map(np.float32, (*theta, batch))

    options = {"steps": 5, "lr": 0.1, "method": method}
    value, gradient = ug.unroll.value_and_grad(game, *theta, batch, **options)
    value32, gradient32 = ug.unroll.value_and_grad(game, *single, **options)
    assert {x.dtype for x in optree.tree_leaves((value32, gradient32))} == {np.dtype(np.float32)}
    # float32 rounds to 6e-8; sums over 32 rows and 5 steps leave about 1e-6
    assert value32 == pytest.approx(value, rel=1e-5)
    assert relative_error(gradient32, gradient) < 1e-5


def test_running_through_the_samples_changes_nothing(rng):
    """The same objectives without `generate`: the generator then runs K + 1 times."""
    gan = ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1)), loss="nonsaturating")
    plain = ug.unroll.Game(gan.inner, gan.outer)
    assert isinstance(gan, ug.unroll.SampleGame)
    assert not isinstance(plain, ug.unroll.SampleGame)
    theta = gan.generator.init(rng, np.float64), gan.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((5, 2)), rng.standard_normal((5, 3)))
    for method in FIRST:
        options = {"steps": 3, "lr": 0.2, "method": method}
        expected = ug.unroll.value_and_grad(plain, *theta, batch, **options)
        through_samples = ug.unroll.value_and_grad(gan, *theta, batch, **options)
        assert relative_error(through_samples, expected) < 1e-13


def test_the_generator_runs_once_for_one_batch_and_once_a_step_for_fresh_ones():
    runs = []

    def generator(w, z):
        runs.append(z)
        return z @ w

    game = ug.gan.Game(generator, lambda w, x: x @ w)
    w, v, batch = np.ones((3, 2)), np.ones((2, 1)), ug.gan.Batch(np.ones((5, 2)), np.ones((5, 3)))
    for batches, expected in ((batch, 1), ([batch, batch, batch._replace()], 3)):
        runs.clear()
        ug.unroll.value_and_grad(game, w, v, batches, steps=2, lr=0.1, method="tape")
        assert len(runs) == expected


def test_auto_is_exact_and_arguments_stay_untouched(rng):
    game = ug.gan.Game(ug.nn.MLP((3, 2)), ug.nn.MLP((2, 4, 1)))
    theta = game.generator.init(rng), game.discriminator.init(rng)
    batch = ug.gan.Batch(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32))
    before = [leaf.copy() for leaf in optree.tree_leaves((theta, batch))]
    auto = ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1)
    exact = ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1, method="fused")
    assert ug.unroll.explain_method(game, *theta, batch, steps=2, lr=0.1) == "fused"
    assert relative_error(auto, exact) == 0
    after = optree.tree_leaves((theta, batch))
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


GAME = ug.gan.Game(ug.nn.MLP((3, 2)), ug.nn.MLP((2, 1)))
THETA_G, THETA_D = (n.init(np.random.default_rng(0)) for n in (GAME.generator, GAME.discriminator))
BATCH = ug.gan.Batch(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"steps": -1}, ArgumentError, "steps: expected a whole number >= 0, got -1"),
        ({"steps": 1.5}, ArgumentTypeError, "steps: expected a whole number >= 0, got 1.5"),
        ({"steps": True}, ArgumentTypeError, "steps"),
        ({"lr": [0.1, 0.2]}, ArgumentError, r"lr: expected one number, or 3 .*got shape \(2,\)"),
        ({"lr": "fast"}, ArgumentTypeError, "lr: expected a number.*'fast'"),
        ({"lr": None}, ArgumentError, "lr: expected either lr or optimizer, got neither"),
        ({"optimizer": ug.optim.SGD()}, ArgumentError, "lr: .*got both"),
        ({"lr": None, "optimizer": "adam"}, ArgumentTypeError, "optimizer: .*SGD, Momentum or"),
        ({"truncate": 4}, ArgumentError, "truncate: expected .* 0 to steps = 3, got 4"),
        ({"truncate": 0.5}, ArgumentTypeError, "truncate: .*got 0.5"),
        ({"snapshots": 0}, ArgumentError, "snapshots: expected a whole number >= 1, got 0"),
        ({"snapshots": 2.0}, ArgumentTypeError, "snapshots"),
        ({"snapshots": 2, "method": "forward"}, ArgumentError, "snapshots: .*'forward'"),
        (
            {"game": ug.unroll.Game(lambda g, d, b: np.sum(g[0]["w"]))},
            ArgumentError,
            "game.inner: expected an objective that uses theta_d",
        ),
        ({"lr": float("inf")}, NonFiniteError, "lr.*finite"),
        ({"batch": [BATCH, BATCH]}, ArgumentError, r"batch: expected .*steps \+ 1 = 4, got 2"),
        ({"method": "adjiont"}, ArgumentError, "method: .*did you mean 'adjoint'"),
        (
            {"batch": BATCH._replace(noise=np.full((5, 3), np.nan))},
            NonFiniteError,
            "batch.noise: expected finite",
        ),
        (
            {"batch": [BATCH, BATCH, BATCH._replace(real=np.full((5, 2), np.inf)), BATCH]},
            NonFiniteError,
            r"batch\[2\].real: expected finite",
        ),
        (
            {"theta_d": [{"w": np.ones((2, 1), int), "b": np.ones(1)}]},
            ArgumentTypeError,
            r"theta_d\[0\]\['w'\]: expected floating-point parameters, got dtype int64",
        ),
        (
            {"theta_g": [{"w": np.ones((3, 2), int), "b": np.ones(2, int)}]},
            ArgumentTypeError,
            r"theta_g\[0\]\['b'\]: expected floating-point parameters, got dtype int64",
        ),
        ({"theta_d": 1}, ArgumentTypeError, "theta_d: expected floating-point parameters, got 1"),
        (
            {"theta_g": [{"w": np.ones((3, 2)), "b": np.full(2, np.nan)}]},
            NonFiniteError,
            "theta_g: expected finite",
        ),
        (
            {"theta_g": [{"w": np.ones((4, 2)), "b": np.ones(2)}]},
            ArgumentError,
            r"params: .*\(4, 2\)",
        ),
        ({"batch": BATCH._replace(real=np.ones((5, 9)))}, ArgumentError, r"x: .*\(5, 9\)"),
        (
            {"game": ug.unroll.Game(lambda g, d, b: d[0]["w"])},
            ArgumentError,
            r"<lambda>.*scalar.*shape \(2, 1\)",
        ),
        (
            {"game": ug.unroll.Game(GAME.inner, lambda g, d, b: np.inf * np.sum(g[0]["w"]))},
            NonFiniteError,
            "game: expected finite numbers, got a NaN or infinity in its value",
        ),
        (
            {"game": ug.unroll.Game(lambda g, d, b: np.sum(d[0]["w"] ** 4)), "lr": 1e30},
            NonFiniteError,
            "theta_d: .*after step 2 of 3.*smaller lr",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_bad_input_names_the_argument(changes, error, words):
    arguments = {"game": GAME, "theta_g": THETA_G, "theta_d": THETA_D, "batch": BATCH}
    arguments |= {"steps": 3, "lr": 0.1} | changes
    with pytest.raises(error, match=words):
        ug.unroll.value_and_grad(**arguments)


@pytest.mark.parametrize("method", ["adjoint", "tape", "forward"])
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_smaller_lr_is_advised_only_where_it_can_help(method):
    """The derivative of a square root at zero is infinite, whatever the step size."""
    game = ug.unroll.Game(lambda g, d, batch: -np.sum(g) * np.sqrt(np.sum(d * d)))
    with pytest.raises(NonFiniteError) as error:
        ug.unroll.value_and_grad(
            game, np.ones(2), np.zeros(2), None, steps=2, lr=0.1, method=method
        )
    assert "game.inner" in str(error.value)
    assert "no step size helps" in str(error.value)
    assert "smaller lr" not in str(error.value)
