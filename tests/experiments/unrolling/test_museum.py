"""The exhibits are what their labels say."""

import itertools

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.experiments.unrolling import museum
from tinygrad_ugan.gan import TrainStep, train
from tinygrad_ugan.unroll.problem import make_problem

SMALL = museum.CONFIG.updated(
    {"steps": 3, "batch": 16, "networks": {"noise": 4, "generator": (8,), "discriminator": (8,)}}
)


@pytest.fixture
def place():
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((3, 8, 2)), ug.nn.MLP((2, 8, 1)))
    theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    return game, theta_g, theta_d, ug.gan.Batch(*(rng.standard_normal((32, n)) for n in (2, 3)))


@pytest.mark.parametrize("name", museum.EXHIBITS)
def test_the_auditor_gives_the_verdict_on_the_label(name, place):
    exhibit = museum.EXHIBITS[name]
    how = {"steps": museum.K, "lr": museum.ETA}
    if exhibit.optimizer is not None:
        how |= {"lr": None, "optimizer": exhibit.optimizer}
    problem = make_problem(*place, **how)
    if exhibit.remembers:
        memory = museum.mistakes.last_state(problem).memory
        problem = museum.mistakes.with_memory(problem, memory)
    expected = "exact" if exhibit.keeps else exhibit.verdict
    assert ug.check.audit(exhibit.gradient(problem), *place, **how).verdict == expected


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("exact", {}),
        ("detached", {"unroll": {"method": "detached"}}),
        ("last step only", {"unroll": {"truncate": 1}}),
        ("theta_D^K kept", {"update": {"keep": "last"}}),
        ("Adam unrolled", {"unroll": {"optimizer": "adam", "lr": 1e-3}}),
    ],
)
def test_exhibits_that_training_knows_are_trained_to_the_same_bits(name, changes):
    *_, last = museum.states(museum.EXHIBITS[name], TrainStep(SMALL))
    run = train(SMALL.updated(changes), progress=False)
    found, expected = (optree.tree_leaves((r.theta_g, r.theta_d)) for r in (last, run))
    assert all(np.array_equal(x, y) for x, y in zip(found, expected, strict=True))


def test_no_two_exhibits_are_trained_alike_but_those_that_adam_makes_equal():
    ends = {}
    for name, exhibit in museum.EXHIBITS.items():
        *_, last = museum.states(exhibit, TrainStep(SMALL.updated({"precision": "float64"})))
        ends[name] = ug.tree.ravel(last.theta_g)[0]
    alike = [
        {a, b}
        for a, b in itertools.combinations(ends, 2)
        if np.allclose(ends[a], ends[b], atol=1e-9)
    ]
    assert alike == [{"exact", "sum, not mean"}]


def test_measures_are_taken_at_every_look():
    config = SMALL.updated({"steps": 50, "evaluation_samples": 30})
    found = museum.train(museum.EXHIBITS["nothing arrives"], config)
    assert found["modes"].shape == found["quality"].shape == (1 + 50 // museum.EVERY,)
    assert np.ptp(found["modes"]) == 0  # the generator stays as it was
    assert found["samples"].shape == (30, 2)


def test_growth_is_that_of_the_radius():
    path = 1.1 ** np.arange(4)[:, None] * np.array([[3.0, 4.0]])
    assert museum.growth(path) == pytest.approx(1.1)
