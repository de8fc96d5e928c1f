"""The compiled recursion: which games it takes, that it follows them, and that it is the same."""

import gc
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.check.strategies import problems
from tinygrad_ugan.errors import NotCompilableError
from tinygrad_ugan.unroll import compiled
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.problem import make_problem

SGD, MOMENTUM, ADAM = optim.SGD(0.1), optim.Momentum(0.1, 0.5), optim.Adam(0.05, 0.5, 0.9, eps=1e-2)
# Scheduled and chained ones are found by what they are made of; their counts are no constants.
OPTIMIZERS = (
    SGD, MOMENTUM, ADAM, optim.Nesterov(0.1, 0.5), optim.RMSprop(0.05, 0.9, eps=1e-2),
    optim.AdamW(optim.WarmupSchedule(3, optim.LinearSchedule(0.1, 0.0, 4)), 0.5, 0.9, eps=1e-2),
    optim.chain(optim.clip_by_norm(0.1), optim.SGD(optim.CosineSchedule(0.5, 8))),
)  # fmt: skip


def gradient(*problem, method="auto", steps=3, **how):
    how = how if "optimizer" in how else {"lr": 0.1} | how
    return ug.unroll.value_and_grad(*problem, method=method, steps=steps, **how)


def explained(*problem, steps=3, **how):
    how = how if "optimizer" in how else {"lr": 0.1} | how
    return ug.unroll.explain_method(*problem, steps=steps, **how)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in optree.tree_leaves(tree)]


@settings(max_examples=25)
@given(problems(optimizers=OPTIMIZERS), st.data())
def test_it_agrees_with_adjoint(problem, data):
    *place, how = problem
    how |= {"truncate": data.draw(st.integers(0, problem.steps))}
    found = ug.unroll.value_and_grad(*place, **how, method="compiled")
    expected = ug.unroll.value_and_grad(*place, **how, method="adjoint")
    assert relative_error(found, expected) < 1e-12
    bounded = ug.unroll.value_and_grad(*place, **how, method="compiled", snapshots=2)
    assert bits(bounded) == bits(found)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_that_is_carried_on_counts_its_steps(optimizer, dtype, rng):
    game, theta_g, theta_d, batch = penalized(rng, dtype)
    state = optimizer.init(theta_d)
    for _ in range(2):
        _, state = optimizer.update(optree.tree_map(np.ones_like, theta_d), state, theta_d)
    how = {"optimizer": optimizer, "state": state}
    assert explained(game, theta_g, theta_d, batch, **how).startswith("compiled: ")
    found, expected = (
        gradient(game, theta_g, theta_d, batch, method=method, **how)
        for method in ("compiled", "adjoint")
    )
    assert relative_error(found, expected) < (1e-12 if dtype == np.float64 else 1e-5)
    assert {x.dtype for x in optree.tree_leaves(found)} == {np.dtype(dtype)}


def penalized(rng, dtype=np.float64, **settings):
    """A problem with all that the kernels do not take: labels, batch normalisation, a penalty."""
    generator = nn.Sequential(nn.MLP((4, 5)), nn.BatchNorm(5), np.tanh, nn.MLP((5, 2)))
    game = gan.Game(generator, nn.MLP((4, 6, 1)), classes=2, **settings)
    game = gan.Penalized(game, gan.penalties.R1(0.1))
    theta = generator.init(rng, dtype), game.discriminator.init(rng, dtype)
    real, noise = (rng.standard_normal((6, 2)).astype(dtype) for _ in range(2))
    return game, *theta, gan.FullBatch(real, noise, rng.integers(2, size=6))


def count_recordings(monkeypatch):
    recorded = []
    record = ug.compile.__globals__["record"]

    def counted(*args):
        recorded.append(args[1])
        return record(*args)

    monkeypatch.setitem(ug.compile.__globals__, "record", counted)
    return recorded


def test_equal_games_share_their_programs_and_a_change_is_followed(rng, monkeypatch):
    game, *place = penalized(rng, loss="hinge")
    gradient(game, *place)
    recorded = count_recordings(monkeypatch)
    again = gradient(penalized(np.random.default_rng(0), loss="hinge")[0], *place, steps=7)
    assert not recorded
    assert relative_error(again, gradient(game, *place, steps=7, method="adjoint")) < 1e-12
    object.__setattr__(game, "penalty", gan.penalties.R1(0.2))
    found, expected = gradient(game, *place), gradient(game, *place, method="adjoint")
    assert recorded
    assert relative_error(found, expected) < 1e-12


@dataclass
class Own:
    """An own game, of one word: its weight may be changed at any time."""

    weight: float

    @ug.compile
    def inner(self, theta_g, theta_d, batch):
        return np.mean(np.tanh(batch["x"] * theta_g * theta_d)) - self.weight * np.sum(theta_d**2)

    outer = inner


