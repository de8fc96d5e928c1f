"""The registry: games, data and optimisers of one's own by name, so that a run's folder names them.

A name with a colon, ``module:attribute``, is found by importing the module. That happens only for
settings that the user wrote; a run's folder, which may come from anywhere, runs no code: the module
that it names has to be imported already.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from tinygrad_ugan.checked_dataclass import Settings, words
from tinygrad_ugan.errors import ArgumentError, shown

_THINGS: dict[str, Any] = {}
_ABSENT = object()


def register(name: str, thing: Any = _ABSENT) -> Any:
    """Register a game, data or an optimiser under a name, by which the settings know it.

    Parameters
    ----------
    name : str
        The name; with the same one again, the later thing counts.
    thing : Any, optional
        The object itself, a class that is called without arguments, or a function that is called
        with the `Config`; one that makes an optimiser, with the settings of that optimiser, such as
        ``config.generator_optimizer``. Without it, the function returns a decorator.

    Returns
    -------
    Any
        The thing.

    Raises
    ------
    ArgumentError
        If the name is empty or holds a colon, which stands for ``module:attribute``.

    Examples
    --------
    >>> from tinygrad_ugan import gan
    >>> @gan.register("hinge-ring")
    ... def hinge_ring(config):
    ...     return gan.Game(*config.networks.build(2), "hinge")
    >>> run = gan.train(gan.Config(game="hinge-ring", steps=2, batch=8))
    >>> run.setup.game.loss
    'hinge'
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise ArgumentError("name", shown(name), "a name without a colon")
    if thing is _ABSENT:
        return lambda decorated: register(name, decorated)
    _THINGS[name] = thing
    return thing


def name_of(thing: Any) -> str | None:
    """Return the name under which this very object is registered, if it is."""
    return next((name for name, each in _THINGS.items() if each is thing), None)


def registered(name: str) -> Any:
    """Return the thing under a registered name as it is, or None."""
    return _THINGS.get(name)


def find(argument: str, name: str, config: Any) -> Any:
    """Return the game, data or optimiser of that name.

    Parameters
    ----------
    argument : str
        The setting that gives the name, for messages.
    name : str
        A registered name, or ``module:attribute``: the module is imported.
    config : Settings
        The settings, for a registered function.

    Raises
    ------
    ArgumentError
        If there is none of that name, or what its module or function raised.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        thing = _THINGS.get(name, _ABSENT)
    else:
        thing = getattr(import_plugin(argument, module), attribute, _ABSENT)
    if thing is _ABSENT:
        expected = f"a registered name ({', '.join(map(repr, _THINGS)) or 'there are none yet'})"
        hint = "ug.gan.register(name, thing) in a module, and `--plugin module`, make it one"
        if colon:
            expected, hint = f"an attribute of {module}", ""
        raise ArgumentError(argument, repr(name), expected, hint)
    return _made(argument, name, thing, config)


def import_plugin(argument: str, name: str) -> ModuleType:
    """Import a module of the user, from the folder one stands in, too.

    Raises
    ------
    ArgumentError
        If it cannot be imported; the message says why.
    """
    expected = "a module that can be imported"
    if not all(map(str.isidentifier, name.split("."))):
        raise ArgumentError(argument, repr(name), expected)
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ArgumentError(argument, f"{name!r}: {error}", expected) from None
    except (Exception, SystemExit) as error:
        raise _raised(argument, name, error, expected) from error
    finally:
        sys.path.pop(0)


def check_imported(argument: str, name: str) -> None:
    """Raise `ArgumentError` if the module of ``module:attribute`` has yet to be imported."""
    module, colon, _ = name.partition(":")
    if not colon or module in sys.modules:
        return
    hint = f"if you trust it, `--plugin {module}` or, in Python, `import {module}`"
    given = f"{name!r}, which the run's folder names"
    raise ArgumentError(argument, given, "a module that is imported already", hint)


def _made(argument: str, name: str, thing: Any, config: Any) -> Any:
    """The object itself, or the one that its class or function makes."""
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return thing
    make: Callable[..., Any] = thing
    try:
        return make() if inspect.isclass(thing) else make(config)
    except Exception as error:
        expected = "a class to call without arguments, or a function of the settings"
        raise _raised(argument, name, error, expected) from error


def _raised(argument: str, name: str, error: BaseException, expected: str) -> ArgumentError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{frame.filename}:{frame.lineno}"
    given = f"{name!r}, which raised {type(error).__name__}: {error} ({place})"
    return ArgumentError(argument, given, expected)


@dataclass(frozen=True)
class RegisteredData(Settings):
    """Data of one's own, by the name under which they are registered."""

    kind: ClassVar[str] = "registered"

    name: str = words("")
    """The registered name, or module:attribute, which imports the module."""
    identity: str = words("")
    """Their class, and the identity that they give, which a run records."""

    def find(self, config: Any) -> Any:
        """Return the data."""
        return find("data.name", self.name, config)


@dataclass(frozen=True)
class OwnData(Settings):
    """Data of one's own that were handed in and have no name."""

    kind: ClassVar[str] = "own"

    identity: str = words("")
    """Their class, and the identity that they give."""
