"""The fused method against the adjoint recursion, and what it does with what it cannot take."""

import dataclasses
import itertools
import os
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tinygrad_ugan.check import strategies
from tinygrad_ugan.errors import ArgumentError, NonFiniteError
from tinygrad_ugan.kernels import ascent_program, jit_cache, sweep_program, target, threads
from tinygrad_ugan.optim import SGD, Adam, Momentum
from tinygrad_ugan.unroll import fused
from tinygrad_ugan.unroll.problem import make_problem

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
WIDEST, MOST_ROWS, MOST_STEPS = (300, 700, 12) if DEEP else (40, 70, 5)


EPSILON = float(np.finfo(np.float32).eps)

# Adam with its usual eps multiplies the rounding of a gradient that should vanish by lr / eps.
OPTIMIZERS = (SGD(0.02), Momentum(0.02, 0.7), Adam(0.01, eps=1e-2))


class Problem(NamedTuple):
    """The arguments of `unroll.value_and_grad`."""

    game: ug.gan.Game
    theta_g: list
    theta_d: list
    batch: object
    options: dict

    def __repr__(self):
        rows = [len(x) for x in optree.tree_leaves(self.batch)]
        return f"{self.game}, rows {rows}, {self.options}"

    def value_and_grad(self, method, **changes):
        return ug.unroll.value_and_grad(*self[:4], **self.options, method=method, **changes)

    def nudged(self, seed):
        """The same at parameters that differ by an epsilon of float32."""
        rng = np.random.default_rng(seed)

        def nudge(x):
            return x * (1 + EPSILON * rng.choice([-1, 1], x.shape))

        return self._replace(
            theta_g=optree.tree_map(nudge, self.theta_g),
            theta_d=optree.tree_map(nudge, self.theta_d),
        )

    def astype(self, dtype):
        arrays = optree.tree_map(lambda x: x.astype(dtype), self[1:4])
        return Problem(self.game, *arrays, self.options)


def problems(optimizers=OPTIMIZERS):
    """Depth 1-4, any activation and loss, one or fresh batches, any optimiser, one or many rows."""
    drawn = strategies.problems(
        max_steps=MOST_STEPS,
        max_rows=MOST_ROWS,
        max_width=WIDEST,
        max_layers=4,
        activations=sorted(ug.nn.ACTIVATIONS),
        losses=sorted(ug.gan.LOSSES),
        lr=0.02,
        optimizers=optimizers,
    )
    return drawn.map(lambda problem: Problem(*problem))


def distance(got, expected):
    """The largest difference, as a share of the largest element."""
    pairs = list(zip(optree.tree_leaves(got), optree.tree_leaves(expected), strict=True))
    scale = max((np.abs(y).max() for _, y in pairs if np.size(y)), default=0.0)
    return max((np.abs(x - y).max() for x, y in pairs if np.size(y)), default=0.0) / (scale or 1.0)


# Sums of up to 700 products in another order: some hundred epsilons of 2.2e-16.
@given(problem=problems(), data=st.data())
def test_float64_is_the_adjoint_recursion(problem, data):
    steps = problem.options["steps"]
    truncate = {"truncate": data.draw(st.none() | st.integers(0, steps))}
    snapshots = {"snapshots": data.draw(st.none() | st.integers(1, 4))}
    value, gradient = problem.value_and_grad("fused", **truncate, **snapshots)
    expected_value, expected = problem.value_and_grad("adjoint", **truncate)
    assert value == pytest.approx(expected_value, rel=1e-12, abs=1e-13)
    assert distance(gradient, expected) < 1e-12