PLACE = np.array([0.5, 1.0]), np.array([1.0, -1.0]), {"x": np.arange(6.0).reshape(3, 2)}


def test_an_own_game_is_compiled_and_its_attributes_are_followed():
    game = Own(0.5)
    assert explained(game, *PLACE).startswith("compiled: ")
    for weight in (0.5, 2.0, 0.5, 3.0):
        game.weight = weight
        by_hand = ug.unroll.Game(Own.inner.__wrapped__.__get__(game))
        expected = gradient(by_hand, *PLACE, method="adjoint")
        for method in ("auto", "adjoint", "tape"):  # the latter two by programs of `inner`
            assert relative_error(gradient(game, *PLACE, method=method), expected) < 1e-13


def test_what_is_closed_over_is_followed_without_a_word():
    weight = np.array([1.0])

    def inner(theta_g, theta_d, batch):
        return np.mean(np.tanh(batch["x"] * theta_g * theta_d)) - weight[0] * np.sum(theta_d**2)

    game = ug.unroll.Game(inner)
    reason = "inner may look at what changes; ug.compile(f) says that f does not"
    assert explained(game, *PLACE).endswith(f"not compiled: {reason}")
    with pytest.raises(NotCompilableError, match="inner may look at what changes"):
        gradient(game, *PLACE, method="compiled")
    first = gradient(game, *PLACE)
    weight[0] = 2.0
    assert relative_error(first, gradient(game, *PLACE)) > 1e-3
    assert bits(gradient(game, *PLACE)) == bits(gradient(game, *PLACE, method="adjoint"))


def branching(theta_g, theta_d, batch):
    factor = 1.0 if np.sum(theta_d) > 0 else 2.0
    return factor * np.sum(theta_g * theta_d) - np.sum(theta_d**2)


def test_a_game_that_cannot_be_recorded_is_left_to_the_tape_and_not_tried_again(monkeypatch):
    game = ug.unroll.Game(ug.compile(branching))
    reason = explained(game, *PLACE)
    assert reason.startswith("adjoint: ")
    assert "branch" in reason
    recorded = count_recordings(monkeypatch)
    with pytest.raises(NotCompilableError, match="branch"):
        gradient(game, *PLACE, method="compiled")
    assert not recorded


def test_a_game_that_needs_arrays_is_left_to_the_tape():
    class Picky:
        @ug.compile
        def __call__(self, theta, x):
            if not isinstance(x, np.ndarray):
                raise TypeError(type(x))
            return x @ theta

    game = gan.Game(Picky(), nn.MLP((2, 1)), "least_squares")
    theta_d = nn.MLP((2, 1)).init(np.random.default_rng(0), float)
    batch = gan.Batch(np.ones((3, 2)), np.ones((3, 2)))
    assert "not compiled: " in explained(game, np.eye(2), theta_d, batch)
    with pytest.raises(TypeError):  # `adjoint` runs into the program of `generate`
        gradient(game, np.eye(2), theta_d, batch)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"x": PLACE[2]["x"], "n": 3}, "batch holds a int"),
        ({"x": PLACE[2]["x"], "n": object()}, "batch holds a object"),
    ],
)
def test_leaves_that_may_differ_from_call_to_call_are_left_to_the_tape(batch, words):
    assert words in explained(Own(1.0), *PLACE[:2], batch)


def test_derivatives_of_the_gradient_are_those_of_adjoint(rng):
    game, theta_g, theta_d, batch = penalized(rng)

    def value(lr, theta_d, method):
        return gradient(game, theta_g, theta_d, batch, lr=lr, method=method)[0]

    found, expected = (
        ug.grad(value, argnums=(0, 1))(0.1, theta_d, method) for method in ("auto", "adjoint")
    )
    assert relative_error(found, expected) < 1e-12


@pytest.mark.kernels
def test_within_a_compiled_function_it_is_part_of_its_program(rng):
    game, theta_g, theta_d, batch = penalized(rng)

    def value(theta_g, batch):
        return gradient(game, theta_g, theta_d, batch)

    assert relative_error(ug.compile(value)(theta_g, batch), value(theta_g, batch)) < 1e-12


def test_scalars_and_numbers_of_python():
    game = ug.unroll.Game(ug.compile(lambda x, y, batch: x * y**2 + batch["shift"] * y))
    for x, y, shift in ((2.0, 3.0, 0.5), (np.float64(2), 3.0, np.float64(0.5)), (1.0, 2.0, 1.5)):
        place = x, y, {"shift": shift}
        found, expected = (gradient(game, *place, method=each) for each in ("compiled", "adjoint"))
        assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.kernels
