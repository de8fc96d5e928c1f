"""Derivatives of f_K and of its gradient in step sizes, settings of optimisers, start and data."""

import dataclasses

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import optim
from tinygrad_ugan.check.strategies import problems
from tinygrad_ugan.errors import ArgumentError, NonFiniteError, NotDifferentiableError
from tinygrad_ugan.tree import vdot
from tinygrad_ugan.unroll.problem import make_problem

EXACT = ("tape", "adjoint", "forward", "auto")

# eps as large as the gradients: Adam's steps are rough where both vanish.
OPTIMIZERS = (
    optim.SGD(0.1),
    optim.Momentum(0.1, 0.5),
    optim.Nesterov(0.1, 0.5),
    optim.Optimistic(0.1),
    optim.RMSprop(0.05, 0.9, eps=0.1),
    optim.Adam(0.05, 0.5, 0.9, eps=0.1),
    optim.AdamW(0.05, 0.5, 0.9, eps=0.1, weight_decay=0.1),
)


def settings_of(optimizer):
    return {name: np.float64(x) for name, x in dataclasses.asdict(optimizer).items()}


def by_definition(game, theta_g, theta, batches, optimizer):
    """f_K by a loop of its own, which needs first derivatives only."""
    memory = optimizer.init(theta)
    for batch in batches[:-1]:
        g = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
        updates, memory = optimizer.update(optree.tree_map(np.negative, g), memory, theta)
        theta = optree.tree_map(np.add, theta, updates)
    return game.outer(theta_g, theta, batches[-1])


def along_steps(lr):
    """Gradient descent of these step sizes, for `by_definition`."""
    return optim.chain(optim.SGD(1.0), optim.scale(lambda k: lr[k] if np.ndim(lr) else lr))


def compare(point, rng, value, contracted, reference, step=0.1):
    """Hold grad and jvp of both results of `value_and_grad` against differences and each other.

    ``value(point, method)`` is f_K, ``contracted(point, method)`` its gradient times a vector, and
    ``reference(point)`` f_K by definition.
    """
    v = normal_like(rng, point)
    for function, judge in (
        (value, reference),
        (contracted, lambda p: contracted(p, "tape")),
    ):
        numeric = directional_derivative(judge, point, v, step=step)
        expected = None
        for method in EXACT:
            gradient = ug.grad(lambda p, m=method, f=function: f(p, m))(point)
            expected = gradient if expected is None else expected
            size = np.sqrt(dot(expected, expected) * dot(v, v))
            # where a derivative vanishes, what is left is the rounding of values of about 1
            assert abs(dot(gradient, v) - numeric) <= 1e-7 * size + 1e-11
            difference = optree.tree_map(np.subtract, gradient, expected)
            assert np.sqrt(dot(difference, difference)) <= 1e-11 * (1e-3 + size)
            _, tangent = ug.jvp(lambda p, m=method, f=function: f(p, m), (point,), (v,))
            assert abs(tangent - dot(expected, v)) <= 1e-11 * (1e-3 + size)


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("fresh", [False, True])
def test_step_sizes_players_and_data(steps, per_step, fresh, rng):
    game = ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1)), loss="nonsaturating")
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)

    def one_batch():
        return ug.gan.Batch(rng.standard_normal((4, 2)), rng.standard_normal((4, 3)))

    batch = [one_batch() for _ in range(steps + 1)] if fresh else one_batch()
    lr = rng.uniform(0.1, 0.3, steps) if per_step else 0.2
    w = normal_like(rng, theta[0])

    def run(point, method):
        lr, theta_g, theta_d, batch = point
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=steps, lr=lr, method=method
        )

    def reference(point):
        lr, theta_g, theta_d, batch = point
        batches = batch if fresh else [batch] * (steps + 1)
        return by_definition(game, theta_g, theta_d, batches, along_steps(lr))

    point = (lr, *theta, batch)
    compare(
        point,
        rng,
        lambda p, method: run(p, method)[0],
        lambda p, method: vdot(run(p, method)[1], w),
        reference,
    )
    # with respect to theta_G, the derivative of the value is the gradient
    by_theta_g = ug.grad(lambda p: run(p, "adjoint")[0])(point)[1]
    assert relative_error(by_theta_g, run(point, "tape")[1]) < 1e-11


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_settings_of_optimizers_and_the_start(optimizer, steps, rng):
    game = ug.gan.Game(ug.nn.MLP((2, 2)), ug.nn.MLP((2, 3, 1)))
    theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(rng.standard_normal((4, 2)), rng.standard_normal((4, 2)))
    w = normal_like(rng, theta_g)

    def run(point, method):
        settings, theta_d = point
        made = type(optimizer)(**settings)
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=steps, optimizer=made, method=method
        )

    def reference(point):
        settings, theta_d = point
        batches = [batch] * (steps + 1)
        return by_definition(game, theta_g, theta_d, batches, type(optimizer)(**settings))

    compare(
        (settings_of(optimizer), theta_d),
        rng,
        lambda p, method: run(p, method)[0],
        lambda p, method: vdot(run(p, method)[1], w),
        reference,
        step=0.01,  # which leaves every setting within its bounds
    )


