"""The mutator itself: it passes what is right and catches what is not."""

import numpy as np
import pytest

from tests.mutate_rules import PRIMITIVES, is_equivalent, is_killed, judge, mutants
from tinygrad_ugan.autodiff.primitive import elementwise

BY_NAME = {record.name: record for record in PRIMITIVES}


def test_an_unbroken_record_passes():
    record = BY_NAME["multiply"]
    assert not is_killed(record, record)
    assert is_equivalent(record, record)


def test_a_planted_mutant_is_caught():
    wrong = elementwise(np.sin, lambda ans, x: np.sin(x))
    assert is_killed(wrong, BY_NAME["sin"])
    assert not is_equivalent(wrong, BY_NAME["sin"])


def test_a_mutant_that_nobody_looks_at_survives(monkeypatch):
    monkeypatch.setattr("tests.mutate_rules.checks", lambda record: [])
    assert judge(BY_NAME["sin"])[::2] == (0, [slip for slip, _ in mutants(BY_NAME["sin"])])


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("subtract", "sign of argument 1 in the vjp"),
        ("multiply", "arguments 0 and 1 exchanged in both"),
        ("multiply", "sum over broadcast axes dropped in the vjp"),
        ("tanh", "partial 0 replaced by 1 in both"),
        ("reshape", "factor 2 at argument 0 in the jvp"),
        ("matmul", "zero for argument 1 in the vjp"),
        ("where", "cast dropped in the jvp"),
    ],
)
def test_slips_are_made_and_caught(name, slip):
    record = BY_NAME[name]
    assert is_killed(dict(mutants(record))[slip], record)


def test_equal_partials_may_be_exchanged():
    add = BY_NAME["add"]
    mutant = dict(mutants(add))["arguments 0 and 1 exchanged in both"]
    assert not is_killed(mutant, add)
    assert is_equivalent(mutant, add)