# 170 epsilons of 1.2e-7 are 2e-5; or, where the game is badly conditioned, 170 times what a change
# of the parameters by an epsilon changes. The gradient is judged alone as well: it may be so small
# that beside the value its errors do not show.
@given(problem=problems(optimizers=()))
def test_float32_is_float64_to_rounding(problem):
    single = problem.astype(np.float32)
    found = single.value_and_grad("fused")
    assert {leaf.dtype for leaf in optree.tree_leaves(found)} == {np.dtype(np.float32)}
    exact = single.astype(np.float64)
    expected = exact.value_and_grad("adjoint")
    nudged = [exact.nudged(seed).value_and_grad("adjoint") for seed in range(3)]
    for part in (slice(None), slice(1, None)):
        changes = [distance(other[part], expected[part]) for other in nudged]
        assert distance(found[part], expected[part]) < 170 * max(EPSILON, *changes)


@given(problem=problems(optimizers=()))
def test_parts_are_those_of_the_adjoint_recursion(problem):
    found = ug.unroll.decompose(*problem[:4], **problem.options)
    game = ug.unroll.Game(problem.game.inner, problem.game.outer)  # which the kernels do not take
    expected = ug.unroll.decompose(game, *problem[1:4], **problem.options)
    structures = (optree.tree_structure(vars(terms)) for terms in (found, expected))
    assert len(set(structures)) == 1
    sizes = expected.adjoint_norms[1:] * _steps_taken(expected, problem.options["lr"])
    assert np.all(np.abs(found.grad_lr - expected.grad_lr) <= 1e-11 * sizes)  # <lambda, g>
    for field in dataclasses.fields(found):
        got, known = getattr(found, field.name), getattr(expected, field.name)
        assert field.name == "grad_lr" or distance(got, known) < 1e-11, field.name


def _steps_taken(terms, lr):
    """||g_k||."""
    leaves = map(optree.tree_leaves, terms.trajectory)
    points = [np.concatenate([np.ravel(x) for x in line]) for line in leaves]
    steps = np.array([np.linalg.norm(b - a) for a, b in itertools.pairwise(points)])
    return steps / lr


GAME = ug.gan.Game(ug.nn.MLP((3, 5, 2)), ug.nn.MLP((2, 7, 1)))


@pytest.fixture
def small(rng):
    batch = ug.gan.Batch(rng.standard_normal((9, 2)), rng.standard_normal((6, 3)))
    theta = (n.init(rng, np.float64) for n in (GAME.generator, GAME.discriminator))
    return Problem(GAME, *theta, batch, {"steps": 3, "lr": 0.1})


def test_adam_is_corrected_as_by_the_optimizer():
    """An ulp of beta2^k in the kernels alone moved this gradient by 1.2e-12; rounding by 7e-14."""
    rng = np.random.default_rng(24)
    game = ug.gan.Game(
        ug.nn.MLP((5, 14), "elu"), ug.nn.MLP((14, 169, 172, 172, 1)), "least_squares"
    )
    theta = []
    for network in (game.generator, game.discriminator):
        layers = network.init(rng, np.float64)
        theta.append([x | {"b": 0.3 * rng.standard_normal(x["b"].shape)} for x in layers])
    batch = ug.gan.Batch(rng.standard_normal((2, 14)), rng.standard_normal((1, 5)))
    problem = Problem(game, *theta, batch, {"steps": 7, "optimizer": Adam(0.01, eps=1e-2)})
    (_, got), (_, expected) = (problem.value_and_grad(method) for method in ("fused", "adjoint"))
    assert distance(got, expected) < 3e-13


def test_snapshots_give_the_same_bits(small):
    expected = small.value_and_grad("fused")
    for snapshots in (1, 2, 3):
        assert distance(small.value_and_grad("fused", snapshots=snapshots), expected) == 0


def test_programs_are_built_once(small, monkeypatch):
    built = []

    def spied(program):
        return lambda *arguments: built.append(program) or program(*arguments)

    for module, name in ((sweep_program, "SweepProgram"), (ascent_program, "AscentProgram")):
        monkeypatch.setattr(module, name, spied(getattr(module, name)))
    fused.program_pool.cache_clear()
    calls = (
        lambda: small.value_and_grad("fused"),
        lambda: ug.unroll.decompose(*small[:4], **small.options),
        lambda: ug.unroll.ascent(*small[:4]),
    )
    for call in (*calls, *calls):
        call()
    assert len(built) == len(calls)


