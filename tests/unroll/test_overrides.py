"""Whoever overrides a method is taken at their word: by every entry, or refused in words.

Subclasses, objects and classes are drawn whose methods are exchanged; the oracle is the loop that
anyone would write, with `ug.grad` of the object's own `inner` and `outer`.
"""

import contextlib
import re
import types
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.oracles import dot, normal_like, relative_error
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.check.audit.trials import Trial
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.stated import states

# Two ways to the same number in float64, in another order: a thousand roundings, where Adam's
# division and the second derivatives magnify them.
TOLERANCE = 1e-9


def squares(tree):
    return sum(np.sum(x * x) for x in optree.tree_leaves(tree))


def slope_penalty(network, theta, x):
    """``E ||d D(x) / d x||^2``, as for a gradient penalty."""
    slope = ug.grad(lambda x: np.sum(network(theta, x)))(x)
    return np.mean(np.sum(slope * slope, axis=1))


# What each method is exchanged for, given the one before: all that is computed depends on it.

GAME = {
    "inner": lambda f: lambda self, g, d, b: f(self, g, d, b) - 0.3 * squares(d) * squares(g),
    "outer": lambda f: lambda self, g, d, b: f(self, g, d, b) + 0.2 * squares(g) * squares(d),
    "generate": lambda f: lambda self, g, b: np.tanh(f(self, g, b)),
    "inner_on": lambda f: (
        lambda self, x, d, b: f(self, x, d, b) - slope_penalty(self.discriminator, d, x)
    ),
    "outer_on": lambda f: lambda self, x, d, b: f(self, x, d, b) + 0.3 * np.mean(x * x),
    "_logits": lambda f: lambda self, x, d, b: tuple(2 * t + t**3 for t in f(self, x, d, b)),
}
NETWORK = {"__call__": lambda f: lambda self, theta, x: np.sin(2 * f(self, theta, x))}
OPTIMIZER = {
    "init": lambda f: lambda self, theta: optree.tree_map(lambda m: m + 1, f(self, theta)),
    "update": lambda f: (
        lambda self, g, s, p: (
            optree.tree_map(lambda u, x: np.sin(u) / 2 - 0.1 * x, f(self, g, s, p)[0], p),
            f(self, g, s, p)[1],
        )
    ),
}
ADAM = OPTIMIZER | {
    "coefficients": lambda f: lambda self, *args: (*f(self, *args)[:5], -0.3, 1.0),
}

WAYS = ("subclass", "late subclass", "object", "class", "getattribute")


def exchanged(stack, way, thing, methods):
    """`thing`, or one like it, with some methods exchanged; classes are restored by `stack`."""
    kind = type(thing)
    new = {name: make(getattr(kind, name)) for name, make in methods.items()}
    if way == "class":
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, method in new.items():
            patch.setattr(kind, name, method)
        return thing
    if way == "object":
        for name, method in new.items():
            thing.__dict__[name] = types.MethodType(method, thing)
        return thing
    if way == "getattribute":

        def get(self, name):
            bound = object.__getattribute__
            return types.MethodType(new[name], self) if name in new else bound(self, name)

        new = {"__getattribute__": get}
    body = {} if way == "late subclass" else new
    mine = type("Mine", (kind,), body)
    if way == "late subclass":
        for name, method in new.items():
            setattr(mine, name, method)
    like = mine.__new__(mine)
    like.__dict__.update(vars(thing))
    return like


class Problem(NamedTuple):
    """The arguments of `value_and_grad`, and the names that were exchanged."""

    game: Any
    theta_g: Any
    theta_d: Any
    batch: Any
    options: dict
    names: frozenset

    @property
    def place(self):
        return self[:4]


def some(methods, least=0):
    return st.sets(st.sampled_from(sorted(methods)), min_size=least).map(
        lambda names: {name: methods[name] for name in sorted(names)}
    )


class Averaged:
    """A pair of `init` and `update`, and nothing else of ours: its count is an array of NumPy."""

    def init(self, params):
        return {"count": np.int64(0), "mean": optree.tree_map(np.zeros_like, params)}

    def update(self, grads, state, params):
        mean = optree.tree_map(lambda m, g: 0.5 * m + np.tanh(g), state["mean"], grads)
        rate = 0.2 / (1 + state["count"])
        updates = optree.tree_map(lambda m: -rate * m, mean)
        return updates, {"count": state["count"] + 1, "mean": mean}


