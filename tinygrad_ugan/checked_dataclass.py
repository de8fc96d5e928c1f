"""Frozen dataclasses whose fields check themselves, to and from plain dictionaries.

A field is declared by the values that it may have: ``steps: int = whole(10, least=0,
most=10_000)``. The check runs on construction and converts NumPy's numbers to Python's, so that
whatever is accepted can be written to a file. Every number has an upper bound, beyond which nothing
sensible can be computed.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice, shown
from tinygrad_ugan.stated import Statement, stated

Check = Callable[[str, Any], Any]
Kinds = Mapping[str, type["Settings"]]
AnySettings = TypeVar("AnySettings", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """A group of settings; subclasses declare the fields.

    Attributes
    ----------
    kind : str
        The name of the class among those that a `group` can be of; "" if there is one only.
    """

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            if "check" in each.metadata:
                value = each.metadata["check"](each.name, getattr(self, each.name))
                object.__setattr__(self, each.name, value)

    def __init_subclass__(cls) -> None:
        """Record the attributes of the class as they are when it is written."""
        names = {n for base in cls.__mro__ for n, x in vars(base).items() if _is_its_own(n, x)}
        cls.name_form = Statement(_name_form, tuple(names)).written_in(cls)

    name_form: ClassVar[Any]
    """Whether the settings would be read back as they are: see `to_dict`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries of numbers, strings, lists and None.

        Raises
        ------
        ArgumentTypeError
            If the settings would not be read back as they are, because they are of a subclass or
            have methods of their own; the message names them.
        """
        return _to_dict(self, "config")

    def updated(self: AnySettings, changes: Mapping[str, Any]) -> AnySettings:
        """Return the settings with some of them changed, nested as in `to_dict`.

        Parameters
        ----------
        changes : mapping
            Values by name: ``{"unroll": {"steps": 3}}``, or ``{"unroll.steps": 3}``.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If there is no such setting, or it cannot have that value; the message names it in full.
        """
        updated: AnySettings = _updated(self, changes, "", {self.kind: type(self)})
        return updated


def _is_its_own(name: str, x: Any) -> bool:
    """Whether an attribute of a class defines its behaviour, as methods and constants do."""
    special = name.startswith("__") and name != "__post_init__"
    return not (special or isinstance(x, dataclasses.Field) or name == "name_form")


def _name_form(settings: Settings) -> bool:
    """Whether the fields determine the object: no subclass, and no other attributes."""
    return type(settings).__mro__[1] is Settings and not _strangers(settings)


def _strangers(settings: Settings) -> list[str]:
    """Names of attributes that are not fields."""
    names = [each.name for each in dataclasses.fields(settings)]
    return [name for name in vars(settings) if name not in names]


def _to_dict(settings: Settings, place: str) -> dict[str, Any]:
    if not stated(settings, "name_form"):
        raise ArgumentTypeError(
            place,
            f"{settings!r}, of a class or with methods of one's own",
            "settings that come back from what is written down, their names and numbers",
            "without a folder, training takes them as they are",
        )
    result: dict[str, Any] = {"kind": settings.kind} if settings.kind else {}
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, Settings):
            value = _to_dict(value, f"{place}.{each.name}")
        result[each.name] = list(value) if isinstance(value, tuple) else value
    return result


def _updated(settings: Any, changes: Any, place: str, kinds: Kinds) -> Any:
    if not isinstance(changes, Mapping):
        raise ArgumentError(place.rstrip(".") or "settings", shown(changes), "a table of settings")
    changes = _nested(changes, place)
    if settings.kind and "kind" in changes:
        check_choice(f"{place}kind", kind := changes.pop("kind"), kinds)
        if type(settings) is not kinds[kind]:
            settings = kinds[kind]()
    for name in _strangers(settings):
        raise ArgumentTypeError(f"{place}{name}", "an attribute", "nothing but settings to change")
    fields = {each.name: each for each in dataclasses.fields(settings)}
    values = {}
    for name, value in changes.items():
        check_choice(f"{place}{name}" if place else "setting", name, fields)
        current = getattr(settings, name)
        if isinstance(current, Settings):
            value = _updated(current, value, f"{place}{name}.", fields[name].metadata["kinds"])
        values[name] = value
    try:
        return dataclasses.replace(settings, **values)
    except (ArgumentError, ArgumentTypeError) as error:
        raise error.within(place) from None


def _nested(changes: Mapping[Any, Any], place: str) -> dict[Any, Any]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    plain: dict[Any, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        group, dot, rest = str(name).partition(".")
        if dot:
            tables.setdefault(group, {})[rest] = value
        else:
            plain[name] = value
    for name in plain.keys() & tables.keys():
        raise ArgumentError(f"{place}{name}", "a table and names with dots", "one of them")
    return plain | tables


# Kinds of fields.


def whole(default: int, *, least: int, most: int) -> Any:
    """A whole number from `least` to `most`."""

    def check(name: str, value: Any) -> int:
        if not _is_whole(value) or value < least:
            raise ArgumentError(name, shown(value), f"a whole number >= {least}")
        if value > most:
            raise ArgumentError(name, shown(value), f"a whole number <= {most:,}")
        return int(value)

    return field(default=default, metadata={"check": check, "most": most})


def positive(default: float | None, *, most: float, least: float = 0.0) -> Any:
    """A number above zero, from `least` to `most`; or None, if that is the default."""

    def check(name: str, value: Any) -> float | None:
        if value is None and default is None:
            return None
        if not (_is_real(value) and value > 0):
            raise ArgumentError(name, shown(value), "a positive number")
        if not least <= float(value) <= most:
            raise ArgumentError(name, shown(value), f"a number from {least:g} to {most:g}")
        return float(value)

    return field(default=default, metadata={"check": check, "most": most})


def positives(default: float, *, most: float) -> Any:
    """A positive number up to `most`, or a list of them."""
    one = positive(default, most=most).metadata["check"]

    def check(name: str, value: Any) -> float | tuple[float, ...]:
        if not isinstance(value, list | tuple):
            return float(one(name, value))
        if not value:
            raise ArgumentError(name, "none", "a positive number, or a list of them")
        return tuple(one(f"{name}[{i}]", x) for i, x in enumerate(value))

    return field(default=default, metadata={"check": check, "most": most})


def number(default: float, *, least: float, most: float) -> Any:
    """A number from `least` to `most`, of either sign if these are."""

    def check(name: str, value: Any) -> float:
        if not (_is_real(value) and least <= value <= most):
            raise ArgumentError(name, shown(value), f"a number from {least:g} to {most:g}")
        return float(value)

    return field(default=default, metadata={"check": check, "most": most})


def fraction(default: float) -> Any:
    """A number from 0 to 1, 1 excluded."""

    def check(name: str, value: Any) -> float:
        if not (_is_real(value) and 0 <= value < 1):
            raise ArgumentError(name, shown(value), "a number in [0, 1)")
        return float(value)

    return field(default=default, metadata={"check": check, "most": 1})


def optional_whole(*, least: int, most: int) -> Any:
    """A whole number from `least` to `most`, or None, the default."""

    def check(name: str, value: Any) -> int | None:
        if value is not None and (not _is_whole(value) or value < least):
            raise ArgumentError(name, shown(value), f"a whole number >= {least}, or none")
        if value is not None and value > most:
            raise ArgumentError(name, shown(value), f"a whole number <= {most:,}, or none")
        return None if value is None else int(value)

    return field(default=None, metadata={"check": check, "most": most})


WIDEST, DEEPEST = 100_000, 100  # upper bounds of `widths`


def widths(default: tuple[int, ...]) -> Any:
    """The widths of layers."""

    def check(name: str, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not all(_is_whole(n) and n >= 1 for n in value):
            raise ArgumentError(name, shown(value), "whole numbers >= 1")
        if len(value) > DEEPEST or any(n > WIDEST for n in value):
            expected = f"whole numbers <= {WIDEST:,}, and {DEEPEST} of them at most"
            raise ArgumentError(name, shown(value), expected)
        return tuple(map(int, value))

    return field(default=default, metadata={"check": check, "most": WIDEST})


def choice(default: str | None, choices: Iterable[str]) -> Any:
    """One of a few names; or None, if that is the default."""

    def check(name: str, value: Any) -> Any:
        if value is not None or default is not None:
            check_choice(name, value, choices)
        return value

    return field(default=default, metadata={"check": check})


def words(default: str | None) -> Any:
    """Printable text; or None, if that is the default."""

    def check(name: str, value: Any) -> str | None:
        if value is None and default is None:
            return None
        if not isinstance(value, str) or not value.isprintable():
            raise ArgumentError(name, shown(value), "printable text")
        return str(value)

    return field(default=default, metadata={"check": check})


def names(default: tuple[str, ...] = ()) -> Any:
    """Names, such as those of columns."""

    def check(name: str, value: Any) -> tuple[str, ...]:
        several = isinstance(value, list | tuple)
        if not several or not all(isinstance(x, str) and x.isprintable() for x in value):
            raise ArgumentError(name, shown(value), "a list of names")
        return tuple(map(str, value))

    return field(default=default, metadata={"check": check})


def switch(default: bool | None) -> Any:
    """True or false; or None, if that is the default."""

    def check(name: str, value: Any) -> bool | None:
        if not isinstance(value, bool) and not (value is None and default is None):
            raise ArgumentError(name, shown(value), "true or false")
        return value

    return field(default=default, metadata={"check": check})


def group(default: type[Settings], *others: type[Settings]) -> Any:
    """A group of settings, of this class or one of the others."""
    classes = (default, *others)

    def check(name: str, value: Any) -> Settings:
        if not isinstance(value, classes):
            raise ArgumentTypeError(name, shown(value), f"settings like {default.__name__}()")
        return value

    kinds = {each.kind: each for each in classes}
    return field(default_factory=default, metadata={"check": check, "kinds": kinds})


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        return real and math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False
