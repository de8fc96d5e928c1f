"""The arguments of a NumPy function that its rule supports: any other call fails where it is made,
and not in the backward pass.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from tinygrad_ugan.errors import NotDifferentiableError

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Signature:
    """The number of arguments taken by position, and the names taken by keyword (None: any).

    Required arguments come by position, because a primitive looks for tensors nowhere else. The
    argument ``out``, which is written to, is never supported.

    Examples
    --------
    >>> signature = Signature.of(lambda a, axis=None, out=None, *, keepdims=False: a)
    >>> signature.required, signature.positional, sorted(signature.keywords)
    (1, 2, ['a', 'axis', 'keepdims'])
    """

    required: int = 0
    positional: float = math.inf
    keywords: frozenset[str] | None = None

    @classmethod
    def of(cls, function: Callable[..., Any], skip: int = 0) -> Signature:
        """Read it off a Python function, without `skip` parameters; of C code, any call."""
        try:
            parameters = [*inspect.signature(function).parameters.values()][skip:]
        except ValueError:
            return cls()
        kinds = {p.kind for p in parameters}
        positional = [p for p in parameters if p.kind in _POSITIONAL]
        before_out = itertools.takewhile(lambda p: p.name != "out", positional)
        return cls(
            required=sum(p.default is inspect.Parameter.empty for p in positional),
            positional=math.inf
            if inspect.Parameter.VAR_POSITIONAL in kinds
            else len([*before_out]),
            keywords=None
            if inspect.Parameter.VAR_KEYWORD in kinds
            else frozenset(p.name for p in parameters if p.kind in _NAMED) - {"out"},
        )

    def accepts(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call can be passed on as it is."""
        return self.required <= len(args) <= self.positional and (
            not kwargs or self.keywords is None or kwargs.keys() <= self.keywords
        )

    def normalized(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Rewrite a call of `function` so that it is accepted: defaults left out, options by name.

        Raises
        ------
        NotDifferentiableError
            If the rule does not support an argument that is not the default.
        """
        required, options = _spell_out(function, args, kwargs)
        unknown = [] if self.keywords is None else [n for n in options if n not in self.keywords]
        if unknown:
            refuse_keywords(function, unknown)
        return required, options


def full_name(function: Callable[..., Any]) -> str:
    """Return the public name of a NumPy function, such as ``numpy.linalg.inv``."""
    name = function.__name__
    if getattr(np, name, None) is function:
        return f"numpy.{name}"
    module = getattr(function, "__module__", None)  # ufuncs of other packages have none
    return f"{module}.{name}" if module else name


def refuse_keywords(function: Callable[..., Any], keywords: Iterable[str]) -> NoReturn:
    """Raise the error for arguments with which a function has no rule."""
    name = full_name(function)
    if "out" in keywords:
        raise NotDifferentiableError(
            f"{name} with out= writes in place, which has no derivative; leave out= away and "
            "use the value that is returned (for y += x on a plain array y: y = y + x)"
        )
    given = ", ".join(f"{keyword}=" for keyword in keywords)
    raise NotDifferentiableError(
        f"{name} with {given} has no derivative rule; leave it away, or write it with functions "
        "that have one, such as np.where and astype"
    )


def _spell_out(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Split a call into required arguments, by position, and options that are not the default."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C: it has no signature
        return args, kwargs
    required: list[Any] = []
    options: dict[str, Any] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        parameter = signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            options.update(value)
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            required.extend(value)
        elif parameter.default is inspect.Parameter.empty:
            required.append(value)
        elif not _is_same(value, parameter.default):
            options[name] = value
    return required, options


def _is_same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, str) and value == default)