def size_of_program(problem):
    sweep, dtype = fused.lower(problem), problem.batches[0].real.dtype
    return sweep_program.SweepProgram(sweep, target.host_target(), dtype).nbytes


def test_activations_are_kept_up_to_a_limit(monkeypatch, rng):
    def nbytes(steps):
        problem = make_problem(game, *theta, batch, steps=steps, lr=0.1)
        return size_of_program(problem), fused.kept_bytes(problem)

    game = ug.gan.Game(ug.nn.MLP((3, 5, 40)), ug.nn.MLP((40, 16, 32, 24, 1)))
    theta = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    theta, batch = tuple(theta), ug.gan.Batch(np.ones((300, 40)), np.ones((200, 3)))
    steps = 10
    most, kept = nbytes(steps)
    monkeypatch.setattr(fused, "MOST_KEPT", kept)
    assert nbytes(steps) == (most, kept)
    monkeypatch.setattr(fused, "MOST_KEPT", kept - 1)
    least, _ = nbytes(steps)  # the activations of one state instead of steps + 1
    assert most - least == pytest.approx(kept * steps / (steps + 1), rel=0.05)


def test_snapshots_take_less_memory(small, rng):
    """Of a discriminator that is larger than the tables of a program that takes steps again."""

    def nbytes(**options):
        long = game, small.theta_g, theta_d, small.batch
        return size_of_program(make_problem(*long, steps=100, lr=0.1, **options))

    game = ug.gan.Game(GAME.generator, ug.nn.MLP((2, 128, 128, 1)))
    theta_d = game.discriminator.init(rng, np.float64)
    assert nbytes(snapshots=1) < nbytes(snapshots=20) < nbytes(snapshots=100) < nbytes()


def test_read_only_and_strided_arrays_are_taken(small):
    def strided(x):
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
        wide[..., ::2] = x
        wide.flags.writeable = False
        return wide[..., ::2]

    changed = Problem(GAME, *optree.tree_map(strided, small[1:4]), small.options)
    assert distance(changed.value_and_grad("fused"), small.value_and_grad("fused")) == 0


def test_one_array_may_serve_twice(small):
    shared = small.batch.noise[:, :2]
    batch = ug.gan.Batch(real=shared, noise=small.batch.noise)
    problem = small._replace(batch=batch)
    got, expected = (problem.value_and_grad(method) for method in ("fused", "adjoint"))
    assert distance(got, expected) < 1e-12


def test_nothing_is_changed(small):
    before = [leaf.copy() for leaf in optree.tree_leaves(small[1:4])]
    small.value_and_grad("fused")
    after = optree.tree_leaves(small[1:4])
    assert all((x == y).all() for x, y in zip(before, after, strict=True))


def _mixed(problem):
    return problem._replace(theta_g=optree.tree_map(np.float32, problem.theta_g))


def _of_different_sizes(problem):
    real, noise = problem.batch
    batches = [ug.gan.Batch(real[:n], noise) for n in (9, 9, 9, 4)]
    return problem._replace(batch=batches)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p._replace(game=ug.unroll.Game(GAME.inner)), "not one of logits"),
        (
            lambda p: p._replace(game=ug.gan.Game(GAME.generator.__call__, GAME.discriminator)),
            "the generator is not a ug.nn.MLP",
        ),
        (_mixed, "not all of one dtype"),
        (lambda p: p._replace(theta_d=tuple(p.theta_d)), "theta_d is not a list"),
        (lambda p: p.astype(np.float16), "dtype float16"),
        (_of_different_sizes, "not all of one size"),
    ],
)
def test_what_it_cannot_take_is_explained_and_left_to_adjoint(small, change, reason):
    problem = change(small)
    explained = ug.unroll.explain_method(*problem[:4], **problem.options)
    assert explained.startswith(("adjoint: ", "compiled: "))
    assert reason in explained
    with pytest.raises(ArgumentError, match=f"method: expected .*{reason}"):
        problem.value_and_grad("fused")
    got, expected = (problem.value_and_grad(method) for method in ("auto", "adjoint"))
    assert distance(got, expected) == 0


