"""Functions with NumPy's own values, differentiated as a composition of others.

Many functions of NumPy are a few lines of Python around others. A composition of functions with
rules gives their derivatives, but rounds differently. So a traced call returns the bits of NumPy's
own function, and the composition runs for the derivatives alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Params
from tinygrad_ugan.autodiff.operands import broadcast_like, match_dtype, untrace
from tinygrad_ugan.autodiff.primitive import Composite, general
from tinygrad_ugan.autodiff.pytrees import restrict
from tinygrad_ugan.autodiff.signatures import Signature, full_name
from tinygrad_ugan.errors import NotDifferentiableError


def derive(function: Callable[..., Any], composition: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function with the values of one and the derivatives of another.

    Parameters
    ----------
    function : callable
        Runs on bare arrays and returns one array.
    composition : callable
        The same in terms of functions with rules, equal but for rounding. Its parameters say which
        of those of `function` are supported. Any of them may hold tensors, by whatever name.

    Returns
    -------
    callable
        Takes what `composition` takes. Given a ``dtype`` of integers, its result is a constant.
    """

    def call(*args: Any, **params: Any) -> Any:
        arguments = signature.bind(*args, **params).arguments
        spelt = [arguments.pop(name) for name in required], arguments
        if not _is_floating(function, arguments.get("dtype")):
            bare, options = optree.tree_map(untrace, spelt)
            return function(*bare, **options)
        leaves, treedef = optree.tree_flatten(spelt)
        return primitive(treedef, *leaves)

    def value(treedef: Any, *leaves: Any) -> Any:
        args, params = optree.tree_unflatten(treedef, leaves)
        is_complex = any(map(np.iscomplexobj, leaves))
        if is_complex or np.iscomplexobj(result := function(*args, **params)):
            raise NotDifferentiableError(
                f"{full_name(function)} has a complex argument or result here; only real numbers "
                "differentiate"
            )
        return result

    def of_traced(
        traced: Sequence[int], args: Sequence[Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        def composed(treedef: Any, *leaves: Any) -> Any:
            args, params = optree.tree_unflatten(treedef, leaves)
            return composition(*args, **params)

        return restrict(composed, traced, tuple(args), {})

    def jvp(
        traced: Sequence[int],
        ans: Any,
        args: Sequence[Any],
        params: Params,
        tangents: Sequence[Any],
    ) -> Any:
        f, primals = of_traced(traced, args)
        return broadcast_like(transforms().jvp(f, primals, tangents)[1], ans)

    def vjp(
        traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
    ) -> Sequence[Any]:
        f, primals = of_traced(traced, args)
        out, pullback = transforms().vjp(f, *primals)
        cotangents: Sequence[Any] = pullback(match_dtype(cotangent, out))
        return cotangents

    signature = inspect.signature(composition)
    required = [p.name for p in signature.parameters.values() if p.default is p.empty]
    value.__name__ = function.__name__
    primitive = general(value, jvp, vjp)
    return call


def derived(
    function: Callable[..., Any],
    composition: Callable[..., Any],
    convention: str = "",
) -> Composite:
    """Declare a NumPy function by a composition that gives its derivatives; see `derive`."""
    return Composite(
        name=function.__name__,
        function=function,
        implementation=derive(function, composition),
        convention=convention,
        signature=Signature.of(composition),
    )


def transforms() -> Any:
    """Import the module of `jvp` and `vjp`, which itself imports this table."""
    from tinygrad_ugan.autodiff import transforms

    return transforms


def _is_floating(function: Callable[..., Any], dtype: Any) -> bool:
    """Whether a result of this dtype (None: the default) has a derivative."""
    kind = "f" if dtype is None else np.dtype(dtype).kind
    if kind == "c":
        raise NotDifferentiableError(
            f"{full_name(function)} with dtype={dtype!r} is complex; differentiate real numbers"
        )
    return kind == "f"
