"""Calls of NumPy functions: what is passed on, what is spelled anew, what is refused."""

import numpy as np
import pytest
from scipy import special as sp

from tinygrad_ugan.autodiff.signatures import Arguments, full_name
from tinygrad_ugan.errors import NotDifferentiableError


def rule(a, axis=None, *, keepdims=False):
    """What a rule for np.sum could take."""


ARGUMENTS = Arguments.of(rule)


@pytest.mark.parametrize(
    ("args", "kwargs", "admitted"),
    [
        ((1,), {}, True),
        ((1, 0), {"keepdims": True}, True),
        ((1, 0, None), {}, False),
        ((1,), {"dtype": float}, False),
        ((), {"a": 1}, False),
    ],
)
def test_what_is_admitted(args, kwargs, admitted):
    assert ARGUMENTS.admit(args, kwargs) is admitted


def test_variable_numbers_of_arguments():
    assert Arguments.of(lambda *arrays: 0).admit(range(10), {})
    assert not Arguments.of(lambda *arrays: 0).admit((), {"axis": 0})
    assert Arguments.of(lambda **options: 0).admit((), {"axis": 0})
    assert Arguments.of(rule, skip=1) == Arguments(0, 1, frozenset({"axis", "keepdims"}))
    assert Arguments().admit(range(10), {"axis": 0})
    assert Arguments.of(max) == Arguments()  # written in C, and does not tell


def test_there_is_no_place_for_out():
    assert Arguments.of(np.take) == Arguments(2, 3, frozenset({"a", "indices", "axis", "mode"}))


def test_defaults_are_left_out_and_options_named():
    spelled = ARGUMENTS.rearrange(np.sum, ("a", 0, None, None, True), {})
    assert spelled == (["a"], {"axis": 0, "keepdims": True})
    assert ARGUMENTS.rearrange(np.sum, (), {"a": "a", "out": None}) == (["a"], {})
    with pytest.raises(NotDifferentiableError, match=r"numpy.sum with dtype=, initial= has no"):
        ARGUMENTS.rearrange(np.sum, ("a", 0, float), {"initial": 1})
    with pytest.raises(NotDifferentiableError, match="out= writes in place"):
        ARGUMENTS.rearrange(np.sum, ("a", 0, None, "out"), {})
    assert ARGUMENTS.rearrange(max, ("a", 0), {}) == (("a", 0), {})
    with pytest.raises(NotDifferentiableError, match="default="):
        ARGUMENTS.rearrange(max, ("a",), {"default": 0})
    stacked = Arguments.of(lambda *arrays: 0).rearrange(lambda *a, axis=0: 0, "ab", {"axis": 0})
    assert stacked == (["a", "b"], {})
    with pytest.raises(NotDifferentiableError, match="casting="):
        ARGUMENTS.rearrange(np.clip, ("a", 0, 1), {"casting": "no"})


def test_names():
    functions = (np.sum, np.exp, np.linalg.inv, sp.expit)
    names = ["numpy.sum", "numpy.exp", "numpy.linalg.inv", "expit"]
    assert [full_name(f) for f in functions] == names
