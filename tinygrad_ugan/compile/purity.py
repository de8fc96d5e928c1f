"""Functions that are known to depend on their arguments alone, and the constants in them, by value.

A program holds the constants of the function that it was recorded from: the fields of objects, and
what functions have closed over. Whoever keeps programs for later has to know two things: that the
function looks at nothing that may change unseen, and by which constants its programs differ. Nobody
can find out the first for any function of Python. But the code of this package is written so, and
who writes ``ug.compile`` above a function of their own has said so. `form_of` knows these two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from operator import is_
from types import FunctionType, MappingProxyType, MethodType
from typing import Any
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
    return _form(thing, {})


def _form(thing: Any, known: _Known) -> Hashable:
    kind = type(thing)
    if kind in _VALUES:
        return kind, thing
    rule = _rules.get(kind)
    if rule is None:
        rule = next((rule for of, rule in _RULES if issubclass(kind, of)), _object_form)
        _rules[kind] = rule
    return rule(thing, known)


_VALUES = frozenset({int, bool, str, bytes, type(None), type(Ellipsis)})
_NumPyFunction = type(np.sum)
_Known = dict[int, tuple[Any, Hashable]]
"""The objects whose forms are known, by id, with their forms; None while that is being found."""


def _itself(thing: Any, known: _Known) -> Hashable:
    return thing  # type: ignore[no-any-return]


def _number_form(x: float, known: _Known) -> Hashable:
    return type(x), x.hex()  # tells -0.0 from 0.0, and nan is nan


def _array_form(x: Any, known: _Known) -> Hashable:
    if x.nbytes > MAX_BYTES or x.dtype.hasobject:
        raise UnknownFunctionError(f"an array of {x.nbytes:,} bytes is not among its arguments")
    return type(x), x.dtype, x.shape, x.tobytes()


def _sequence_form(x: Any, known: _Known) -> Hashable:
    kinds = tuple(map(type, x))
    if _VALUES.issuperset(kinds):
        return type(x), kinds, tuple(x)
    _check_class(type(x))
    return type(x), *(_form(each, known) for each in x)


def _mapping_form(x: Mapping[Any, Any], known: _Known) -> Hashable:
    _check_class(type(x))
    return type(x), *((_form(name, known), _form(value, known)) for name, value in x.items())


def _partial_form(f: partial[Any], known: _Known) -> Hashable:
    return partial, _form(f.func, known), _form(f.args, known), _form(f.keywords, known)


def _method_form(f: MethodType, known: _Known) -> Hashable:
    return MethodType, _form(f.__func__, known), _form(f.__self__, known)


def _function_form(f: FunctionType, known: _Known) -> Hashable:
    if not _is_ours(f):
        raise UnknownFunctionError(f"{f.__name__} may look at what changes")
    held = *(cell.cell_contents for cell in f.__closure__ or ()), f.__defaults__, f.__kwdefaults__
    return f.__module__, f.__code__, _form(held, known)


def _class_form(kind: type, known: _Known) -> Hashable:
    _check_class(kind)
    return kind


def _object_form(thing: Any, known: _Known) -> Hashable:
    if id(thing) in known:
        form = known[id(thing)][1]
        if form is None:
            raise UnknownFunctionError(f"a {kind_of(thing)} holds itself")
        return form
    kind = type(thing)
    if not (_is_declared(kind) or is_dataclass(thing)):  # who knows what it is made of
        raise UnknownFunctionError(f"a {kind_of(thing)} may change")
    _check_class(kind)
    known[id(thing)] = thing, None
    fields = dict(getattr(thing, "__dict__", ()))
    fields |= {name: getattr(thing, name) for name in _slots(kind) if hasattr(thing, name)}
    besides = stated(thing, "constants")
    form = kind, tuple(fields), _form([*fields.values(), besides], known)
    known[id(thing)] = thing, form
    return form


_RULES: tuple[tuple[Any, Callable[[Any, _Known], Hashable]], ...] = (
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
_rules: WeakKeyDictionary[type, Callable[[Any, _Known], Hashable]] = WeakKeyDictionary()
"""The rule of every kind that has been met."""


def _slots(kind: type) -> Iterator[str]:
    for each in kind.__mro__:
        names = vars(each).get("__slots__", ())
        yield from (names,) if isinstance(names, str) else names


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


def _check_class(kind: type) -> None:
    """Refuse a class that has methods of one's own where the package calls them."""
    if kind.__module__ in _TRUSTED:
        return
    members = [member for each in kind.__mro__ for member in vars(each).values()]
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
