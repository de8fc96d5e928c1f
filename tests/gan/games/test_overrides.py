"""The other games of this room, and whoever overrides their methods, are taken at their word."""

import contextlib

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tests.unroll.test_overrides import GAME, WAYS, Problem, exchanged, plain, some, squares
from tinygrad_ugan import gan, nn

NET = nn.Sequential(nn.MLP((2, 4)), np.tanh, nn.MLP((4, 3)))
ONE = nn.Sequential(nn.MLP((2, 4)), np.tanh, nn.MLP((4, 1)))


def features(theta, x):
    return ONE[:2](theta[:2], x)


def feature_matching(inside):
    return gan.FeatureMatching(inside, features), inside.discriminator


def info_game(inside):
    judges = gan.Judges(inside.discriminator, nn.MLP((2, 4, 2)))
    return gan.InfoGame(inside.generator, judges, 0.3), judges


def semi_supervised(inside):
    return gan.SemiSupervised(inside.generator, NET), NET


def penalised(inside):
    return gan.Penalized(inside, gan.penalties.GradientPenalty(0.5)), inside.discriminator


def noisy(inside):
    return gan.InstanceNoise(inside, 0.2), inside.discriminator


KINDS = (feature_matching, info_game, semi_supervised, penalised, noisy)
WRAPPED = (feature_matching, penalised)  # which play another game by the methods of that one
METHODS = {name: GAME[name] for name in ("inner", "outer", "generate", "outer_on")}
METHODS["inner_on"] = lambda f: lambda self, x, d, b: f(self, x, d, b) - squares(x) * squares(d)
INFORMATION = {"information": lambda f: lambda self, x, d, b: f(self, x, d, b) + np.mean(x)}


def batch_of(game, rng):
    real, noise = rng.standard_normal((5, 2)), rng.standard_normal((5, 3))
    if isinstance(game, gan.SemiSupervised):
        return gan.LabelledBatch(real[:3], np.array([0, 2, 1]), real, noise)
    batch = gan.FullBatch(real, noise)
    return batch._replace(drawn=game.draw(rng, batch)) if hasattr(game, "draw") else batch


def problem_of(inside, build, rng):
    """A game of some kind, its parameters and a batch; the game is still to be changed."""
    game, discriminator = build(inside)
    theta_g, theta_d = nn.MLP((3, 2)).init(rng, float), discriminator.init(rng, float)
    batch = batch_of(game, rng)
    return Problem(game, theta_g, theta_d, batch, {"steps": 2, "lr": 0.03}, frozenset())


def check(problem, method):
    """The loop that anyone would write says the same, but for a thousand roundings."""
    found = ug.unroll.value_and_grad(*problem.place, **problem.options, method=method)
    assert relative_error(found, plain(problem)) < 1e-9


@pytest.mark.parametrize("method", ["auto", "tape", "forward"])
@pytest.mark.parametrize(
    ("build", "name"),
    [(build, name) for build in KINDS for name in METHODS] + [(info_game, "information")],
)
def test_each_override_alone(build, name, method, rng):
    problem = problem_of(gan.Game(nn.MLP((3, 2)), ONE, "nonsaturating"), build, rng)
    changes = {name: (METHODS | INFORMATION)[name]}
    with contextlib.ExitStack() as stack:
        check(problem._replace(game=exchanged(stack, "subclass", problem.game, changes)), method)
    if build in WRAPPED:
        with contextlib.ExitStack() as stack:
            inside = exchanged(stack, "subclass", problem.game.game, changes)
            check(problem_of(inside, build, rng), method)


@pytest.mark.parametrize("build", KINDS)
@given(data=st.data(), method=st.sampled_from(["auto", "tape", "forward"]))
def test_any_overrides_together(build, data, method):
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    methods = METHODS | (INFORMATION if build is info_game else {})
    with contextlib.ExitStack() as stack:
        inside = gan.Game(nn.MLP((3, 2)), ONE, "nonsaturating")
        if build in WRAPPED:
            way = data.draw(st.sampled_from(WAYS), "way within")
            inside = exchanged(stack, way, inside, data.draw(some(METHODS), "methods within"))
        problem = problem_of(inside, build, rng)
        way, changes = data.draw(st.sampled_from(WAYS), "way"), data.draw(some(methods), "methods")
        check(problem._replace(game=exchanged(stack, way, problem.game, changes)), method)


@pytest.mark.parametrize("build", KINDS)
def test_who_overrides_nothing_runs_through_the_samples(build):
    runs, rng = [], np.random.default_rng(0)

    def generator(theta, z):
        runs.append(1)
        return z @ theta

    game, discriminator = build(gan.Game(generator, ONE))
    theta = np.ones((3, 2)), discriminator.init(rng, float)
    batch = batch_of(game, rng)
    ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1)
    assert len(runs) == 1
