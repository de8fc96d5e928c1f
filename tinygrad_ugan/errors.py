"""The errors that the library raises at its boundary.

Every one derives from ValueError or TypeError, names the argument, and says what came and what is
expected, so that the message alone tells the caller what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

AnyError = TypeVar("AnyError", bound="ArgumentError")


class _AnyArgumentError(Exception):
    """An error about an argument; a caller who knows it by another name says so."""

    def __init__(self, argument: str, given: Any, expected: str, hint: str = "") -> None:
        super().__init__(_message(argument, given, expected, hint))
        self._parts = (argument, given, expected, hint)

    def __reduce__(self) -> tuple[type[Self], tuple[str, ...]]:
        """Let it be pickled, on its way from another process."""
        argument, given, *rest = self._parts
        return type(self), (argument, given if isinstance(given, str) else shown(given), *rest)

    def within(self, place: str) -> Self:
        """Return the same error about an argument that is part of another, ``place + argument``."""
        argument, *rest = self._parts
        return type(self)(place + argument, *rest)

    def seen_from(self, callee: str, places: Mapping[str, str]) -> Self:
        """Return the same error for a caller who took the arguments of `callee` from `places`.

        Examples
        --------
        >>> print(ArgumentError("x", 3, "a matrix").seen_from("network", {"x": "batch.real"}))
        batch.real, the network's x: expected a matrix, got 3
        """
        argument, *rest = self._parts
        name, *path = re.split(r"(?=[.\[])", argument, maxsplit=1)
        if name not in places:
            return self
        return type(self)(f"{places[name]}{''.join(path)}, the {callee}'s {argument}", *rest)

    def becoming(self, kind: type[AnyError]) -> AnyError:
        """Return an error of another class that says the same."""
        return kind(*self._parts)

    def advising(self, hint: str) -> Self:
        """Return the same error with another hint."""
        return type(self)(*self._parts[:3], hint)


class ArgumentError(_AnyArgumentError, ValueError):
    """An argument has the right type and a value that makes no sense.

    Parameters
    ----------
    argument : str
        The argument's name as the caller knows it, such as ``"steps"``.
    given : Any
        What came; shown with ``repr`` unless it is a description (a str) already.
    expected : str
        What would have been right.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> print(ArgumentError("steps", -1, "a whole number >= 0"))
    steps: expected a whole number >= 0, got -1
    """


class ArgumentTypeError(_AnyArgumentError, TypeError):
    """An argument has the wrong type or dtype. Same parameters as `ArgumentError`."""


class NonFiniteError(ArgumentError):
    """A NaN or an infinity where only finite numbers make sense."""


class NotDifferentiableError(TypeError):
    """A derivative was asked of something that has no rule, or that leaves the engine."""


class NotCompilableError(TypeError):
    """A compiled function did something that one program for all numbers cannot do."""


def check_choice(argument: str, given: object, choices: Iterable[str]) -> None:
    """Raise `ArgumentError` unless `given` is one of `choices`, suggesting the nearest name."""
    names = list(choices)
    if given in names:
        return
    near = difflib.get_close_matches(shown(given)[:99].strip("'"), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(argument, shown(given), "one of " + ", ".join(map(repr, names)), hint)


def shown(value: Any) -> str:
    """Return what a message says of a value: its ``repr``, if it has one.

    Examples
    --------
    >>> shown(10**5000)
    'a value of type int that is too long to show'
    """
    try:
        return repr(value)
    except (ValueError, RecursionError):  # too many digits, or nested too deeply
        return f"a value of type {type(value).__name__} that is too long to show"


def printable(text: str) -> str:
    r"""Return a text as one line in which nothing acts on a terminal or fails to be encoded.

    Control characters, line breaks and halves of surrogate pairs become their escapes. Names that
    are not ours pass through it before anybody sees them.

    Examples
    --------
    >>> print(printable("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def kind_of(thing: object) -> str:
    """Return the full name of a thing's class, for messages.

    Examples
    --------
    >>> kind_of([1, 2]), kind_of(difflib.Differ())
    ('list', 'difflib.Differ')
    """
    kind = type(thing)
    scripts = ("builtins", "__main__", "__mp_main__")  # the latter in a process of its own
    place = "" if kind.__module__ in scripts else f"{kind.__module__}."
    return place + kind.__qualname__


_LONGEST = 300  # characters of what came that a message repeats


def _message(argument: str, given: Any, expected: str, hint: str) -> str:
    text = given if isinstance(given, str) else shown(given)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 60]} ... {text[-50:]}"
    message = f"{argument}: expected {expected}, got {text}" + (f"; {hint}" if hint else "")
    return printable(message)
