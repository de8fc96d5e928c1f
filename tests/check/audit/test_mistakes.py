"""Problems that wrong code solves: with inner optimisers, and one by one."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.check.audit.problems import audit, random_problem
from tests.check.audit.traps import NUMPY, Code
from tinygrad_ugan.check.audit import candidates, mistakes
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.foreign_arrays import readings
from tinygrad_ugan.check.audit.gradient import convert

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


def unrolled(**how):
    p = random_problem(np.random.default_rng(5), 3)
    return convert(p.game, p.theta_g, p.theta_d, p.batch, **({"steps": 3, "lr": None} | how))


@pytest.mark.parametrize("how", [{"lr": [0.1, 0.2, 0.3]}, {"optimizer": ADAM}])
def test_fewer_steps_are_the_first_ones(how):
    problem = unrolled(**how)
    states = list(problem.states())
    for j in range(4):
        altered = mistakes.with_steps(problem, j)
        assert altered.steps == j
        assert ug.tree.norm(mistakes.last_state(altered).theta) == ug.tree.norm(states[j].theta)


@pytest.mark.parametrize(
    ("how", "more"),
    [({"lr": 0.1}, [2, 1, 4]), ({"lr": [0.1, 0.2, 0.3]}, [2, 1]), ({"optimizer": ADAM}, [2, 1, 4])],
)
def test_a_step_more_needs_a_step_size_for_it(how, more):
    found = mistakes.with_other_steps(unrolled(**how))
    assert [altered.steps for _, altered in found] == more


def test_without_curvature_the_path_and_the_value_are_the_same():
    problem = unrolled(lr=0.3)
    ((_, altered),) = mistakes.without_curvature(problem)
    for state, other in zip(problem.states(), altered.states(), strict=True):
        for x, y in zip(*map(optree.tree_leaves, (state.theta, other.theta)), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)
    theta = mistakes.last_state(problem).theta
    assert problem.outer(problem.theta_g, theta) == altered.outer(problem.theta_g, theta)


def test_where_there_are_no_steps_there_is_little_to_mistake():
    problem = unrolled(steps=0, lr=0.3)
    for row in candidates.TABLE:
        shows = row.verdict in ("lookahead", "replaced", "wrong_loss")
        assert bool(list(row.alter(problem))) == shows
