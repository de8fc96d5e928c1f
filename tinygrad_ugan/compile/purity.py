"""Functions that are known to depend on their arguments alone, and the constants in them, by value.

A program holds the constants of the function that it was recorded from: the fields of objects, and
what functions have closed over. Whoever keeps programs for later has to know two things: that the
function looks at nothing that may change unseen, and by which constants its programs differ. Nobody
can find out the first for any function of Python. But the code of this package is written so, and
who writes ``ug.compile`` above a function of their own has said so. `form_of` knows these two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from operator import is_
from types import FunctionType, MappingProxyType, MethodType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.errors import kind_of
from tinygrad_ugan.stated import stated

MAX_BYTES = 2**14
"""Of an array among the constants: larger ones take longer to compare than a program saves."""


class Declared:
    """A function that is declared to look at nothing but its arguments and constants."""


class UnknownFunctionError(Exception):
    """A function may look at something that changes; the message says which."""


def form_of(thing: Any) -> Hashable:
    """Return what tells a function, or an object with methods, from all others, by value.

    Two with equal forms compute the same, bit for bit, from the same arguments. The form is taken
    from the object as it is now: after a change it is another.

    Parameters
    ----------
    thing : Any
        A function or object of this package, or a function of `ug.compile`; a function of NumPy
        that has rules; a number, text, or container of all these.

    Raises
    ------
    UnknownFunctionError
        If it is anything else, or holds anything else.

    Examples
    --------
    >>> from tinygrad_ugan.nn import MLP
    >>> form_of(MLP((2, 8, 1))) == form_of(MLP((2, 8, 1))) != form_of(MLP((2, 9, 1)))
    True
    >>> form_of(lambda x: x)
    Traceback (most recent call last):
    ...
    tinygrad_ugan.compile.purity.UnknownFunctionError: <lambda> may look at what changes
    """
    return _form(thing, _Walk({}, {}))


def _form(thing: Any, walk: _Walk) -> Hashable:
    kind = type(thing)
    if kind in _VALUES:
        return kind, thing
    rule = _rules.get(kind)
    if rule is None:
        rule = next((rule for of, rule in _RULES if issubclass(kind, of)), _object_form)
        _rules[kind] = rule
    return rule(thing, walk)


_VALUES = frozenset({int, bool, str, bytes, type(None), type(Ellipsis)})
_NumPyFunction = type(np.sum)


class _Walk(NamedTuple):
    """The objects met on the way to a form.

    Attributes
    ----------
    known : dict
        What is known of every object, by id; None while it is being found.
    seen : dict of _Glance
        What the form was taken from, by id.
    """

    known: dict[int, _Memory | None]
    seen: dict[int, _Glance]


class _Glance(NamedTuple):
    """Some parts of something that may change: these very objects, when it was looked at."""

    look: Callable[[Any], list[Any]]
    thing: Any
    found: list[Any]

    @property
    def holds(self) -> bool:
        """Whether they are the same now."""
        now = self.look(self.thing)
        return len(now) == len(self.found) and all(map(is_, now, self.found))


class _Memory(NamedTuple):
    """The form of an object, and what it was taken from."""

    thing: Any
    form: Hashable
    seen: dict[int, _Glance]


_remembered: dict[int, _Memory] = {}
"""The forms of objects, by id: to look again whether one has changed is faster than to find it."""

MOST_REMEMBERED = 256


def _itself(thing: Any, walk: _Walk) -> Hashable:
    return thing  # type: ignore[no-any-return]


def _number_form(x: float, walk: _Walk) -> Hashable:
    return type(x), x.hex()  # tells -0.0 from 0.0, and nan is nan


def _array_form(x: Any, walk: _Walk) -> Hashable:
    if x.nbytes > MAX_BYTES or x.dtype.hasobject:
        raise UnknownFunctionError(f"an array of {x.nbytes:,} bytes is not among its arguments")
    walk.seen[id(x)] = _Glance(lambda _: [object()], x, [])  # its numbers may change at any time
    return type(x), x.dtype, x.shape, x.tobytes()


def _sequence_form(x: Any, walk: _Walk) -> Hashable:
    if not isinstance(x, tuple):
        _look(list, x, walk)
    kinds = tuple(map(type, x))
    if _VALUES.issuperset(kinds):
        return type(x), kinds, tuple(x)
    _check_class(type(x), walk)
    return type(x), *(_form(each, walk) for each in x)


def _mapping_form(x: Mapping[Any, Any], walk: _Walk) -> Hashable:
    _look(_items, x, walk)
    _check_class(type(x), walk)
    return type(x), *((_form(name, walk), _form(value, walk)) for name, value in x.items())


def _partial_form(f: partial[Any], walk: _Walk) -> Hashable:
    return partial, _form(f.func, walk), _form(f.args, walk), _form(f.keywords, walk)


def _method_form(f: MethodType, walk: _Walk) -> Hashable:
    return MethodType, _form(f.__func__, walk), _form(f.__self__, walk)


def _function_form(f: FunctionType, walk: _Walk) -> Hashable:
    if not _is_ours(f):
        raise UnknownFunctionError(f"{f.__name__} may look at what changes")
    held = _look(_held, f, walk)
    return f.__module__, f.__code__, _form(tuple(held[1:]), walk)


def _held(f: FunctionType) -> list[Any]:
    cells = [cell.cell_contents for cell in f.__closure__ or ()]
    return [f.__code__, *cells, f.__defaults__, f.__kwdefaults__]


def _class_form(kind: type, walk: _Walk) -> Hashable:
    _check_class(kind, walk)
    return kind


def _object_form(thing: Any, walk: _Walk) -> Hashable:
    if id(thing) in walk.known:
        memory = walk.known[id(thing)]
        if memory is None:
            raise UnknownFunctionError(f"a {kind_of(thing)} holds itself")
    else:
        memory = _remembered.get(id(thing))
        if (
            memory is None
            or memory.thing is not thing
            or not all(x.holds for x in memory.seen.values())
        ):
            memory = _memory_of(thing, walk.known)
    walk.known[id(thing)] = memory
    walk.seen.update(memory.seen)
    return memory.form


def _memory_of(thing: Any, known: dict[int, _Memory | None]) -> _Memory:
    """Find the form of an object, and remember it."""
    kind = type(thing)
    if not (_is_declared(kind) or is_dataclass(thing)):  # who knows what it is made of
        raise UnknownFunctionError(f"a {kind_of(thing)} may change")
    known[id(thing)] = None
    walk = _Walk(known, {})
    _check_class(kind, walk)
    form = kind, _form(tuple(_look(_fields, thing, walk)), walk)
    memory = _Memory(thing, form, walk.seen)
    if len(_remembered) >= MOST_REMEMBERED:
        _remembered.clear()
    _remembered[id(thing)] = memory
    return memory


def _fields(thing: Any) -> list[Any]:
    """The names and values of an object's fields, and what it states besides."""
    own = getattr(thing, "__dict__", None) or {}
    slots = [name for name in _slots(type(thing)) if hasattr(thing, name)]
    values = [getattr(thing, name) for name in slots]
    return [*own, *own.values(), *slots, *values, stated(thing, "constants")]