OPTIMIZERS = (optim.SGD(0.3), optim.Momentum(0.2, 0.7), optim.Adam(0.1, eps=1e-2))


@contextlib.contextmanager
def drawn(data, *, optimizers=True, fresh=True):
    """A problem whose game, networks and optimiser have some methods exchanged."""
    rng = np.random.default_rng(data.draw(st.integers(0, 9), "seed"))
    with contextlib.ExitStack() as stack:
        way = st.sampled_from(WAYS)
        networks = [nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1))]
        theta_g, theta_d = (network.init(rng, np.float64) for network in networks)
        changes = {"game": data.draw(some(GAME), "methods of the game")}
        for i in range(2):
            if data.draw(st.integers(0, 5)) == 0:
                # Python looks special methods up in the class: an object cannot exchange its own
                how = data.draw(st.sampled_from(["subclass", "late subclass"]))
                networks[i] = exchanged(stack, how, networks[i], NETWORK)
                changes[f"network {i}"] = NETWORK
        game = gan.Game(*networks, data.draw(st.sampled_from(["minimax", "nonsaturating"])))
        game = exchanged(stack, data.draw(way, "way"), game, changes["game"])
        steps = data.draw(st.integers(0, 3), "steps")
        dynamics = {"lr": 0.3}
        if optimizers and data.draw(st.booleans()):
            optimizer = data.draw(st.sampled_from([*OPTIMIZERS, Averaged()]))
            optimizer = type(optimizer)(**vars(optimizer))
            if not isinstance(optimizer, Averaged):
                methods = ADAM if isinstance(optimizer, optim.Adam) else OPTIMIZER
                changes["optimizer"] = data.draw(some(methods), "methods of the optimiser")
                optimizer = exchanged(stack, data.draw(way), optimizer, changes["optimizer"])
            dynamics = {"optimizer": optimizer}
        batches = [
            gan.Batch(1 + rng.standard_normal((4, 2)), rng.standard_normal((3, 2)))
            for _ in range(steps + 1)
        ]
        batch = batches if fresh and data.draw(st.booleans(), "fresh") else batches[0]
        names = frozenset(name for methods in changes.values() for name in methods)
        yield Problem(game, theta_g, theta_d, batch, {"steps": steps} | dynamics, names)


# The loop that anyone would write.


def batches(problem):
    steps, batch = problem.options["steps"], problem.batch
    return batch if isinstance(batch, list) else [batch] * (steps + 1)


def moves(problem, theta_g, theta_d):
    """theta_0 ... theta_K."""
    optimizer, lr = problem.options.get("optimizer"), problem.options.get("lr")
    path, state = [theta_d], None if optimizer is None else optimizer.init(theta_d)
    for batch in batches(problem)[:-1]:
        g = ug.grad(problem.game.inner, argnums=1)(theta_g, path[-1], batch)
        if optimizer is None:
            updates = optree.tree_map(lambda x: lr * x, g)
        else:
            descent = optree.tree_map(lambda x: -x, g)
            updates, state = optimizer.update(descent, state, path[-1])
        path.append(optree.tree_map(lambda x, u: x + u, path[-1], updates))
    return path


def f_K(problem, theta_g, theta_d):
    last = moves(problem, theta_g, theta_d)[-1]
    return problem.game.outer(theta_g, last, batches(problem)[-1])


def plain(problem):
    """Value and gradient with respect to theta_G."""
    return ug.value_and_grad(lambda g: f_K(problem, g, problem.theta_d))(problem.theta_g)


def check(found, expected):
    assert relative_error(found, expected) < TOLERANCE


@given(data=st.data(), method=st.sampled_from(["auto", "adjoint", "tape", "forward", "fused"]))
def test_every_method_gives_the_gradient_of_the_own_methods(data, method):
    with drawn(data) as problem:
        said = ug.unroll.explain_method(*problem.place, **problem.options)
        if method == "fused" and said != "fused":
            reason = said.removeprefix("adjoint: ").removeprefix("compiled: ").partition(";")[0]
            with pytest.raises(ArgumentError, match=re.escape(reason)):
                ug.unroll.value_and_grad(*problem.place, **problem.options, method=method)
        else:
            found = ug.unroll.value_and_grad(*problem.place, **problem.options, method=method)
            check(found, plain(problem))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", GAME)
