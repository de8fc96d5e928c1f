"""The names of the room."""

import sys

import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import ArgumentError


def test_without_hypothesis_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delattr(ug.check, "strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ArgumentError, match=r"hypothesis: .*pip install 'tinygrad_ugan\[check\]'"):
        _ = ug.check.strategies
    with pytest.raises(AttributeError, match="no attribute 'strategy'"):
        _ = ug.check.strategy
