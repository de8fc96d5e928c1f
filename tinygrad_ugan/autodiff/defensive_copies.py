"""Defensive copies: nobody outside the engine can write to an array that the tape holds.

A NumPy array can be written to at any time, and a tape is read long after it was recorded. Results
of operations belong to the engine. Everything that comes from outside is copied on its way in: the
leaves that a transform is given (`private_copy`), and the constants that meet a tensor, with their
indices, masks and parameters (`CopyingNode`). Whatever leaves the engine while the tape is alive is
copied on its way out (`writable_copy`). So a function may reuse its buffers, and its derivatives
are those of the numbers that stood in them when it used them.

A large array is copied once, and the copy is reused for as long as the array, compared bit by bit,
has not changed. The copy is read-only, and is recognised wherever it comes back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Node, Params, Tracer

_Array = np.ndarray
_IMMUTABLE = frozenset({int, float, bool, str, type(None), type(Ellipsis), np.float64, np.float32})

SMALL = 2**14
"""Up to this many bytes, copying an array again is quicker than looking for an older copy."""

_large: WeakValueDictionary[int, np.ndarray] = WeakValueDictionary()
"""The copies of large arrays that some tape still holds, by the addresses of the originals."""


class CopyingNode(Node):
    """A node of the tape that holds copies of the constants that went into its operation."""

    __slots__ = ()

    @staticmethod
    def record(
        primitive: Any,
        parents: Sequence[Any],
        traced: Sequence[int],
        ans: Any,
        args: list[Any],
        params: Params,
    ) -> CopyingNode:
        """Put an operation on the tape, as `Node.record` does; the list `args` is changed."""
        if primitive.reads and len(parents) < len(args):
            for i, x in enumerate(args):  # in place, as this runs for every operation
                kind = type(x)
                if kind is _Array:
                    if i not in traced:
                        args[i] = x.copy() if x.nbytes <= SMALL else _shared_copy(x)
                elif kind not in _IMMUTABLE:
                    args[i] = private_copy(x)
        if params:
            params = {name: private_copy(x) for name, x in params.items()}
        return CopyingNode(parents, partial(primitive.vjp, traced, ans, args, params))


def private_copy(x: Any) -> Any:
    """Copy a constant so that nobody else can change it, arrays inside of containers included.

    Anything but arrays, lists, tuples, dicts and slices is returned as it is.
    """
    kind = type(x)
    if kind is _Array:
        return x.copy() if x.nbytes <= SMALL else _shared_copy(x)
    if kind in _IMMUTABLE or isinstance(x, Tracer):
        return x
    if isinstance(x, np.ndarray):
        return _shared_copy(np.asarray(x)) if kind is np.memmap else x.copy()
    if kind in (list, tuple):
        return kind(map(private_copy, x))
    if kind is dict:
        return {name: private_copy(value) for name, value in x.items()}
    if kind is slice:
        return slice(private_copy(x.start), private_copy(x.stop), private_copy(x.step))
    return x


def writable_copy(x: Any) -> Any:
    """Copy an array, for its receiver to write to; anything else is returned as it is."""
    return x.copy() if isinstance(x, np.ndarray) else x


def unaliased(arrays: Sequence[Any]) -> list[Any]:
    """Copy the arrays that are read-only, views or repeated, so that all can be written to."""
    taken = set()
    found = []
    for x in arrays:
        if isinstance(x, np.ndarray) and (
            x.base is not None or id(x) in taken or not x.flags.writeable
        ):
            x = x.copy()
        taken.add(id(x))
        found.append(x)
    return found


def isolated(f: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a user's function that the tape calls: its arguments and results are copies, which it
    may write to at any time.
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **params: Any) -> Any:
        args, params = optree.tree_map(writable_copy, (args, params))
        return optree.tree_map(writable_copy, f(*args, **params))

    return wrapped


def _shared_copy(x: np.ndarray) -> np.ndarray:
    """Return a read-only copy; the same one for as long as x does not change."""
    if _is_copy(x):
        return x
    if x.dtype.kind not in "biufc":  # objects: equal bytes do not mean equal values
        return x.copy()
    address = x.__array_interface__["data"][0]
    known = _large.get(address)
    if known is None or not _is_same(known, x):
        _large[address] = known = np.asarray(_PooledMemory(x))
    return known


def _is_copy(x: np.ndarray) -> bool:
    """Whether the array is one of the shared copies, or a view of one.

    The flag of a read-only array is no proof: other views of its memory may be writeable.
    """
    base: Any = x
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base) is _PooledMemory


def _is_same(copy: np.ndarray, x: np.ndarray) -> bool:
    """Whether two arrays are the same bit by bit, and laid out alike."""
    if x.shape != copy.shape or x.dtype != copy.dtype or x.strides != copy.strides:
        return False
    old, new = (np.ravel(a, "K").view(np.uint8) for a in (copy, x))
    words = old.size - old.size % 8  # eight bytes at a time are the quickest
    return np.array_equal(old[:words].view(np.uint64), new[:words].view(np.uint64)) and (
        np.array_equal(old[words:], new[words:])
    )


class _PooledMemory:
    """The base of a copy: its memory returns to a pool when the last array in it is gone.

    Asking the system for memory takes several times as long as copying into memory at hand.
    """

    memory: np.ndarray | None = None

    def __init__(self, x: np.ndarray) -> None:
        try:
            self.memory = _free[x.nbytes].pop()
        except LookupError:
            self.memory = np.empty(x.nbytes, np.uint8)
        copy = self.memory.view(x.dtype).reshape(x.shape, order="F" if x.flags.fnc else "C")
        np.copyto(copy, x)
        interface = copy.__array_interface__
        interface["data"] = (interface["data"][0], True)  # read-only
        self.__array_interface__ = interface

    def __del__(self) -> None:
        memory = self.memory
        if memory is None or memory.nbytes > LARGEST_FREE:
            return
        if len(_free) > MOST_SIZES:
            _free.clear()
        pile = _free.setdefault(memory.nbytes, [])
        if len(pile) < MOST_FREE:
            pile.append(memory)


LARGEST_FREE, MOST_FREE, MOST_SIZES = 2**21, 2, 16
"""Memory of at most two megabytes is kept, two of a size, of sixteen sizes: 64 MB at the most."""

_free: dict[int, list[np.ndarray]] = {}