def test_each_override_of_a_game_alone(name, way, rng):
    with contextlib.ExitStack() as stack:
        game = gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1)), "nonsaturating")
        theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
        batch = gan.Batch(1 + rng.standard_normal((4, 2)), rng.standard_normal((3, 2)))
        game = exchanged(stack, way, game, {name: GAME[name]})
        problem = Problem(game, *theta, batch, {"steps": 2, "lr": 0.3}, frozenset([name]))
        expected = plain(problem)
        for method in ("auto", "tape", "forward"):
            how = problem.options | {"method": method}
            check(ug.unroll.value_and_grad(*problem.place, **how), expected)
        terms = ug.unroll.decompose(*problem.place, **problem.options)
        check((terms.value, terms.total), expected)
        path = moves(problem, *theta)
        check(ug.unroll.trajectory(*problem.place, **problem.options).thetas, tuple(path))
        direct = ug.value_and_grad(game.outer)(theta[0], path[-1], batch)
        how = problem.options | {"method": "detached"}
        check(ug.unroll.value_and_grad(*problem.place, **how), direct)
        up = ug.value_and_grad(game.inner, argnums=1)(*theta, batch)
        check(ug.unroll.ascent(*problem.place), up)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("optimizer", "name"),
    [(optimizer, name) for optimizer in OPTIMIZERS for name in OPTIMIZER]
    + [(OPTIMIZERS[-1], "coefficients")],
)
def test_each_override_of_an_optimiser_alone(optimizer, name, way, rng):
    with contextlib.ExitStack() as stack:
        game = gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1)), "nonsaturating")
        theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
        batch = gan.Batch(1 + rng.standard_normal((4, 2)), rng.standard_normal((3, 2)))
        optimizer = type(optimizer)(**vars(optimizer))
        optimizer = exchanged(stack, way, optimizer, {name: ADAM[name]})
        how = {"steps": 2, "optimizer": optimizer}
        problem = Problem(game, *theta, batch, how, frozenset([name]))
        for method in ("auto", "tape"):
            found = ug.unroll.value_and_grad(*problem.place, **how, method=method)
            check(found, plain(problem))


@given(data=st.data())
def test_the_reason_for_another_method_is_named(data):
    with drawn(data) as problem:
        said = ug.unroll.explain_method(*problem.place, **problem.options)
        foreign = isinstance(problem.options.get("optimizer"), Averaged)
        if not problem.names and not foreign:
            assert said == "fused" or "overrides __getattribute__" in said
        else:
            assert said.startswith(("adjoint: ", "compiled: "))
            known = (*(f"overrides {name}" for name in problem.names), "the optimizer is not SGD")
            assert any(words in said for words in (*known, "overrides __getattribute__"))


@given(data=st.data())
def test_detached_holds_the_own_steps_constant(data):
    with drawn(data) as problem:
        last = moves(problem, problem.theta_g, problem.theta_d)[-1]
        outer = ug.value_and_grad(problem.game.outer)
        expected = outer(problem.theta_g, last, batches(problem)[-1])
        found = ug.unroll.value_and_grad(*problem.place, **problem.options, method="detached")
        check(found, expected)


@given(data=st.data())
def test_truncated_gradients(data):
    with drawn(data) as problem:
        through = data.draw(st.integers(0, problem.options["steps"]))
        found = ug.unroll.value_and_grad(*problem.place, **problem.options, truncate=through)
        held = {"truncate": through, "method": "tape"}
        check(found, ug.unroll.value_and_grad(*problem.place, **problem.options, **held))


@given(data=st.data())
def test_decompose_and_diagnose(data):
    with drawn(data, optimizers=False) as problem:
        terms = ug.unroll.decompose(*problem.place, **problem.options)
        check((terms.value, terms.total), plain(problem))
        path = moves(problem, problem.theta_g, problem.theta_d)
        check(terms.trajectory, tuple(path))
        backwards = ug.grad(lambda d: f_K(problem, problem.theta_g, d))(problem.theta_d)
        check(terms.grad_theta_d, backwards)
        if problem.options["steps"]:
            found = ug.unroll.diagnose(*problem.place, **problem.options)
            assert found.adjoint_norms[0] == pytest.approx(np.sqrt(squares(backwards)), rel=1e-9)


