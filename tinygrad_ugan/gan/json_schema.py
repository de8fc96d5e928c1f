"""Schemas of JSON data: declared once, checked when read; errors name the offending place.

A shape is a function of a place, such as ``metrics[3].step``, and of the value found there. It
returns the value, or raises `ArgumentError` naming the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_ugan.errors import ArgumentError, shown

Shape = Callable[[str, Any], Any]


def parse(argument: str, text: str | bytes) -> Any:
    """Parse JSON, rejecting duplicate names.

    Raises
    ------
    ArgumentError
        If the text is not JSON.

    Examples
    --------
    >>> parse("settings", '{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    tinygrad_ugan.errors.ArgumentError: settings: expected JSON, got 'a' twice
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(argument, f"{error}", "JSON") from None


def whole(least: int = 0, most: int = 2**63 - 1) -> Shape:
    """A whole number."""

    def check(place: str, value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ArgumentError(place, shown(value), f"a whole number from {least} to {most}")
        return value

    return check


def number(place: str, value: Any) -> float:
    """A number, or "nan", "inf" or "-inf", which JSON itself does not know."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    try:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number beyond the floats
        pass
    raise ArgumentError(place, shown(value), "a number")


def optional(shape: Shape) -> Shape:
    """A value of that shape, or null."""
    return lambda place, value: None if value is None else shape(place, value)


def seconds(place: str, value: Any) -> float:
    """A finite number that is not negative."""
    found = number(place, value)
    if not (math.isfinite(found) and found >= 0):
        raise ArgumentError(place, shown(value), "a number >= 0")
    return found


def text(place: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ArgumentError(place, shown(value), "a string")
    return value


def table(place: str, value: Any) -> dict[str, Any]:
    """A mapping with any names."""
    if not isinstance(value, dict):
        raise ArgumentError(place, shown(value), "a table")
    return value


def exactly(expected: Any) -> Shape:
    """The given value, of the same type."""

    def check(place: str, value: Any) -> Any:
        if type(value) is not type(expected) or value != expected:
            raise ArgumentError(place, shown(value), shown(expected))
        return value

    return check


def table_of(shape: Shape) -> Shape:
    """A mapping from any names to values of one shape."""
    return lambda place, value: {
        name: shape(f"{place}.{name}", x) for name, x in table(place, value).items()
    }


def list_of(shape: Shape) -> Shape:
    """A list of values of one shape."""

    def check(place: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ArgumentError(place, shown(value), "a list")
        return [shape(f"{place}[{i}]", x) for i, x in enumerate(value)]

    return check


def record(**shapes: Shape) -> Shape:
    """A mapping with exactly these names."""

    def check(place: str, value: Any) -> dict[str, Any]:
        found = table(place, value)
        inside = f"{place}." if place else ""
        _same_keys(inside, shapes, found)
        return {name: shape(f"{inside}{name}", found[name]) for name, shape in shapes.items()}

    return check


def same_names(place: str, expected: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise `ArgumentError` unless two nested mappings have the same names all the way down."""
    _same_keys(place, expected, given)
    for name, value in expected.items():
        if isinstance(value, Mapping):
            same_names(f"{place}{name}.", value, given[name])


def _same_keys(inside: str, expected: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name in expected.keys() - given.keys():
        raise ArgumentError(f"{inside}{name}", "nothing", "a value")
    for name in given.keys() - expected.keys():
        raise ArgumentError(f"{inside}{name}", "a value", "no such name")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} twice")
    return found
