"""What the strategies draw is what they promise."""

import sys

import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.check import strategies
from tinygrad_ugan.errors import ArgumentError


def test_without_hypothesis_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delattr(ug.check, "strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ArgumentError, match=r"hypothesis: .*pip install 'tinygrad_ugan\[check\]'"):
        _ = ug.check.strategies
    with pytest.raises(AttributeError, match="no attribute 'strategy'"):
        _ = ug.check.strategy


@pytest.mark.parametrize(
    ("old", "new"),
    [("Problem", strategies.UnrolledGame), ("Program", strategies.RandomProgram)],
)
def test_renamed_classes_keep_their_old_names_for_a_release(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is called {new.__name__} now"):
        assert getattr(strategies, old) is new
