"""Calls of NumPy functions: what is passed on, what is spelled anew, what is refused."""

import numpy as np
import pytest
from scipy import special as sp

from tinygrad_ugan.autodiff.signatures import Signature, full_name
from tinygrad_ugan.errors import NotDifferentiableError


def rule(a, axis=None, *, keepdims=False):
    """What a rule for np.sum could take."""


SIGNATURE = Signature.of(rule)


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
    assert SIGNATURE.accepts(args, kwargs) is admitted


def test_variable_numbers_of_arguments():
    assert Signature.of(lambda *arrays: 0).accepts(range(10), {})
    assert not Signature.of(lambda *arrays: 0).accepts((), {"axis": 0})
    assert Signature.of(lambda **options: 0).accepts((), {"axis": 0})
    assert Signature.of(rule, skip=1) == Signature(0, 1, frozenset({"axis", "keepdims"}))
    assert Signature().accepts(range(10), {"axis": 0})
    assert Signature.of(max) == Signature()  # written in C, and does not tell


def test_there_is_no_place_for_out():
    assert Signature.of(np.take) == Signature(2, 3, frozenset({"a", "indices", "axis", "mode"}))


def test_defaults_are_left_out_and_options_named():
    spelled = SIGNATURE.normalized(np.sum, ("a", 0, None, None, True), {})
    assert spelled == (["a"], {"axis": 0, "keepdims": True})
    assert SIGNATURE.normalized(np.sum, (), {"a": "a", "out": None}) == (["a"], {})
    with pytest.raises(NotDifferentiableError, match=r"numpy.sum with dtype=, initial= has no"):
        SIGNATURE.normalized(np.sum, ("a", 0, float), {"initial": 1})
    with pytest.raises(NotDifferentiableError, match="out= writes in place"):
        SIGNATURE.normalized(np.sum, ("a", 0, None, "out"), {})
    assert SIGNATURE.normalized(max, ("a", 0), {}) == (("a", 0), {})
    with pytest.raises(NotDifferentiableError, match="default="):
        SIGNATURE.normalized(max, ("a",), {"default": 0})
    stacked = Signature.of(lambda *arrays: 0).normalized(lambda *a, axis=0: 0, "ab", {"axis": 0})
    assert stacked == (["a", "b"], {})
    with pytest.raises(NotDifferentiableError, match="casting="):
        SIGNATURE.normalized(np.clip, ("a", 0, 1), {"casting": "no"})


def test_names():
    functions = (np.sum, np.exp, np.linalg.inv, sp.expit)
    names = ["numpy.sum", "numpy.exp", "numpy.linalg.inv", "expit"]
    assert [full_name(f) for f in functions] == names