def test_a_step_size_for_each_leaf_and_schedules(rng):
    game = ug.gan.Game(ug.nn.MLP((2, 2)), ug.nn.MLP((2, 3, 1)))
    theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(rng.standard_normal((4, 2)), rng.standard_normal((4, 2)))
    w = normal_like(rng, theta_g)

    def made(point):
        by_leaf, start, end, longest = point
        schedule = optim.CosineSchedule(start, 3, end)
        return optim.chain(
            optim.clip_by_norm(longest), optim.Momentum(schedule, 0.5), optim.scale(by_leaf)
        )

    def run(point, method):
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=3, optimizer=made(point), method=method
        )

    def reference(point):
        return by_definition(game, theta_g, theta_d, [batch] * 4, made(point))

    by_leaf = optree.tree_map(lambda _: rng.uniform(0.5, 1.5), theta_d)
    compare(
        (by_leaf, 0.3, 0.1, 0.2),
        rng,
        lambda p, method: run(p, method)[0],
        lambda p, method: vdot(run(p, method)[1], w),
        reference,
    )


CHAINS = {
    "decayed": lambda p: optim.chain(optim.add_decayed_weights(p[0]), optim.RMSprop(p[1], eps=0.1)),
    "clipped": lambda p: optim.chain(optim.clip_by_norm(p[0]), optim.Nesterov(p[1], 0.5)),
    "linear": lambda p: optim.SGD(optim.LinearSchedule(p[0], p[1], 4)),
    "exponential": lambda p: optim.Optimistic(optim.ExponentialSchedule(p[0], 0.5, 2)),
    "warm-up": lambda p: optim.Adam(
        optim.WarmupSchedule(2, optim.CosineSchedule(p[0], 4, p[1])), 0.5, 0.9, eps=0.1
    ),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_settings_of_chains_and_schedules(name, steps, rng):
    game = ug.gan.Game(ug.nn.MLP((2, 2)), ug.nn.MLP((2, 3, 1)))
    theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(rng.standard_normal((4, 2)), rng.standard_normal((4, 2)))
    w = normal_like(rng, theta_g)

    def run(point, method):
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=steps, optimizer=CHAINS[name](point), method=method
        )

    compare(
        (0.1, 0.2),
        rng,
        lambda p, method: run(p, method)[0],
        lambda p, method: vdot(run(p, method)[1], w),
        lambda p: by_definition(game, theta_g, theta_d, [batch] * (steps + 1), CHAINS[name](p)),
        step=0.01,
    )


@given(problems(max_steps=3), st.data())
def test_on_random_games_a_hyper_gradient_is_what_decompose_knows(problem, data):
    """d f_K / d eta_k = <lambda_{k+1}, g_k>, and d f_K / d theta_0 = lambda_0."""
    *arguments, options = problem
    game, theta_g, theta_d, batch = arguments
    steps = options["steps"]
    lr = np.broadcast_to(options["lr"], steps).astype(float)
    terms = ug.unroll.decompose(*arguments, steps=steps, lr=lr)
    method = data.draw(st.sampled_from(EXACT))

    def value(lr, theta_d):
        return ug.unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=steps, lr=lr, method=method
        )[0]

    by_lr, by_theta_d = ug.grad(value, argnums=(0, 1))(lr, theta_d)
    scale = 1e-3 + np.sqrt(dot(terms.grad_theta_d, terms.grad_theta_d))
    np.testing.assert_allclose(by_lr, terms.grad_lr, rtol=1e-11, atol=1e-11 * scale)
    difference = optree.tree_map(np.subtract, by_theta_d, terms.grad_theta_d)
    assert np.sqrt(dot(difference, difference)) <= 1e-11 * scale


