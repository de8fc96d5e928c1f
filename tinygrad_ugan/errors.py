"""The errors that the library raises at its boundary.

Every one derives from ValueError or TypeError, names the argument, and says what came and what is
expected, so that the message alone tells the caller what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Self


class ArgumentError(ValueError):
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

    def __init__(self, argument: str, given: Any, expected: str, hint: str = "") -> None:
        super().__init__(_message(argument, given, expected, hint))
        self._parts = (argument, given, expected, hint)

    def within(self, place: str) -> Self:
        """Return the same error about an argument that is part of another, ``place + argument``."""
        argument, *rest = self._parts
        return type(self)(place + argument, *rest)

    def advising(self, hint: str) -> Self:
        """Return the same error with another hint."""
        return type(self)(*self._parts[:3], hint)


class ArgumentTypeError(TypeError):
    """An argument has the wrong type or dtype. Same parameters as `ArgumentError`."""

    def __init__(self, argument: str, given: Any, expected: str, hint: str = "") -> None:
        super().__init__(_message(argument, given, expected, hint))


class NonFiniteError(ArgumentError):
    """A NaN or an infinity where only finite numbers make sense."""


class NotDifferentiableError(TypeError):
    """A derivative was asked of something that has no rule, or that leaves the engine."""


def check_choice(argument: str, given: object, choices: Iterable[str]) -> None:
    """Raise `ArgumentError` unless `given` is one of `choices`, suggesting the nearest name."""
    names = list(choices)
    if given in names:
        return
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(argument, repr(given), "one of " + ", ".join(map(repr, names)), hint)


def _message(argument: str, given: Any, expected: str, hint: str) -> str:
    shown = given if isinstance(given, str) else repr(given)
    return f"{argument}: expected {expected}, got {shown}" + (f"; {hint}" if hint else "")
