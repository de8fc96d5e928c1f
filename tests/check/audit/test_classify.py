"""Every known trap gets its verdict; what cannot be told apart, or is none of them, is said."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.check.audit.problems import audit, classified, random_problem
from tests.check.audit.traps import NUMPY, TRAPS, Code, exact, expected
from tinygrad_ugan.check.audit.foreign_arrays import readings


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_traps(trap, steps):
    p, classifier = classified(steps)
    (vector,) = readings("gradient", trap(Code(NUMPY, p)), p.theta_g)
    found = classifier(vector)
    assert found.verdict == expected(trap, steps), found
    assert found.ok == (found.verdict == "exact")


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