GAME = ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1)))
RNG = np.random.default_rng(0)
THETA_G, THETA_D = (n.init(RNG, np.float64) for n in (GAME.generator, GAME.discriminator))
BATCH = ug.gan.Batch(RNG.standard_normal((5, 2)), RNG.standard_normal((5, 3)))
AT = (GAME, THETA_G, THETA_D, BATCH)


def test_bilinear_game_in_closed_form():
    """V = x y: f_K = x y + x^2 sum(eta), and d f_K / dx = y + 2 x sum(eta)."""
    game, x = ug.unroll.Game(lambda x, y, batch: x * y), 1.25

    def run(lr):
        return ug.unroll.value_and_grad(game, x, -0.5, None, steps=3, lr=lr)

    np.testing.assert_allclose(ug.grad(lambda lr: run(lr)[0])(np.full(3, 0.1)), x**2, rtol=1e-15)
    np.testing.assert_allclose(ug.grad(lambda lr: run(lr)[1])(np.full(3, 0.1)), 2 * x, rtol=1e-15)
    assert ug.grad(lambda lr: run([0.1, lr, lr])[0])(0.1) == pytest.approx(2 * x**2, rel=1e-15)
    assert [float(g) for g in ug.grad(lambda lr: run(lr)[0])([0.1, 0.2, 0.3])] == [x**2] * 3


@pytest.mark.parametrize("method", ["auto", "adjoint", "tape", "detached"])
def test_traced_arguments_change_no_value(method):
    plain = ug.unroll.value_and_grad(*AT, steps=3, lr=0.1, method=method)
    found = {}

    def traced(lr, theta_d):
        value, gradient = ug.unroll.value_and_grad(
            GAME, THETA_G, theta_d, BATCH, steps=3, lr=lr, method=method
        )
        found["value"] = value, gradient
        return value

    ug.grad(traced, argnums=(0, 1))(0.1, THETA_D)
    # auto goes by the kernels where nothing is traced: another order of sums
    assert relative_error(ug.stop_gradient(found["value"]), plain) < 1e-12


def test_the_derivative_of_the_value_is_exact_where_the_gradient_is_not():
    """Truncated or detached, f_K is the same function of eta; its gradient is another."""

    def slope(**how):
        return ug.grad(lambda lr: ug.unroll.value_and_grad(*AT, steps=3, lr=lr, **how)[0])(0.1)

    exact = slope(method="tape")
    for how in ({"method": "detached"}, {"truncate": 1}, {"snapshots": 2}):
        assert slope(**how) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("number", [float, np.float32, np.float64])
def test_float32_stays_float32(number):
    theta_g, theta_d, batch = optree.tree_map(np.float32, AT[1:])
    seen = set()

    def value(setting, make):
        value, gradient = ug.unroll.value_and_grad(
            GAME, theta_g, theta_d, batch, steps=2, **make(setting)
        )
        seen.update(x.dtype for x in optree.tree_leaves((value, gradient)))
        return value

    exact = ug.grad(lambda lr: ug.unroll.value_and_grad(*AT, steps=2, lr=lr)[0])(0.1)
    slope = ug.grad(value)(number(0.1), lambda lr: {"lr": lr})
    assert slope == pytest.approx(exact, rel=1e-5)
    for optimizer in OPTIMIZERS:
        ug.grad(value)(number(0.1), lambda lr, o=optimizer: {"optimizer": type(o)(lr)})
    assert seen == {np.dtype(np.float32)}


def explained(**traced):
    said = []

    def f(traced):
        arguments = {"theta_g": THETA_G, "theta_d": THETA_D, "batch": BATCH}
        arguments |= {"lr": 0.1} | {k: v for k, v in traced.items() if k != "beta1"}
        if "beta1" in traced:
            arguments |= {"lr": None, "optimizer": optim.Adam(beta1=traced["beta1"])}
        said.append(ug.unroll.explain_method(GAME, **arguments, steps=2))
        with pytest.raises(ArgumentError, match=r"method: .*'fused'.*traced"):
            ug.unroll.value_and_grad(GAME, **arguments, steps=2, method="fused")
        return vdot(traced, traced)

    ug.grad(f)(traced)
    return said[0]


