"""Gradients of random and of solved games get their verdict; what is no gradient is refused."""

import os

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.check.audit.problems import audit, classified, random_problem
from tests.check.audit.traps import NUMPY, TRAPS, Code, exact, expected, other_loss, stale
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SOLVED = (
    ug.unroll.games.bilinear(np.array([[1.0, 0.5], [-0.3, 0.8]])),
    ug.unroll.games.quadratic(),
    ug.unroll.games.quadratic(target=[1.0, -1.0]),
)


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


def test_fresh_batches_and_step_sizes():
    rng = np.random.default_rng(1)
    p = random_problem(rng, 3)
    batches = [optree.tree_map(lambda x: x + rng.standard_normal(x.shape), p.batch) for _ in "0123"]
    how = {"steps": 3, "lr": [0.1, 0.2, 0.3]}
    place = (p.game, p.theta_g, p.theta_d, batches)
    for method, verdict in (("tape", "exact"), ("detached", "detached")):
        _, g = ug.unroll.value_and_grad(*place, **how, method=method)
        assert ug.check.audit(g, *place, **how).verdict == verdict


def test_a_vector_may_follow_either_order():
    p, _ = classified(2)
    gradient = exact(Code(NUMPY, p))
    as_jax = np.concatenate([x.ravel() for x in optree.tree_leaves(gradient)])
    as_torch = np.concatenate([layer[key].ravel() for layer in gradient for key in ("w", "b")])
    assert not np.array_equal(as_jax, as_torch)
    assert [audit(vector, p).verdict for vector in (as_jax, as_torch)] == ["exact", "exact"]
    assert audit([layer[key] for layer in gradient for key in ("w", "b")], p).verdict == "exact"


def torch_layout(gradient):
    """As torch.nn.Linear holds it: each matrix transposed."""
    return [{"w": layer["w"].T, "b": layer["b"]} for layer in gradient]


LAYOUTS = {
    "structure": torch_layout,
    "tensors": lambda g: [layer[key] for layer in torch_layout(g) for key in ("w", "b")],
    "parameters_to_vector": lambda g: np.concatenate(
        [layer[key].ravel() for layer in torch_layout(g) for key in ("w", "b")]
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_every_trap_with_transposed_weights(trap, layout):
    p, _ = classified(2)
    found = audit(LAYOUTS[layout](trap(Code(NUMPY, p))), p)
    verdict = expected(trap, 2)
    assert found.verdict == ("transposed" if verdict == "exact" else verdict), found
    assert found.transposed or verdict == "zero"
    assert not found.ok
    if verdict not in ("exact", "zero"):
        assert "every matrix transposed" in found.summary


def test_square_weights_transposed_and_a_loss_halved():
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((4, 4, 4)), ug.nn.MLP((4, 3, 1)))
    theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(rng.standard_normal((8, 4)), rng.standard_normal((8, 4)))
    place = (game, theta_g, theta_d, batch)
    for lr, verdict in ((0.4, "transposed"), (0.2, "wrong_step_size")):
        _, g = ug.unroll.value_and_grad(*place, steps=3, lr=lr)
        found = ug.check.audit(torch_layout(g), *place, steps=3, lr=0.4)
        assert (found.verdict, found.transposed, found.ok) == (verdict, True, False), found
        assert ug.check.audit(g, *place, steps=3, lr=lr).ok


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
