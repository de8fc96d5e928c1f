"""Leaves of the pytrees that transforms take and return: checked, unwrapped, matched."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import (
    anywhere,
    as_operand,
    is_plain,
    shape_of,
    unsupported_operand,
    unsupported_type,
)
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


def is_traced_at(x: Any, level: int) -> bool:
    """Whether `x` is traced at exactly this level."""
    return isinstance(x, Tracer) and x.level == level


def is_traced(tree: Any) -> bool:
    """Whether a leaf of a tree is traced, at any level."""
    return any(isinstance(leaf, Tracer) for leaf in optree.tree_leaves(tree))


def is_known_non_finite(tree: Any) -> bool:
    """Whether a leaf of a tree holds a NaN or an infinity, as far as its numbers are to be seen."""
    return any(map(_is_known_non_finite, optree.tree_leaves(tree)))


def _is_known_non_finite(x: Any) -> bool:
    if type(x) is np.ndarray:
        return not np.isfinite(x).all()
    return anywhere(~np.isfinite(x), unknown=False)


def value_below(x: Any, level: int) -> Any:
    """Return the value of an output below `level`; Python numbers become NumPy scalars.

    Arrays of objects or of other libraries, which could hide tensors, are refused.
    """
    if is_traced_at(x, level):
        return x.value
    if isinstance(x, Tracer):
        return x
    if not isinstance(x, np.ndarray | np.generic):
        if hasattr(x, "dtype") or hasattr(x, "__array__"):
            raise unsupported_type(type(x))
        x = np.asarray(x)[()]
    if x.dtype.kind == "O":
        raise unsupported_operand(x)
    return x


def flatten_floating(primals: Sequence[Any], names: Sequence[str]) -> tuple[list[Any], Any]:
    """Flatten primals and check that all leaves are floating; errors call them by `names`."""
    leaves, treedef = optree.tree_flatten(tuple(primals))
    for i, leaf in enumerate(leaves):
        if type(leaf) is np.ndarray and leaf.dtype.kind == "f":
            continue
        if type(leaf) in (float, np.memmap):
            leaves[i] = leaf = np.asarray(leaf)[()]
        elif isinstance(leaf, Tracer) and type(leaf.value) is float:  # of level 0
            leaves[i] = leaf = leaf * np.float64(1)  # type: ignore[operator]
        if not is_plain(leaf) or isinstance(leaf, int) or leaf.dtype.kind != "f":
            accessor = optree.tree_accessors(tuple(primals))[i]
            raise _not_floating(accessor[1:].codify(names[accessor[0].entry]), leaf)
    return leaves, treedef


def _not_floating(where: str, leaf: Any) -> ArgumentTypeError:
    is_numpy = type(leaf) is np.ndarray or isinstance(leaf, np.generic | Tracer)
    kind = f"dtype {leaf.dtype}" if is_numpy else type(leaf).__name__
    hint = "convert it with np.asarray(x, float)"
    if isinstance(leaf, complex) or getattr(getattr(leaf, "dtype", None), "kind", "") == "c":
        hint = "hand in its real and imaginary parts as two real arrays"
    elif isinstance(leaf, np.ma.MaskedArray):
        hint = "give the masked places a value: x.filled(value)"
    elif dataclasses.is_dataclass(leaf):
        hint = "make it a pytree: decorate the class with optree.dataclasses.dataclass"
    return ArgumentTypeError(where, kind, "a floating-point array", hint)


def match_leaves(name: str, tree: Any, leaves: Sequence[Any], treedef: Any) -> list[Any]:
    """Flatten a cotangent or tangent and give its leaves the dtypes of `leaves`.

    For floating-point leaves they must be real: a cast would drop the imaginary part.
    """
    try:
        given: list[Any] = treedef.flatten_up_to(tree)
    except ValueError as error:
        raise ArgumentError(
            name, str(optree.tree_structure(tree)), f"the structure {treedef}"
        ) from error
    for i, (x, leaf) in enumerate(zip(given, leaves, strict=True)):
        if type(x) is type(leaf) is np.ndarray and x.dtype == leaf.dtype and x.shape == leaf.shape:
            continue
        if not isinstance(x, Tracer):
            x = as_operand(x) if leaf.dtype.kind == "f" else x
            x = np.asarray(x, leaf.dtype) if shape_of(leaf) else leaf.dtype.type(x)
            given[i] = x
        if shape_of(x) != shape_of(leaf):
            raise ArgumentError(
                name, f"shape {shape_of(x)} for leaf {i}", f"shape {shape_of(leaf)}"
            )
    return given


def zeros_of(x: Any) -> Any:
    """Zeros of the shape and dtype of `x`."""
    return np.zeros(shape_of(x), x.dtype)[()]


def restrict(
    f: Callable[..., Any], positions: Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return `f` as a function of the arguments at `positions` alone, and these arguments."""
    for i in positions:
        if not -len(args) <= i < len(args):
            raise ArgumentError("argnums", i, f"one of the {len(args)} positional arguments")
    if len({i % len(args) for i in positions}) < len(positions):
        raise ArgumentError("argnums", tuple(positions), "different arguments, each named once")

    def of_chosen(*chosen: Any) -> Any:
        full = list(args)
        for i, x in zip(positions, chosen, strict=True):
            full[i] = x
        return f(*full, **kwargs)

    return of_chosen, tuple(args[i] for i in positions)
