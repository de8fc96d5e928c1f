"""Checks of what optimisers are given, and of what they return; the errors name it."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.autodiff.operands import match_dtype, shape_of, untrace
from tinygrad_ugan.errors import ArgumentError, kind_of
from tinygrad_ugan.typing import PyTree


def is_optimizer(thing: Any) -> bool:
    """Whether it has `init` and `update`, and is no class, which would have to be called first."""
    both = all(callable(getattr(thing, name, None)) for name in ("init", "update"))
    return both and not isinstance(thing, type)


def leaves_like(models: list[Any], structure: Any, name: str, tree: PyTree) -> list[Any]:
    """Return the leaves of a tree that must be like the parameters, in structure and shapes."""
    leaves, found = optree.tree_flatten(tree)
    if found != structure:
        raise ArgumentError(name, f"the structure {found}", f"that of params, {structure}")
    for leaf, model in zip(leaves, models, strict=True):
        if shape_of(leaf) != shape_of(model):
            given, expected = f"shape {shape_of(leaf)}", f"that of its parameter, {shape_of(model)}"
            raise ArgumentError(name, given, expected)
    return list(leaves)


def check_state(name: str, state: PyTree, model: PyTree) -> None:
    """Refuse a state of another structure than a model, or of other shapes or dtypes."""
    _checked(name, state, model, "as from the optimiser's init")


def checked_update(
    optimizer: Any, updated: Any, state: PyTree, params: PyTree
) -> tuple[PyTree, PyTree]:
    """Return what `update` returned: updates like the parameters, and a state like the one before.

    A traced setting widens float32 to float64, as no number does; that is taken back.

    Raises
    ------
    ArgumentError
        If a structure, shape or dtype has changed; the message says what came, and where.
    """
    kind = kind_of(optimizer)
    if not isinstance(updated, tuple) or len(updated) != 2:
        given = f"a {kind_of(updated)} from {kind}.update"
        raise ArgumentError("optimizer", given, "the pair (updates, state)")
    updates, after = updated
    return (
        _checked(f"optimizer, {kind}'s updates", updates, params, "as params are"),
        _checked(f"optimizer, {kind}'s state", after, state, "as before the update"),
    )


def try_update(optimizer: Any, state: PyTree, params: PyTree) -> None:
    """Take a step of an optimiser on bare arrays, as `checked_update` has it, to see what it does.

    Where everything is traced, it cannot be seen whether the optimiser widens a dtype itself; and
    only arrays that are protected tell who writes to them.

    Raises
    ------
    ArgumentError
        As `checked_update`, or if the optimiser writes to an array that it is given.
    """
    grads = optree.tree_map(lambda x: np.ones_like(untrace(x)), params)
    given = optree.tree_map(_protected, (grads, state, params))
    try:
        with np.errstate(all="ignore"):
            updated = optimizer.update(*given)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        written = f"{kind_of(optimizer)}.update, which writes to an array that it is given"
        hint = "write v = 0.9 * v + g in place of v *= 0.9; v += g"
        raise ArgumentError("optimizer", written, "one that returns new arrays", hint) from error
    checked_update(optimizer, updated, *given[1:])


def _protected(leaf: Any) -> Any:
    bare = untrace(leaf)
    if not isinstance(bare, np.ndarray):
        return bare
    view = bare.view()
    view.flags.writeable = False
    return view


def _checked(name: str, tree: PyTree, model: PyTree, like: str) -> PyTree:
    leaves, found = optree.tree_flatten(tree)
    models, structure = optree.tree_flatten(model)
    if found != structure:
        raise ArgumentError(name, f"{found}", f"the structure {structure}, {like}")
    kept = [_narrowed(leaf, each) for leaf, each in zip(leaves, models, strict=True)]
    for i, (leaf, each) in enumerate(zip(kept, models, strict=True)):
        if _kind(leaf) != _kind(each):
            place = optree.tree_accessors(model)[i].codify(name)
            raise ArgumentError(place, _words(leaf), f"{_words(each)}, {like}")
    return optree.tree_unflatten(structure, kept)


def _narrowed(leaf: Any, model: Any) -> Any:
    both_float = isinstance(leaf, Tensor) and _kind(leaf)[0].kind == _kind(model)[0].kind == "f"
    return match_dtype(leaf, model) if both_float else leaf


def _kind(leaf: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Dtype and shape of an array, a tensor or a Python number."""
    try:
        return leaf.dtype, leaf.shape
    except AttributeError:
        return np.asarray(leaf).dtype, ()


def _words(leaf: Any) -> str:
    dtype, shape = _kind(leaf)
    return f"{dtype} of shape {shape}"
