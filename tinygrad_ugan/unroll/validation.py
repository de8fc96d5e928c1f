"""Validation of the arguments that the functions of this room share; the errors name them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.pytrees import is_known_non_finite, is_traced
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.nn.validation import check_array
from tinygrad_ugan.optim.validation import is_optimizer
from tinygrad_ugan.typing import PyTree


def check_whole_number(
    name: str, given: Any, expected: str, low: int, high: float = math.inf
) -> int:
    """Return a whole number between two bounds as one of Python's."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise ArgumentTypeError(name, repr(given), expected)
    if not low <= given <= high:
        raise ArgumentError(name, given, expected)
    return int(given)


def check_step_sizes(lr: Any, steps: int) -> list[Any]:
    """Return the step sizes eta_0 ... eta_{K-1}: floats, or tensors where `lr` is traced."""
    if type(lr) is float and math.isfinite(lr):
        return [lr] * steps
    try:
        etas = autodiff.array(lr, float)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError("lr", repr(lr), "a number or a sequence of numbers") from error
    if etas.shape not in ((), (steps,)):
        raise ArgumentError("lr", f"shape {etas.shape}", f"one number, or {steps} (one a step)")
    if is_known_non_finite(etas):
        raise NonFiniteError("lr", repr(untrace(lr)), "finite numbers")
    if not is_traced(etas):
        etas = etas.tolist()
    return list(etas) if np.shape(etas) else [etas] * steps


def check_optimizer(optimizer: Any) -> None:
    """Refuse an optimiser without `init` and `update`."""
    if not is_optimizer(optimizer):
        expected = (
            "an optimiser of ug.optim, SGD, Momentum or Adam, or another with init and update"
        )
        raise ArgumentTypeError("optimizer", repr(optimizer), expected)


def check_batches(batch: Any, steps: int) -> list[Any]:
    """Return the batches b_0 ... b_K."""
    fresh = isinstance(batch, list) or type(batch) is tuple
    if fresh and len(batch) != steps + 1:
        raise ArgumentError(
            "batch",
            f"{len(batch)} batches",
            f"one batch, or steps + 1 = {steps + 1}",
            "a single batch that is a list or tuple is to be given as a named tuple or a dict",
        )
    return list(batch) if fresh else [batch] * (steps + 1)


def check_finite_batch(batch: Any) -> None:
    """Refuse another library's array, and a NaN or infinity; the error says where it is."""
    check_library("batch", batch)
    for i, leaf in enumerate(optree.tree_leaves(batch)):
        if is_floating(leaf) and is_known_non_finite(leaf):
            place = _place("batch", batch, i)
            raise NonFiniteError(place, "a NaN or infinity", "finite numbers")


def check_parameters(name: str, params: PyTree) -> None:
    """Refuse parameters that are not floating-point numbers of NumPy; the error says where."""
    if _are_layers(params):
        return
    leaves = optree.tree_leaves(params)
    if all(map(is_floating, leaves)):
        return
    i, leaf = next((i, leaf) for i, leaf in enumerate(leaves) if not is_floating(leaf))
    check_library(name, params)
    raise ArgumentTypeError(
        _place(name, params, i),
        f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf),
        "floating-point parameters",
        "convert them with .astype(np.float32) or .astype(np.float64)",
    )


def check_library(name: str, tree: PyTree) -> None:
    """Refuse another library's array; the error says where it is."""
    for i, leaf in enumerate(optree.tree_leaves(tree)):
        if type(leaf) is not np.ndarray and (hasattr(leaf, "dtype") or hasattr(leaf, "__array__")):
            check_array(_place(name, tree, i), leaf)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a floating-point number, or an array of them."""
    try:
        return bool(leaf.dtype.kind == "f")
    except AttributeError:  # not an array
        return isinstance(leaf, float)


def _are_layers(params: PyTree) -> bool:
    """Whether parameters are floating-point arrays of layers: a quick test for the usual case."""
    if type(params) is not list:
        return False
    for layer in params:
        if type(layer) is not dict:
            return False
        for x in layer.values():
            if type(x) is not np.ndarray or x.dtype.kind != "f":
                return False
    return True


def _place(name: str, tree: PyTree, i: int) -> str:
    """Write the way to leaf i as one would in Python: ``theta_d[0]['w']``, ``batch.real``."""
    for key in optree.tree_paths(tree)[i]:
        fields = getattr(tree, "_fields", None)
        name += f".{fields[key]}" if fields else f"[{key!r}]"
        tree = tree[key]
    return name
