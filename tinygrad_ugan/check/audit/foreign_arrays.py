"""Arrays of any library as NumPy arrays, by the protocols they speak; no library is imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.tree import ravel
from tinygrad_ugan.typing import Array, PyTree

_IN_ORDER_OF_INSERTION = "tinygrad_ugan.check"
_PROTOCOLS = ("__array__", "__dlpack__")


def as_numpy(name: str, x: Any) -> Array:
    """Convert an array of NumPy, PyTorch, JAX, or anything that speaks ``__array__`` or DLPack.

    Raises
    ------
    ArgumentTypeError
        If it is none, or holds no real numbers; the message names it.
    """
    for method in ("detach", "cpu"):  # PyTorch: off the tape, off the GPU
        x = getattr(x, method, lambda x=x: x)()
    try:
        array = np.asarray(x)
        if array.dtype == object and hasattr(x, "__dlpack__"):
            array = np.from_dlpack(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentTypeError(name, f"{type(x).__name__}: {error}", "an array") from error
    if array.dtype.kind not in "fiub":
        hint = "convert them with .astype(float32), or .float() in PyTorch"
        raise ArgumentTypeError(name, f"dtype {array.dtype}", "an array of real numbers", hint)
    return array


def tree_as_numpy(name: str, tree: PyTree) -> PyTree:
    """Convert every array in a tree; floating-point numbers become float64."""
    accessors = iter(optree.tree_accessors(tree))

    def convert(leaf: Any) -> Any:
        place = next(accessors).codify(name)
        if not isinstance(leaf, float) and not any(hasattr(leaf, name) for name in _PROTOCOLS):
            return leaf
        array = as_numpy(place, leaf)
        if array.dtype.kind != "f":
            return array
        if not np.all(np.isfinite(array)):
            raise NonFiniteError(place, "a NaN or infinity", "finite numbers")
        return array.astype(np.float64)[()]

    return optree.tree_map(convert, tree)


def coarsest(*trees: PyTree) -> np.dtype:
    """Return the least precise dtype of the floating-point leaves; float64 if there are none."""
    dtypes = [as_numpy("an array", leaf).dtype for leaf in optree.tree_leaves(trees)]
    floats = [dtype for dtype in dtypes if dtype.kind == "f"]
    return max(floats, key=lambda dtype: float(np.finfo(dtype).eps), default=np.dtype(np.float64))


def readings(name: str, given: PyTree, like: PyTree) -> list[Array]:
    """Return every way to read `given` as a vector in the order of the leaves of `like`.

    There is one where it has the structure of `like`. A plain sequence of its leaves, or all of
    them laid end to end, may follow the sorted keys of dictionaries, as JAX has it, or the order
    in which they were inserted, as PyTorch has it: two readings. None stands for zeros.

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        If structure or shapes do not fit, or a number is not finite; the message names the leaf.
    """
    leaves = [
        None if leaf is None else as_numpy(accessor.codify(name), leaf)
        for accessor, leaf in zip(
            optree.tree_accessors(given, none_is_leaf=True),
            optree.tree_leaves(given, none_is_leaf=True),
            strict=True,
        )
    ]
    shapes = [np.shape(leaf) for leaf in optree.tree_leaves(like)]
    single = leaves[0] if len(leaves) == 1 else None
    if single is not None and single.ndim == 1 and [single.shape] != shapes:
        found = list(_cut(name, single, like))
    elif _paths(given) == _paths(like):
        names = [accessor.codify(name) for accessor in optree.tree_accessors(like)]
        found = [check_shapes(names, leaves, shapes)]
    elif len(leaves) == len(shapes):
        found = _reordered(name, leaves, like)
    else:
        expected = f"the structure of theta_g: {_describe(like)}"
        raise ArgumentError(name, f"{len(leaves)} arrays of another structure", expected)
    return [_vector(name, leaves, shapes) for leaves in found]


def transposed_readings(name: str, given: PyTree, like: PyTree) -> list[Array]:
    """Return every way to read `given` whose matrices are the transposes of those of `like`.

    So ``torch.nn.Linear`` holds its weights, (n_out, n_in), and lays them end to end. There is none
    where shapes do not fit, or `like` has no matrix.
    """
    if not any(np.ndim(leaf) == 2 for leaf in optree.tree_leaves(like)):
        return []
    turned = optree.tree_map(_turned, like)
    try:
        vectors = readings(name, given, turned)
    except ArgumentError as error:
        if isinstance(error, NonFiniteError):
            raise
        return []
    _, rebuild = ravel(turned)
    return [ravel(optree.tree_map(_turned, rebuild(vector)))[0] for vector in vectors]


def _turned(x: Array) -> Array:
    return x.T if np.ndim(x) == 2 else x


def _paths(tree: PyTree) -> list[tuple[Any, ...]]:
    return list(optree.tree_paths(tree, none_is_leaf=True))


def _describe(tree: PyTree) -> str:
    accessors = optree.tree_accessors(tree)
    parts = [f"{a.codify('theta_g')} {np.shape(a(tree))}" for a in accessors[:6]]
    return ", ".join(parts) + (", ..." if len(accessors) > 6 else "")


def check_shapes(
    names: Sequence[str], leaves: Sequence[Array | None], shapes: Sequence[tuple[int, ...]]
) -> list[Array | None]:
    """Return the leaves; raise `ArgumentError` if one has not its shape. None fits any."""
    for name, leaf, shape in zip(names, leaves, shapes, strict=True):
        if leaf is not None and leaf.shape != shape:
            turned = leaf.ndim == 2 and leaf.shape[::-1] == shape
            hint = (
                "torch.nn.Linear holds the transpose of our weights: hand in .T" if turned else ""
            )
            raise ArgumentError(name, f"shape {leaf.shape}", f"shape {shape}", hint)
    return list(leaves)


def _orders(like: PyTree) -> list[list[int]]:
    """Positions of the leaves, by sorted keys, in each order in which they may have been listed."""
    places = optree.tree_unflatten(
        optree.tree_structure(like), range(optree.tree_structure(like).num_leaves)
    )
    with optree.dict_insertion_ordered(True, namespace=_IN_ORDER_OF_INSERTION):
        inserted = optree.tree_leaves(places, namespace=_IN_ORDER_OF_INSERTION)
    orders = [optree.tree_leaves(places), inserted]
    return orders if orders[0] != orders[1] else orders[:1]


def _reordered(name: str, leaves: list[Array | None], like: PyTree) -> list[list[Array | None]]:
    shapes = [np.shape(leaf) for leaf in optree.tree_leaves(like)]
    names = [f"{name}[{i}]" for i in range(len(leaves))]
    orders = _orders(like)
    fitting = [
        order
        for order in orders
        if all(
            leaf is None or leaf.shape == shapes[place]
            for leaf, place in zip(leaves, order, strict=True)
        )
    ]
    if not fitting:
        check_shapes(names, leaves, [shapes[place] for place in orders[-1]])
    return [[leaves[order.index(p)] for p in range(len(leaves))] for order in fitting]


def _cut(name: str, vector: Array, like: PyTree) -> Iterator[list[Array | None]]:
    shapes = [np.shape(leaf) for leaf in optree.tree_leaves(like)]
    total = sum(int(np.prod(shape)) for shape in shapes)
    if vector.size != total:
        raise ArgumentError(name, f"a vector of {vector.size}", f"{total} numbers, as in theta_g")
    for order in _orders(like):
        ends = np.cumsum([int(np.prod(shapes[place])) for place in order])
        parts = np.split(vector, ends[:-1])
        yield [parts[order.index(p)].reshape(shapes[p]) for p in range(len(shapes))]


def _vector(name: str, leaves: Sequence[Array | None], shapes: Sequence[tuple[int, ...]]) -> Array:
    parts = [
        np.zeros(int(np.prod(shape))) if leaf is None else np.ravel(leaf).astype(np.float64)
        for leaf, shape in zip(leaves, shapes, strict=True)
    ]
    vector = np.concatenate(parts) if parts else np.zeros(0)
    if not np.all(np.isfinite(vector)):
        raise NonFiniteError(name, "a NaN or infinity", "a finite gradient")
    return vector
