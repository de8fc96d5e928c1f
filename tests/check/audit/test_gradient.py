"""Every known trap gets its verdict, and right gradients are called exact."""

import functools
import os

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.check.audit.problems import random_problem
from tests.check.audit.traps import NUMPY, TRAPS, Code, exact, expected, other_loss, stale
from tinygrad_ugan.check.audit import candidates, mistakes
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.foreign_arrays import readings
from tinygrad_ugan.check.audit.gradient import convert
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SOLVED = (
    ug.unroll.games.bilinear(np.array([[1.0, 0.5], [-0.3, 0.8]])),
    ug.unroll.games.quadratic(),
    ug.unroll.games.quadratic(target=[1.0, -1.0]),
)


def audit(gradient, p, **options):
    how = {"steps": p.steps, "lr": p.lr} | options
    return ug.check.audit(gradient, p.game, p.theta_g, p.theta_d, p.batch, **how)


@functools.cache
def classified(steps):
    """A problem and its classifier: one for all traps."""
    p = random_problem(np.random.default_rng(steps), steps, "nonsaturating", lr=0.4)
    problem = convert(p.game, p.theta_g, p.theta_d, p.batch, steps=steps, lr=p.lr)
    return p, Classifier.of(problem, np.dtype(np.float64))


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_traps(trap, steps):
    p, classifier = classified(steps)
    (vector,) = readings("gradient", trap(Code(NUMPY, p)), p.theta_g)
    found = classifier(vector)
    assert found.verdict == expected(trap, steps), found
    assert found.ok == (found.verdict == "exact")


@pytest.mark.parametrize("seed", range(200 if DEEP else 5))
def test_random_games(seed):
    rng = np.random.default_rng(seed)
    steps, loss = int(rng.choice([1, 2, 5, 10] if DEEP else [1, 2, 3])), rng.choice(LOSSES)
    p = random_problem(rng, steps, str(loss))
    traps = [t for t in TRAPS if t is not other_loss or loss in ("minimax", "nonsaturating")]
    trap = traps[rng.integers(len(traps))]
    code = Code(NUMPY, p)
    for each in (exact, trap):
        found = audit(each(code), p)
        verdicts = {found.verdict, *(name.partition(" ")[0] for name in found.also)}
        assert expected(each, steps) in verdicts, found


LOSSES = ("minimax", "nonsaturating", "least_squares")


@pytest.mark.parametrize("solved", SOLVED)
@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_solved_games(solved, steps):
    by_hand = solved.solve(solved.theta_g, solved.theta_d, steps, 0.2)
    place = (solved.game, solved.theta_g, solved.theta_d, solved.batch)
    for gradient, verdict in ((by_hand.gradient, "exact"), (by_hand.direct, "detached")):
        assert ug.check.audit(gradient, *place, steps=steps, lr=0.2).verdict == verdict


def test_sign_and_scale_come_on_top_of_other_mistakes():
    _, classifier = classified(5)
    vector = classifier.candidates[0].vector
    for factor, verdict in ((2.0, "wrong_scale"), (-1.0, "wrong_sign"), (-3.0, "wrong_sign")):
        found = classifier(factor * vector)
        assert (found.verdict, found.scale) == (verdict, pytest.approx(factor))
    direct = next(c.vector for c in classifier.candidates if c.verdict == "detached")
    found = classifier(-0.5 * direct)
    assert (found.verdict, found.scale) == ("detached", pytest.approx(-0.5))
    assert "times -0.5" in found.summary


def test_truncation_is_told():
    p, classifier = classified(5)
    for m in (1, 4):
        how = {"steps": 5, "lr": p.lr, "truncate": m, "method": "tape"}
        _, g = ug.unroll.value_and_grad(p.game, p.theta_g, p.theta_d, p.batch, **how)
        found = classifier(readings("gradient", g, p.theta_g)[0])
        assert (found.verdict, found.truncate) == ("truncated", m)
        assert found.detail == f"the last {m} of 5 steps"