def test_explain_method_names_what_is_traced():
    assert explained(lr=0.1).startswith("adjoint: lr is traced")
    assert explained(theta_g=THETA_G).startswith("adjoint: theta_g is traced")
    assert explained(theta_d=THETA_D).startswith("adjoint: theta_d is traced")
    assert explained(batch=BATCH).startswith("adjoint: the batch is traced")
    assert explained(beta1=0.5).startswith("adjoint: a setting of the optimizer is traced")


def test_what_the_other_functions_return_can_be_differentiated():
    def check(f, *point):
        v = normal_like(np.random.default_rng(1), point)
        slope = dot(ug.grad(f, argnums=tuple(range(len(point))))(*point), v)
        numeric = directional_derivative(lambda p: f(*p), point, v)
        assert slope == pytest.approx(numeric, rel=1e-7)

    unroll = ug.unroll

    def squared(tree):
        return vdot(tree, tree)

    lr = np.array([0.1, 0.2, 0.3])
    check(lambda lr, d: squared(unroll.decompose(*at(d), steps=3, lr=lr).total), lr, THETA_D)
    check(lambda lr, d: squared(unroll.decompose(*at(d), steps=3, lr=lr).grad_lr), lr, THETA_D)
    check(
        lambda lr, d: squared(unroll.decompose(*at(d), steps=3, lr=lr).adjoint_norms), lr, THETA_D
    )
    check(
        lambda lr, d: squared(unroll.trajectory(*at(d), steps=3, lr=lr).inner_values), lr, THETA_D
    )
    check(lambda lr, d: squared(unroll.response_jacobian(*at(d), steps=3, lr=lr)), lr, THETA_D)
    check(lambda lr, d: squared(unroll.field(*at(d), steps=3, lr=lr)), lr, THETA_D)
    check(lambda d: squared(unroll.ascent(*at(d))), THETA_D)


def at(theta_d):
    return GAME, THETA_G, theta_d, BATCH


@pytest.mark.parametrize("solver", ["cg", "neumann", "dense"])
def test_the_implicit_gradient_is_not_differentiated(solver):
    def value(theta_d):
        return ug.unroll.implicit_grad(*at(theta_d), solver=solver, damping=10.0).value

    with pytest.raises(NotDifferentiableError, match=r"implicit gradient.*'adjoint'"):
        ug.grad(value)(THETA_D)
    game = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2, outer=lambda x, y, _: y)
    with pytest.raises(NotDifferentiableError, match=r"implicit gradient.*'adjoint'"):
        ug.grad(
            lambda d: ug.unroll.implicit_grad(game, 1.0, 1.0, None, solver=solver, damping=d)[1]
        )(1.0)


@pytest.mark.parametrize(
    ("lr", "error", "words"),
    [
        (np.nan, NonFiniteError, r"lr: expected finite numbers, got np.float64\(nan\)"),
        (np.ones(2), ArgumentError, r"lr: expected one number, or 3 .*got shape \(2,\)"),
        (1e30, NonFiniteError, "theta_d: .*after step 3 of 3.*smaller lr"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_bad_step_sizes_are_named(lr, error, words):
    game = ug.unroll.Game(lambda x, y, _: x * y**4)
    with pytest.raises(error, match=words):
        ug.grad(lambda lr: ug.unroll.value_and_grad(game, 1.0, 1.0, None, steps=3, lr=lr)[0])(lr)


@pytest.mark.parametrize(
    ("make", "setting", "words"),
    [
        (lambda x: optim.Adam(x), -1.0, r"lr: expected a positive number, got np.float64\(-1.0\)"),
        (lambda x: optim.Adam(beta1=x), 2.0, r"beta1: .*\[0, 1\), got np.float64\(2.0\)"),
        (lambda x: optim.SGD(x), np.ones(3), r"lr: expected one number, got shape \(3,\); .*scale"),
        (lambda x: optim.Adam(eps=x), 1e-200, "eps: .*whose square is one too"),
    ],
)
def test_bad_settings_are_named(make, setting, words):
    with pytest.raises(ArgumentError, match=words):
        ug.grad(lambda x: (make(x), np.sum(x))[1])(setting)


def test_plain_step_sizes_stay_python_numbers():
    """A number of NumPy would widen float32."""
    for lr in (0.1, np.float64(0.1), np.full(2, 0.1), [np.float32(0.1), 1]):
        problem = make_problem(*AT, steps=2, lr=lr)
        assert {*map(type, problem.rule.etas)} == {float}