def _items(x: Mapping[Any, Any]) -> list[Any]:
    return [*x, *x.values()]


def _look(look: Callable[[Any], list[Any]], thing: Any, walk: _Walk) -> list[Any]:
    """Return parts of something that may change, and take note of them."""
    found = look(thing)
    walk.seen[id(thing)] = _Glance(look, thing, found)
    return found


_RULES: tuple[tuple[Any, Callable[[Any, _Walk], Hashable]], ...] = (
    (Declared | Primitive | Composite | np.ufunc | _NumPyFunction | np.dtype | Enum, _itself),
    (float, _number_form),
    (np.ndarray | np.generic, _array_form),
    (tuple | list, _sequence_form),
    (dict | MappingProxyType, _mapping_form),
    (partial, _partial_form),
    (MethodType, _method_form),
    (FunctionType, _function_form),
    (type, _class_form),
)
_rules: WeakKeyDictionary[type, Callable[[Any, _Walk], Hashable]] = WeakKeyDictionary()
"""The rule of every kind that has been met."""


def _slots(kind: type) -> list[str]:
    slots = _slots_of.get(kind)
    if slots is None:
        groups = (vars(each).get("__slots__", ()) for each in kind.__mro__)
        slots = [x for names in groups for x in ((names,) if isinstance(names, str) else names)]
        _slots_of[kind] = slots
    return slots