@given(data=st.data())
def test_trajectory_and_response(data):
    with drawn(data) as problem:
        path = moves(problem, problem.theta_g, problem.theta_d)
        found = ug.unroll.trajectory(*problem.place, **problem.options)
        check(found.thetas, tuple(path))
        inner = [
            problem.game.inner(problem.theta_g, *pair)
            for pair in zip(path, batches(problem), strict=True)
        ]
        check(found.inner_values, np.array(inner))
        v = normal_like(np.random.default_rng(0), problem.theta_g)
        _, moved = ug.jvp(
            lambda g: moves(problem, g, problem.theta_d)[-1], (problem.theta_g,), (v,)
        )
        jacobian = ug.unroll.response_jacobian(*problem.place, **problem.options)
        check(jacobian @ flat(v), flat(moved))


def flat(tree):
    return np.concatenate([np.ravel(x) for x in optree.tree_leaves(tree)])


@given(data=st.data())
def test_ascent_and_field(data):
    with drawn(data, optimizers=False, fresh=False) as problem:
        game, theta_g, theta_d, batch = problem.place
        expected = ug.value_and_grad(game.inner, argnums=1)(theta_g, theta_d, batch)
        check(ug.unroll.ascent(game, theta_g, theta_d, batch), expected)
        down, up = ug.unroll.field(*problem.place, **problem.options)
        check(down, optree.tree_map(np.negative, plain(problem)[1]))
        check(up, expected[1])


@given(data=st.data())
def test_implicit_gradients(data):
    """``(damping I - H) u = lambda``, ``direct + M^T u``, tried on a direction."""
    with drawn(data, optimizers=False, fresh=False) as problem:
        game, theta_g, theta_d, batch = problem.place
        damping = 50.0  # above every eigenvalue of H: the solution is well conditioned
        found = ug.unroll.implicit_grad(*problem.place, solver="dense", damping=damping)
        value, (direct, lam) = ug.value_and_grad(game.outer, argnums=(0, 1))(*problem.place[1:])

        def slope(g, d):
            return ug.grad(game.inner, argnums=1)(g, d, batch)

        def system(u):
            tree = unflat(u, theta_d)
            curved = ug.jvp(lambda d: slope(theta_g, d), (theta_d,), (tree,))[1]
            return damping * u - flat(curved)

        n = flat(theta_d).size
        u = np.linalg.solve(np.stack([system(e) for e in np.eye(n)], axis=1), flat(lam))
        v = normal_like(np.random.default_rng(0), theta_g)
        mixed = ug.jvp(lambda g: slope(g, theta_d), (theta_g,), (v,))[1]
        assert found.value == pytest.approx(value, rel=1e-12)
        assert dot(found.gradient, v) == pytest.approx(
            dot(direct, v) + float(flat(mixed) @ u), rel=1e-7, abs=1e-9
        )


def unflat(vector, like):
    leaves, treedef = optree.tree_flatten(like)
    ends = np.cumsum([x.size for x in leaves])[:-1]
    parts = [p.reshape(x.shape) for p, x in zip(np.split(vector, ends), leaves, strict=True)]
    return optree.tree_unflatten(treedef, parts)


@given(data=st.data())
def test_audit_and_audit_step(data):
    with drawn(data, fresh=False) as problem:
        gradient = plain(problem)[1]
        found = ug.check.audit(gradient, *problem.place, **problem.options)
        assert found.verdict == "exact"

        def step(theta_g, theta_d, batch):
            moved = optree.tree_map(lambda x, g: x - g, theta_g, gradient)
            one = problem._replace(options=problem.options | {"steps": 1}, batch=batch)
            return moved, moves(one, theta_g, theta_d)[1]

        trial = Trial("mine", *problem.place, **problem.options)
        found = ug.check.audit_step(lambda trial: step, on=[trial])
        assert found.verdict == "exact"
        assert found.trials[0].left.place == "theta_D^1"


@given(data=st.data())
def test_the_audit_hears_of_the_override(data):
    """The parent's gradient is not exact for a subclass whose gradient is another."""
    with drawn(data, optimizers=False, fresh=False) as problem:
        gradient = plain(problem)[1]
        parent = problem._replace(game=gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1))))
        other = plain(parent)[1]
        same = relative_error(gradient, other) < 1e-7
        assert (ug.check.audit(other, *problem.place, **problem.options).verdict == "exact") == same


