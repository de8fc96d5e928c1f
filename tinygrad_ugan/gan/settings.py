"""Frozen dataclasses whose fields check themselves, to and from plain dictionaries.

A field is declared by what it may hold: ``steps: int = whole(10, least=0)``. The check runs on
construction and turns NumPy's numbers into Python's, so that what was accepted can be written down.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice

Check = Callable[[str, Any], Any]
AnySettings = TypeVar("AnySettings", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """A group of settings; subclasses declare the fields.

    Attributes
    ----------
    kinds : mapping of str to class
        Where a group can be one of several classes, all of them by name; each says its own name as
        `kind`.
    """

    kind: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Settings]]] = {}

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            if "check" in each.metadata:
                value = each.metadata["check"](each.name, getattr(self, each.name))
                object.__setattr__(self, each.name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries of numbers, strings, lists and None."""
        result: dict[str, Any] = {"kind": self.kind} if self.kind else {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Settings):
                value = value.to_dict()
            result[each.name] = list(value) if isinstance(value, tuple) else value
        return result

    def updated(self: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
        """Return the settings with some of them changed, as `to_dict` nests them.

        Raises
        ------
        ArgumentError
            If there is no such setting, or it cannot have that value; the message names it in full.
        """
        return _updated(self, changes, "")


def _updated(settings: Any, changes: Any, place: str) -> Any:
    if not isinstance(changes, Mapping):
        raise ArgumentError(place.rstrip(".") or "settings", repr(changes), "a table of settings")
    changes = dict(changes)
    if settings.kind and "kind" in changes:
        check_choice(f"{place}kind", kind := changes.pop("kind"), settings.kinds)
        if kind != settings.kind:
            settings = settings.kinds[kind]()
    names = [each.name for each in dataclasses.fields(settings)]
    values = {}
    for name, value in changes.items():
        check_choice(f"{place}{name}" if place else "setting", name, names)
        current = getattr(settings, name)
        if isinstance(current, Settings):
            value = _updated(current, value, f"{place}{name}.")
        values[name] = value
    try:
        return dataclasses.replace(settings, **values)
    except ArgumentError as error:
        raise error.within(place) from None


# What a field may hold.


def whole(default: int, *, least: int) -> Any:
    """A whole number of at least `least`."""

    def check(name: str, value: Any) -> int:
        if not _is_whole(value) or value < least:
            raise ArgumentError(name, repr(value), f"a whole number >= {least}")
        return int(value)

    return field(default=default, metadata={"check": check})


def positive(default: float | None) -> Any:
    """A finite number above zero; or None, if that is the default."""

    def check(name: str, value: Any) -> float | None:
        if value is None and default is None:
            return None
        if not (_is_real(value) and value > 0):
            raise ArgumentError(name, repr(value), "a positive number")
        return float(value)

    return field(default=default, metadata={"check": check})


def fraction(default: float) -> Any:
    """A number from 0 to 1, 1 excluded."""

    def check(name: str, value: Any) -> float:
        if not (_is_real(value) and 0 <= value < 1):
            raise ArgumentError(name, repr(value), "a number in [0, 1)")
        return float(value)

    return field(default=default, metadata={"check": check})


def optional_whole(*, least: int) -> Any:
    """A whole number of at least `least`, or None, the default."""

    def check(name: str, value: Any) -> int | None:
        if value is not None and (not _is_whole(value) or value < least):
            raise ArgumentError(name, repr(value), f"a whole number >= {least}, or none")
        return None if value is None else int(value)

    return field(default=None, metadata={"check": check})


def widths(default: tuple[int, ...]) -> Any:
    """Some whole numbers of at least 1."""

    def check(name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not all(_is_whole(n) and n >= 1 for n in value):
            raise ArgumentError(name, repr(value), "whole numbers >= 1")
        return tuple(map(int, value))

    return field(default=default, metadata={"check": check})


def choice(default: str, choices: Iterable[str]) -> Any:
    """One of a few names."""

    def check(name: str, value: Any) -> str:
        check_choice(name, value, choices)
        return value

    return field(default=default, metadata={"check": check})


def switch(default: bool) -> Any:
    """True or false."""

    def check(name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ArgumentError(name, repr(value), "true or false")
        return value

    return field(default=default, metadata={"check": check})


def group(default: type[Settings]) -> Any:
    """Another group of settings: of this class, or of one of its `kinds`."""
    classes = tuple(default.kinds.values()) or default

    def check(name: str, value: Any) -> Settings:
        if not isinstance(value, classes):
            raise ArgumentTypeError(name, repr(value), f"settings like {default.__name__}()")
        return value

    return field(default_factory=default, metadata={"check": check})


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        return real and math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False
