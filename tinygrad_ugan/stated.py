"""Statements of an object about its own methods, which hold until one of them is overridden.

A fast path runs something else than an object's methods. It may do so only where the object says
that the two are equal, and whoever overrides a method has said no such thing::

    class Line:
        def __call__(self, x):
            return self.a * x

        @states("__call__")
        def slope(self):
            return self.a

``line.slope`` is a for a `Line`, and for a subclass that leaves ``__call__`` alone. It is None
where ``__call__`` is another function than the one that stood in the class when it was written: in
a subclass, on the object itself, or because the class was changed since. A subclass may state it
anew, by a method of the same name with `states` above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_ugan.errors import ArgumentError


class Statement:
    """A method that speaks of others, as `states` makes it; on an object, an attribute."""

    def __init__(self, form: Callable[[Any], Any], names: tuple[str, ...]) -> None:
        self._form = form
        self._names = frozenset(names)
        self._own: list[tuple[str, Any]] = []
        self._mro: tuple[type, ...] = ()
        self._seen: list[tuple[Mapping[str, Any], str, Any]] = []
        self.__doc__ = form.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.written_in(owner)

    def written_in(self, owner: type) -> Statement:
        """Take note of the methods that a class has now; return this statement."""
        self._mro = owner.__mro__
        self._own = [(name, _static(owner, name)) for name in sorted(self._names)]
        for name, own in self._own:
            if own is _NOWHERE:
                raise ArgumentError("states", repr(name), f"methods of {owner.__name__}")
            place = next(i for i, each in enumerate(self._mro) if name in each.__dict__)
            above = [(each.__dict__, name, _NOWHERE) for each in self._mro[:place]]
            self._seen += [*above, (self._mro[place].__dict__, name, own)]
        return self

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        return self if thing is None else self.of(thing)

    def of(self, thing: Any) -> Any:
        """Return what is stated of an object, or None if that no longer holds."""
        kind = type(thing)
        if kind.__mro__ is self._mro and kind.__getattribute__ is _ACCESS[1]:
            for members, name, own in self._seen:  # the very class that states it: checked faster
                if members.get(name, _NOWHERE) is not own:
                    break
            else:
                if self._names.isdisjoint(getattr(thing, "__dict__", ())):
                    return self._form(thing)
        return self._form(thing) if self.overridden(thing) is None else None

    def overridden(self, thing: Any) -> str | None:
        """Return the name of a method that is not the one spoken of; None if all are."""
        members = [each.__dict__ for each in type(thing).__mro__]
        for name, own in (*self._own, _ACCESS):
            if next((each[name] for each in members if name in each), _NOWHERE) is not own:
                return name
        return min(self._names.intersection(getattr(thing, "__dict__", ())), default=None)


_NOWHERE = object()
_ACCESS: tuple[str, Any] = ("__getattribute__", object.__getattribute__)


def states(*names: str) -> Callable[[Callable[[Any], Any]], Any]:
    """Declare a method that says something about others, and holds as long as they are the same.

    Parameters
    ----------
    *names : str
        All the methods and properties that what is said depends on, private ones too.

    Examples
    --------
    >>> class Line:
    ...     def __call__(self, x):
    ...         return 3 * x
    ...     @states("__call__")
    ...     def slope(self):
    ...         return 3
    >>> class Bent(Line):
    ...     def __call__(self, x):
    ...         return super().__call__(x) + x**2
    >>> Line().slope, Bent().slope, why_not(Bent(), "slope")
    (3, None, 'Bent overrides __call__')
    """
    return lambda form: Statement(form, names)


def stated(thing: Any, name: str) -> Any:
    """Return what an object states under a name; None if it states nothing, or not any more."""
    statement = getattr(type(thing), name, None)
    return statement.of(thing) if type(statement) is Statement else None


def why_not(thing: Any, name: str) -> str:
    """Say why an object states nothing under a name; "" if it has never stated it."""
    statement = getattr(type(thing), name, None)
    method = statement.overridden(thing) if type(statement) is Statement else None
    if method is None:
        return ""
    overriding = method in getattr(thing, "__dict__", ())
    subject = f"this {type(thing).__name__} itself" if overriding else type(thing).__name__
    return f"{subject} overrides {method}"


def _static(kind: type, name: str) -> Any:
    """Look a name up in a class without invoking descriptors or metaclasses."""
    for each in kind.__mro__:
        if name in each.__dict__:
            return each.__dict__[name]
    return _NOWHERE
