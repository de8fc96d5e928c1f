"""Settings that check themselves, and are written down and read again."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from tinygrad_ugan.checked_dataclass import (
    Settings,
    choice,
    fraction,
    group,
    names,
    number,
    optional_whole,
    positive,
    switch,
    whole,
    widths,
)
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True)
class Square(Settings):
    kind: ClassVar[str] = "square"
    side: float = positive(1.0, most=10.0)


@dataclass(frozen=True)
class Disc(Settings):
    kind: ClassVar[str] = "disc"
    radius: float = positive(1.0, most=10.0)


@dataclass(frozen=True)
class Drawing(Settings):
    shape: Square | Disc = group(Square, Disc)
    copies: int = whole(1, least=0, most=9)
    rows: int | None = optional_whole(least=1, most=9)
    alpha: float = fraction(0.5)
    color: str = choice("red", ("red", "green"))
    filled: bool = switch(False)
    dashes: tuple[int, ...] = widths((1, 2))
    angle: float = number(0.0, least=-90, most=90)
    layers: tuple[str, ...] = names()
    closed: bool | None = switch(None)


def test_what_is_written_down_comes_back():
    drawing = Drawing(Disc(2.0), 3, 4, 0.25, "green", True, (5,), -45.0, ("a", "b"), False)
    assert Drawing().updated(drawing.to_dict()) == drawing
    assert Disc().updated(drawing.shape.to_dict()) == drawing.shape


def test_a_kind_replaces_the_class_and_the_rest_is_its_own():
    assert Drawing().updated({"shape.kind": "disc"}).shape == Disc()
    assert Drawing(Square(2.0)).updated({"shape": {"kind": "square"}}).shape == Square(2.0)
    with pytest.raises(ArgumentError, match=r"shape\.kind: expected one of 'square', 'disc'"):
        Drawing().updated({"shape.kind": "cube"})
    with pytest.raises(ArgumentError, match=r"shape\.side: expected one of 'radius'"):
        Drawing().updated({"shape": {"kind": "disc", "side": 1.0}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"copies": 10}, "copies: expected a whole number <= 9, got 10"),
        ({"copies": True}, "copies: expected a whole number >= 0, got True"),
        ({"rows": 0}, "rows: expected a whole number >= 1, or none, got 0"),
        ({"alpha": 1}, r"alpha: expected a number in \[0, 1\), got 1"),
        ({"color": "blue"}, "color: expected one of 'red', 'green', got 'blue'"),
        ({"filled": 1}, "filled: expected true or false, got 1"),
        ({"angle": -91}, "angle: expected a number from -90 to 90, got -91"),
        ({"angle": True}, "angle: expected a number from -90 to 90, got True"),
        ({"layers": "a"}, "layers: expected a list of names, got 'a'"),
        ({"layers": ["a\n"]}, "layers: expected a list of names"),
        ({"closed": 0}, "closed: expected true or false, got 0"),
        ({"dashes": [0]}, "dashes: expected whole numbers >= 1"),
        ({"shape.side": np.inf}, r"shape\.side: expected a positive number, got inf"),
        ({"copes": 1}, "setting: .*did you mean 'copies'"),
    ],
)
def test_what_does_not_fit_is_named(changes, words):
    with pytest.raises(ArgumentError, match=words):
        Drawing().updated(changes)


def test_a_group_of_another_class_is_refused():
    with pytest.raises(ArgumentTypeError, match=r"shape: expected settings like Square\(\)"):
        Drawing(shape=Drawing())


class Skewed(Square):
    """Whose fields do not say all of it."""


def test_a_subclass_is_not_written_down():
    with pytest.raises(ArgumentTypeError, match=r"config\.shape: expected settings that come back"):
        Drawing(Skewed()).to_dict()


def test_numpys_numbers_become_pythons():
    assert type(Drawing(copies=np.int64(3)).copies) is int
    assert type(Square(np.float32(0.5)).side) is float
