"""Findings as text."""

from tests.check.audit import traps
from tests.check.audit.problems import classified
from tests.check.audit.steps import functional_step
from tinygrad_ugan.check import audit_step, trials


def test_str_is_a_table_that_a_reader_understands():
    _, classifier = classified(5)
    shown = str(
        classifier(next(c.vector for c in classifier.candidates if c.verdict == "detached"))
    )
    assert shown.startswith("detached: the direct term alone")
    assert "relative error" in shown
    assert " exact " in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_str_shows_a_row_for_each_trial():
    shown = str(audit_step(functional_step(traps.NUMPY, keep="last"), trials(steps=[3])[1:]))
    assert shown.startswith("exact: the full derivative")
    assert "left at theta_D^K" in shown
    assert "MLP, K = 3" in shown