@given(data=st.data())
def test_a_training_step_takes_the_own_game(data):
    with drawn(data, optimizers=False, fresh=False) as problem:
        game, theta_g, theta_d, batch = problem.place
        rate = 0.05
        sgd = gan.Optimizer("sgd", lr=rate)
        unroll = gan.Unroll(problem.options["steps"], lr=0.3)
        config = gan.Config(
            unroll=unroll, generator_optimizer=sgd, discriminator_optimizer=sgd, precision="float64"
        )
        step = gan.TrainStep(config, game)
        after, seen = step(step.start(theta_g, theta_d), [batch])
        value, gradient = plain(problem)
        new_g = optree.tree_map(lambda x, g: x - rate * g, theta_g, gradient)
        up = ug.grad(game.inner, argnums=1)(new_g, theta_d, batch)
        check(after.theta_g, new_g)
        check(after.theta_d, optree.tree_map(lambda x, g: x + rate * g, theta_d, up))
        assert seen.generator == pytest.approx(value, rel=1e-12)


@given(data=st.data(), optimizer=st.sampled_from(OPTIMIZERS), way=st.sampled_from(WAYS))
def test_a_whole_step_of_an_optimiser_is_its_own_update(data, optimizer, way):
    methods = data.draw(some(ADAM if isinstance(optimizer, optim.Adam) else OPTIMIZER))
    rng = np.random.default_rng(0)
    with contextlib.ExitStack() as stack:
        optimizer = exchanged(stack, way, type(optimizer)(**vars(optimizer)), methods)
        theta, grads = ([rng.standard_normal((3, 2)), rng.standard_normal(2)] for _ in range(2))
        state = optimizer.init(theta)
        updates, expected = optimizer.update(grads, state, theta)
        found, after = optim.descend(optimizer, grads, state, theta, 0.7)
        check(found, [x + 0.7 * u for x, u in zip(theta, updates, strict=True)])
        check(after, expected)


@pytest.mark.parametrize("rows", [3, 300])  # layer by layer, and in the kernels
@pytest.mark.parametrize("way", ["subclass", "late subclass", "class"])
def test_networks_with_their_own_call(rows, way, rng):
    mlp = nn.MLP((8, 32, 1))
    theta, x = mlp.init(rng, np.float64), rng.standard_normal((rows, 8))
    before = mlp(theta, x)
    with contextlib.ExitStack() as stack:
        net = exchanged(stack, way, mlp, NETWORK)
        np.testing.assert_allclose(net(theta, x), np.sin(2 * before), rtol=1e-12)
        check(
            ug.grad(lambda t: np.sum(net(t, x)))(theta),
            ug.grad(lambda t: np.sum(np.sin(2 * by_hand(t, x))))(theta),
        )


def by_hand(theta, x):
    return np.tanh(x @ theta[0]["w"] + theta[0]["b"]) @ theta[1]["w"] + theta[1]["b"]


class CarefulError(Exception):
    """What a network's own check says."""