def test_unknown_names_the_nearest_and_the_leaves():
    p, classifier = classified(5)
    gradient = exact(Code(NUMPY, p))
    gradient[0]["w"] = gradient[0]["w"] * 1.01
    found = classifier(readings("gradient", gradient, p.theta_g)[0])
    assert found.verdict == "unknown"
    assert found.nearest.verdict == "exact"
    assert 1e-4 < found.nearest.relative_error < 1e-2
    assert "wrong in theta_g[0]['w']" in found.notes[-1]
    assert "nearest: exact" in str(found)


def test_float32_is_judged_as_such():
    p = random_problem(np.random.default_rng(3), 5)
    single = optree.tree_map(np.float32, (p.theta_g, p.theta_d, p.batch))
    in_single = p._replace(**dict(zip(("theta_g", "theta_d", "batch"), single, strict=True)))
    gradient = exact(Code(NUMPY, in_single))
    assert gradient[0]["w"].dtype == np.float32
    found = audit(gradient, p)
    assert (found.verdict, found.dtype) == ("exact", "float32")
    assert found.relative_error < 0.1 * found.tolerance
    as_double = audit(optree.tree_map(np.float64, gradient), p)
    assert as_double.verdict == "unknown"
    assert any("float32" in note for note in as_double.notes)


def test_what_cannot_be_told_apart_is_said():
    p, _ = classified(1)
    found = audit(exact(Code(NUMPY, p)), p)
    assert {"stale", "no_curvature"} <= set(found.also)
    assert "cannot tell it from" in found.notes[0]
    tiny = p._replace(lr=1e-13)
    found = audit(exact(Code(NUMPY, tiny)), tiny)
    assert (found.verdict, "detached" in found.also) == ("exact", True)
    assert any("too small to be seen" in note for note in found.notes)


def test_one_parameter_shows_no_factors():
    game = ug.unroll.Game(lambda x, y, batch: np.sin(x) * y - y**2 / 2)
    found = ug.check.audit(123.0, game, 0.7, 0.5, None, steps=3, lr=0.2)
    assert found.verdict == "unknown"
    assert any("more parameters" in note for note in found.notes)
    value = ug.unroll.value_and_grad(game, 0.7, 0.5, None, steps=3, lr=0.2)[1]
    assert ug.check.audit(-value, game, 0.7, 0.5, None, steps=3, lr=0.2).verdict == "wrong_sign"


def test_a_sum_in_place_of_a_mean_is_guessed():
    p, classifier = classified(2)
    found = classifier(len(p.batch.noise) * classifier.exact)
    assert found.verdict == "wrong_scale"
    assert any("a sum in place of the mean" in note for note in found.notes)


def test_fresh_batches_and_step_sizes():
    rng = np.random.default_rng(1)
    p = random_problem(rng, 3)
    batches = [optree.tree_map(lambda x: x + rng.standard_normal(x.shape), p.batch) for _ in "0123"]
    how = {"steps": 3, "lr": [0.1, 0.2, 0.3]}
    place = (p.game, p.theta_g, p.theta_d, batches)
    for method, verdict in (("tape", "exact"), ("detached", "detached")):
        _, g = ug.unroll.value_and_grad(*place, **how, method=method)
        assert ug.check.audit(g, *place, **how).verdict == verdict


ADAM = ug.optim.Adam(0.05, 0.5, 0.9)


@pytest.mark.parametrize("optimizer", [ug.optim.SGD(0.3), ug.optim.Momentum(0.2), ADAM])
def test_optimizers(optimizer):
    p = random_problem(np.random.default_rng(2), 3)
    place, how = (
        (p.game, p.theta_g, p.theta_d, p.batch),
        {"steps": 3, "lr": None, "optimizer": optimizer},
    )
    classifier = Classifier.of(convert(*place, **how), np.dtype(np.float64))
    for method, verdict in (("tape", "exact"), ("detached", "detached")):
        _, g = ug.unroll.value_and_grad(*place, **how, method=method)
        assert classifier(readings("gradient", g, p.theta_g)[0]).verdict == verdict
    code, memory = Code(NUMPY, p), None
    for verdict in ("exact", "exact" if optimizer == ug.optim.SGD(0.3) else "state_not_restored"):
        g, memory = through_optimizer(code, optimizer, memory)
        assert classifier(readings("gradient", g, p.theta_g)[0]).verdict == verdict


