"""The candidates for the gradient of f_K."""

import numpy as np

import tinygrad_ugan as ug
from tests.check.audit.problems import random_problem
from tinygrad_ugan.check import VERDICTS
from tinygrad_ugan.check.audit.candidates import candidates, recompute
from tinygrad_ugan.check.audit.gradient import convert


def unrolled(steps, lr):
    p = random_problem(np.random.default_rng(1), steps)
    return p, convert(p.game, p.theta_g, p.theta_d, p.batch, steps=steps, lr=lr)


def test_each_verdict_but_those_on_factors_has_one_and_the_most_favourable_is_first():
    _, problem = unrolled(3, 0.2)
    found = [candidate.verdict for candidate in candidates(problem)]
    assert found == sorted(found, key=list(VERDICTS).index)
    no_candidate = {"wrong_sign", "wrong_scale", "unknown", "state_not_restored"}
    no_candidate |= {"transposed", "wrong_step_size"}
    assert set(found) == set(VERDICTS) - no_candidate


def test_those_that_unroll_computes_too_are_what_it_computes():
    p, problem = unrolled(3, 0.2)
    found = {(c.verdict, c.detail): c.vector for c in candidates(problem)}
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    terms = ug.unroll.decompose(*place, steps=3, lr=0.2)
    two = ug.unroll.value_and_grad(*place, steps=2, lr=0.2)[1]
    none = ug.unroll.value_and_grad(*place, steps=0, lr=0.2)[1]
    for name, gradient in {
        ("exact", ""): terms.total,
        ("detached", ""): terms.direct,
        ("indirect_only", ""): terms.indirect,
        ("wrong_steps", "2 steps, not 3"): two,
        ("lookahead", ""): none,
    }.items():
        np.testing.assert_allclose(found[name], ug.tree.ravel(gradient)[0], rtol=1e-10, atol=1e-14)


def test_each_can_be_computed_alone():
    _, problem = unrolled(3, 0.2)
    for candidate in candidates(problem):
        np.testing.assert_array_equal(recompute(problem, candidate), candidate.vector)


def test_one_that_overflows_is_left_out():
    game = ug.unroll.Game(lambda x, y, batch: x * y - y**4 / 4)  # explodes downhill only
    problem = convert(game, 1.0, 2.0, None, steps=10, lr=0.3)
    found = {candidate.verdict for candidate in candidates(problem)}
    assert "wrong_direction" not in found
    assert {"exact", "detached", "stale"} <= found