@pytest.mark.parametrize("method", ["auto", "fused", "adjoint", "detached"])
def test_a_network_with_its_own_check_of_arguments_checks(method, rng):
    class Careful(nn.MLP):
        def _check(self, params, x):
            raise CarefulError

    game = gan.Game(nn.MLP((2, 3, 2)), Careful((2, 4, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = gan.Batch(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises((CarefulError, ArgumentError)):
        ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1, method=method)


def test_shapes_that_a_lax_check_lets_pass_never_reach_the_kernels(rng):
    class Lax(nn.MLP):
        def _check(self, params, x):
            pass

    net = Lax((8, 32, 1))
    wide = nn.MLP((8, 64, 1)).init(rng, np.float64)
    x = rng.standard_normal((300, 8))
    np.testing.assert_allclose(net(wide, x), by_hand(wide, x), rtol=1e-13)


def test_other_objectives_under_a_known_name_are_not_taken_for_it(monkeypatch, rng):
    """The kernels' form belongs to an objective, not to the name of a loss."""
    mine = gan.LOSSES["minimax"]._replace(inner=lambda r, s: np.mean(r) - np.mean(s**2))
    monkeypatch.setattr(gan.games.game, "LOSSES", {"minimax": mine})
    game = gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = gan.Batch(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    problem = Problem(game, *theta, batch, {"steps": 2, "lr": 0.3}, frozenset())
    check(ug.unroll.value_and_grad(*problem.place, **problem.options), plain(problem))


# The examples that made us write this.


class Penalised(gan.Game):
    """With a gradient penalty on the samples."""

    def inner_on(self, samples, theta_d, batch):
        value = super().inner_on(samples, theta_d, batch)
        return value - 500 * slope_penalty(self.discriminator, theta_d, samples)


def test_fifty_training_steps_with_a_penalty_differ_from_those_without(rng):
    config = gan.Config(
        networks=gan.Networks(noise=4, generator=(8,), discriminator=(8,)),
        unroll=gan.Unroll(2, lr=1e-3), steps=50, batch=16, precision="float64",
    )  # fmt: skip
    after = []
    for kind in (gan.Game, Penalised):
        players = config.networks.build(2)
        step = gan.TrainStep(config, kind(*players))
        state = step.init(np.random.default_rng(0))
        draws = gan.Draws(config, np.random.default_rng(1))
        for _ in range(50):
            state, _ = step(state, draws.next())
        after.append((state.theta_g, state.theta_d))
    assert relative_error(*after) > 1e-3


class Restated(gan.Game):
    """Says the same as its parent in other words, and says so."""

    def inner(self, theta_g, theta_d, batch):
        return self.inner_on(self.generate(theta_g, batch), theta_d, batch)

    @states("inner", "outer", "generate", "inner_on", "outer_on", "_logits")
    def logit_form(self):
        terms = (("log_sigmoid", 1.0), ("log_sigmoid_of_minus", 1.0))
        return ug.unroll.LogitForm(self.generator, self.discriminator, terms, terms)


class Untouched(gan.Game):
    """Overrides nothing."""

    def shown(self):
        return "me"


@pytest.mark.parametrize("kind", [Restated, Untouched])
def test_who_overrides_nothing_or_states_it_anew_keeps_the_fast_path(kind, rng):
    game = kind(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1)))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = gan.Batch(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    problem = Problem(game, *theta, batch, {"steps": 2, "lr": 0.3}, frozenset())
    assert ug.unroll.explain_method(*problem.place, **problem.options) == "fused"
    check(ug.unroll.value_and_grad(*problem.place, **problem.options), plain(problem))


def test_methods_of_certain_names_state_nothing(rng):
    """What looks like a game of samples and of logits, and plays another."""

    class Looks:
        generator, discriminator = nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1))
        inner_terms = outer_terms = (("identity", 1.0), ("identity", -1.0))

        def generate(self, theta_g, batch):
            raise AssertionError

        inner_on = outer_on = generate

        def inner(self, theta_g, theta_d, batch):
            return -squares(theta_d) * squares(theta_g)

        outer = inner

    game = Looks()
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    problem = Problem(game, *theta, None, {"steps": 2, "lr": 0.03}, frozenset())
    check(ug.unroll.value_and_grad(*problem.place, **problem.options), plain(problem))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_numpy_among_the_settings_change_no_dtype(dtype, rng):
    """The kernels took them for Python's; written in NumPy they turned float32 into float64."""
    game = gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 4, 1), input_scale=np.float64(0.3)))
    theta = game.generator.init(rng, dtype), game.discriminator.init(rng, dtype)
    batch = gan.Batch(np.ones((3, 2), dtype), np.ones((3, 2), dtype))
    for method in ("fused", "adjoint"):
        adam = optim.Adam(np.float64(0.1), eps=np.float64(1e-2))
        how = {"steps": 2, "optimizer": adam, "method": method}
        found = ug.unroll.value_and_grad(game, *theta, batch, **how)
        assert {x.dtype for x in optree.tree_leaves(found)} == {np.dtype(dtype)}


def test_settings_that_are_differentiated_are_left_to_the_engine(rng):
    theta, x = nn.MLP((8, 32, 1)).init(rng, np.float64), rng.standard_normal((300, 8))

    def of_scale(scale):
        return np.sum(nn.MLP((8, 32, 1), input_scale=scale)(theta, x))

    def plainly(scale):
        return np.sum(by_hand(theta, scale * x))

    assert ug.grad(of_scale)(0.3) == pytest.approx(ug.grad(plainly)(0.3), rel=1e-12)