def through_optimizer(code, optimizer, memory, reuse=False):
    """The steps by an optimiser that may remember an earlier call."""
    last = []

    def loss(g):
        theta, state = code.theta_d, memory or optimizer.init(code.theta_d)
        ascent = code.ascent(g, theta)
        for _ in range(code.K):
            ascent = ascent if reuse else code.ascent(g, theta)
            down = optree.tree_map(np.negative, ascent)
            updates, state = optimizer.update(down, state, theta)
            theta = ug.optim.apply_updates(theta, updates)
        last.append(optree.tree_map(lambda x: getattr(x, "value", x), state))
        return code.outer(g, theta)

    return code.gradient(loss), last[0]


@pytest.mark.parametrize("optimizer", [ug.optim.SGD(0.3), ug.optim.Momentum(0.2), ADAM])
def test_stale_gradients_in_an_optimizer(optimizer):
    p = random_problem(np.random.default_rng(2), 3)
    g, _ = through_optimizer(Code(NUMPY, p), optimizer, None, reuse=True)
    assert audit(g, p, lr=None, optimizer=optimizer).verdict == "stale"


def test_adam_of_pytorch_is_exact_too():
    p = random_problem(np.random.default_rng(2), 3)
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    problem = convert(*place, steps=3, lr=None, optimizer=ADAM)
    theirs = candidates.gradient(mistakes.with_adam_of_pytorch(problem))
    found = audit(theirs, p, lr=None, optimizer=ADAM)
    assert found.verdict == "exact"
    assert found.relative_error > 0


def test_a_vector_may_follow_either_order():
    p, _ = classified(2)
    gradient = exact(Code(NUMPY, p))
    as_jax = np.concatenate([x.ravel() for x in optree.tree_leaves(gradient)])
    as_torch = np.concatenate([layer[key].ravel() for layer in gradient for key in ("w", "b")])
    assert not np.array_equal(as_jax, as_torch)
    assert [audit(vector, p).verdict for vector in (as_jax, as_torch)] == ["exact", "exact"]
    assert audit([layer[key] for layer in gradient for key in ("w", "b")], p).verdict == "exact"


def test_str_is_a_table_that_a_reader_understands():
    _, classifier = classified(5)
    shown = str(
        classifier(next(c.vector for c in classifier.candidates if c.verdict == "detached"))
    )
    assert shown.startswith("detached: the direct term alone")
    assert "relative error" in shown
    assert " exact " in shown
    assert max(map(len, shown.splitlines())) <= 120


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda g: g[:1], ArgumentError, "gradient.*structure of theta_g.*theta_g.0..'b'"),
        (lambda g: [g[0], {**g[1], "w": g[1]["w"].T}], ArgumentError, r"hand in \.T"),
        (lambda g: [g[0], {**g[1], "b": np.ones(7)}], ArgumentError, r"gradient\[1\]\['b'\].*\(7,"),
        (lambda g: np.ones(3), ArgumentError, "gradient.*vector of 3"),
        (lambda g: [g[0], {**g[1], "b": g[1]["b"] * np.nan}], NonFiniteError, "gradient"),
        (lambda g: [g[0], {**g[1], "b": "x"}], ArgumentTypeError, r"gradient\[1\]\['b'\]"),
        (lambda g: [g[0], {**g[1], "b": g[1]["b"] * 1j}], ArgumentTypeError, "complex"),
    ],
)
def test_what_is_no_gradient_is_refused(change, error, words):
    p = random_problem(np.random.default_rng(4), 2)
    p = p._replace(game=ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1))))
    rng = np.random.default_rng(0)
    theta_g, theta_d = (n.init(rng, np.float64) for n in (p.game.generator, p.game.discriminator))
    batch = ug.gan.Batch(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(error, match=words):
        ug.check.audit(change(theta_g), p.game, theta_g, theta_d, batch, steps=2, lr=0.1)


def test_a_stale_gradient_is_not_seen_in_a_bilinear_game():
    example = SOLVED[0]
    by_hand = example.solve(example.theta_g, example.theta_d, 4, 0.2)
    place = (example.game, example.theta_g, example.theta_d, None)
    found = ug.check.audit(by_hand.gradient, *place, steps=4, lr=0.2)
    assert found.verdict == "exact"
    assert stale.__name__ in found.also