_slots_of: WeakKeyDictionary[type, list[str]] = WeakKeyDictionary()


def _is_ours(f: FunctionType) -> bool:
    """Whether a function was written in a module of this package, whatever it calls itself."""
    name = f.__globals__.get("__name__", "")
    module = sys.modules.get(name)
    return name.startswith("tinygrad_ugan.") and getattr(module, "__dict__", None) is f.__globals__


# Classes: the code of this package calls methods by names that it knows. All others are called by
# methods of the same class, which have been declared by `ug.compile`.

_CALLED = frozenset(
    {"inner", "outer", "generate", "inner_on", "outer_on", "logits", "update"}
    | {"real", "noise", "labels", "drawn", "labelled", "classes", "sides"}
)
"""Methods and properties of other people's objects that the package calls, besides Python's own."""
_NEVER_CALLED = frozenset(
    {"__init__", "__new__", "__post_init__", "__setattr__", "__delattr__", "__replace__"}
    | {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__repr__"}
    | {"__str__", "__init_subclass__", "__class_getitem__", "__subclasshook__", "__reduce__"}
    | {"__getnewargs__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__"}
    | {"_make", "_replace", "_asdict"}  # of named tuples, which do not let themselves be overridden
)
_TRUSTED = frozenset({"builtins", "abc", "typing", "enum", "collections"})

_seen: WeakKeyDictionary[type, list[Any]] = WeakKeyDictionary()
"""The members of classes that have been checked."""


def _check_class(kind: type, walk: _Walk) -> None:
    """Refuse a class that has methods of one's own where the package calls them."""
    if kind.__module__ in _TRUSTED:
        return
    members = _look(_members, kind, walk)
    before = _seen.get(kind, ())
    if len(members) == len(before) and all(map(is_, members, before)):
        return
    classes = [each for each in kind.__mro__ if each.__module__ not in _TRUSTED]
    known = {name for each in classes if _is_our_class(each) for name in vars(each)}
    for each in classes:
        for name, member in vars(each).items():
            called = name in _CALLED or name in known or name.startswith("__")
            if called and name not in _NEVER_CALLED and not _is_known(member, each):
                raise UnknownFunctionError(f"{each.__name__}.{name} may look at what changes")
    _seen[kind] = members


def _members(kind: type) -> list[Any]:
    """All members of a class and of those above it, but for those of `object`."""
    return [member for each in kind.__mro__[:-1] for member in vars(each).values()]


def _is_declared(kind: type) -> bool:
    """Whether a class is of this package, or follows one, or has methods of `compile`."""
    return any(
        _is_our_class(each) or any(isinstance(member, Declared) for member in vars(each).values())
        for each in kind.__mro__
    )


def _is_our_class(kind: type) -> bool:
    return kind.__module__.startswith("tinygrad_ugan.")


def _is_known(member: Any, owner: type) -> bool:
    """Whether a member of a class is no function, or one that is known to be pure."""
    for name in ("__func__", "fget", "func"):  # of static and class methods, and properties
        member = getattr(member, name, member)
    if isinstance(member, FunctionType):
        return _is_ours(member)
    return True