def test_fresh_batches_detached_and_the_ascent(rng):
    game, theta_g, theta_d, batch = penalized(rng)
    batches = [batch, *(batch._replace(noise=rng.standard_normal((6, 2))) for _ in range(3))]
    for method in ("auto", "detached"):
        found = gradient(game, theta_g, theta_d, batches, method=method)
        oracle = {"method": "adjoint", "truncate": 0 if method == "detached" else 3}
        assert relative_error(found, gradient(game, theta_g, theta_d, batches, **oracle)) < 1e-12
    up = ug.value_and_grad(game.inner, argnums=1)(theta_g, theta_d, batch)
    assert relative_error(ug.unroll.ascent(game, theta_g, theta_d, batch), up) < 1e-12


def test_labels_are_checked_in_every_run(rng):
    game, theta_g, theta_d, batch = penalized(rng)
    gradient(game, theta_g, theta_d, batch)
    wrong = batch._replace(labels=batch.labels + 2)
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        gradient(game, theta_g, theta_d, wrong)


def test_threads_share_programs(rng):
    game, theta_g, theta_d, batch = penalized(rng)
    expected = bits(gradient(game, theta_g, theta_d, batch))
    found = []

    def run():
        found.extend(bits(gradient(game, theta_g, theta_d, batch)) for _ in range(20))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80


def test_programs_hold_on_to_no_arrays_that_they_were_called_with(rng):
    game, theta_g, theta_d, _ = penalized(rng)
    big = gan.FullBatch(np.ones((11, 2)), np.ones((11, 2)), np.zeros(11, int))
    gradient(game, theta_g, theta_d, big)
    seen = [x for x in gc.get_objects() if type(x) is gan.FullBatch and x is not big]
    assert not any(x.real is big.real for x in seen)


def test_memory_of_programs_is_bounded(rng, monkeypatch):
    monkeypatch.setattr(compiled, "_programs", type(compiled._programs)(2**20, 2**12))
    game, theta_g, theta_d, _ = penalized(rng)
    for n in range(2, 20):
        batch = gan.FullBatch(np.ones((n, 2)), np.ones((n, 2)), np.zeros(n, int))
        gradient(game, theta_g, theta_d, batch)
    assert sum(entry.nbytes for entry in compiled._programs.values()) <= 2**20


def test_a_problem_as_of_programs_is_the_same_problem(rng):
    game, *place = penalized(rng)
    problem: Any = make_problem(game, *place, steps=2, lr=0.1)
    assert relative_error(compiled.compiled(problem), adjoint(problem)) < 1e-12


class Squared(gan.Game):
    """A subclass that changes one method, with the word."""

    @ug.compile
    def inner_on(self, samples, theta_d, batch):
        return super().inner_on(samples, theta_d, batch) - np.mean(samples**2) ** 2


class Network:
    """An own network, with the word."""

    def init(self, rng, dtype):
        return rng.standard_normal((2, 1)).astype(dtype)

    @ug.compile
    def __call__(self, theta, x):
        return np.tanh(x) @ theta


def test_subclasses_and_networks_of_ones_own_take_one_word(rng):
    game = gan.Penalized(Squared(nn.MLP((2, 3, 2)), Network(), "hinge"), gan.penalties.R1(0.1))
    theta = game.generator.init(rng, float), game.discriminator.init(rng, float)
    batch = gan.Batch(rng.standard_normal((6, 2)), rng.standard_normal((6, 2)))
    assert explained(game, *theta, batch).startswith("compiled: ")
    found, expected = (
        gradient(game, *theta, batch, method=method) for method in ("auto", "adjoint")
    )
    assert relative_error(found, expected) < 1e-12


class Averaged:
    """An own optimiser, with the word; its count is an int."""

    def init(self, params):
        return {"count": 0, "mean": optree.tree_map(np.zeros_like, params)}

    @ug.compile
    def update(self, grads, state, params):
        mean = optree.tree_map(lambda m, g: 0.5 * m + np.tanh(g), state["mean"], grads)
        rate = 0.2 / (1 + state["count"])
        updates = optree.tree_map(lambda m: -rate * m, mean)
        return updates, {"count": state["count"] + 1, "mean": mean}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimisers_of_ones_own_take_one_word(dtype, rng, monkeypatch):
    problem, how = penalized(rng, dtype), {"optimizer": Averaged()}
    assert explained(*problem, **how).startswith("compiled: ")
    found = gradient(*problem, **how)
    assert relative_error(found, gradient(*problem, **how, method="tape")) < (
        1e-12 if dtype == np.float64 else 1e-5
    )
    recorded = count_recordings(monkeypatch)
    gradient(*problem, **how, steps=9)
    assert not recorded


def test_random_numbers_in_an_objective_are_refused_as_by_compile():
    rng = np.random.default_rng(0)

    @ug.compile
    def noisy(theta_g, theta_d, batch):
        return np.sum(theta_g * theta_d) + np.sum(theta_d * rng.standard_normal(2))

    assert "random numbers" in explained(ug.unroll.Game(noisy), *PLACE)
    with pytest.raises(NotCompilableError, match="random numbers"):
        gradient(ug.unroll.Game(noisy), *PLACE)