def test_layers_with_anything_more_than_w_and_b_are_not_taken(small):
    small.theta_d[0]["scale"] = np.ones(7)
    explained = ug.unroll.explain_method(*small[:4], **small.options)
    assert explained.startswith("compiled: theta_d is not a list")


def test_games_of_no_logits_are_explained(small):
    other = ug.unroll.explain_method(ug.unroll.Game(GAME.inner), *small[1:4], **small.options)
    assert "not one of logits" in other


def test_what_it_takes_is_explained_too(small):
    assert ug.unroll.explain_method(*small[:4], **small.options) == "fused"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("lr", [1e100, 1e300])
def test_infinities_are_the_same_errors_as_elsewhere(small, lr):
    networks = ug.nn.MLP((3, 5, 2)), ug.nn.MLP((2, 7, 1), "identity")
    game = ug.gan.Game(*networks, loss="least_squares")
    problem = small._replace(game=game, options={"steps": 4, "lr": lr})
    messages = set()
    for method in ("fused", "adjoint"):
        with pytest.raises(NonFiniteError) as error:
            problem.value_and_grad(method)
        messages.add(str(error.value))
    assert len(messages) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_named(small, bad):
    small.theta_g[0]["w"][1, 2] = bad
    with pytest.raises(NonFiniteError, match="theta_g"):
        small.value_and_grad("fused")


def test_wrong_shapes_are_named(small):
    small.theta_d[0]["w"] = np.zeros((2, 8))
    with pytest.raises(ArgumentError, match="params: expected"):
        small.value_and_grad("auto")


def test_a_batch_without_rows_is_left_to_adjoint(small):
    empty = ug.gan.Batch(np.zeros((0, 2)), np.zeros((0, 3)))
    problem = small._replace(batch=empty)
    assert "two matrices" in ug.unroll.explain_method(*problem[:4], **problem.options)


def test_warmup_needs_a_known_activation():
    with pytest.raises(ArgumentError, match="activation"):
        ug.warmup("tan")


@pytest.fixture
def fresh_threads(monkeypatch):
    pool = threads.ThreadPool(2)
    monkeypatch.setattr(threads._Current, "pool", pool)
    yield
    pool.stop()


@pytest.mark.usefixtures("fresh_threads")
def test_after_a_warmup_nothing_is_left_to_compile(monkeypatch, rng):
    monkeypatch.setattr(jit_cache, "_addresses", {})
    monkeypatch.setattr(jit_cache, "_loaded", {})
    monkeypatch.setattr(jit_cache, "_cached", lambda name, target: None)
    monkeypatch.setattr(jit_cache, "_keep", lambda name, target, code: code)
    ug.warmup("elu")
    monkeypatch.setattr(jit_cache, "compile_module", None)
    sizes = itertools.product((np.float32, np.float64), ((5,), (70, 6, 9)), (1, 2, 3, 4, 16))
    for dtype, hidden, data in sizes:
        networks = [
            ug.nn.MLP((n_in, *hidden, n_out), "elu") for n_in, n_out in ((17, data), (data, 1))
        ]
        noise, real = (rng.standard_normal((70, n)).astype(dtype) for n in (17, data))
        parameters = [network.init(rng, dtype) for network in networks]
        batch = ug.gan.Batch(real, noise)
        ug.unroll.value_and_grad(
            ug.gan.Game(*networks), *parameters, batch, steps=3, lr=0.1, method="fused"
        )
