"""The arrays of a checkpoint: their names, and checks when they are read.

Names, shapes and dtypes must be those that the settings imply, and parameters finite; anything else
is rejected.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.sampler import streams
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import State, TrainStep
from tinygrad_ugan.optim import (
    AdamState,
    MomentumState,
    PreviousGradient,
    RMSpropState,
    ScaleState,
)
from tinygrad_ugan.tree import is_finite
from tinygrad_ugan.typing import Array, PyTree

Arrays = dict[str, Array]

_PICTURES, _EMA_PICTURES = "pictures.", "ema_pictures."
_DTYPES: dict[str, np.dtype] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}


class StructureError(ArgumentError):
    """The parameters or the optimisers of a run start otherwise than those that were saved."""


class _Kind(NamedTuple):
    """Dtype and shape of an array."""

    dtype: np.dtype
    shape: tuple[int, ...]


def check_storable(state: State) -> None:
    """Raise `ArgumentTypeError` if a checkpoint could not hold the state as it is."""
    for name, leaf in zip(_names("state", state), optree.tree_leaves(state), strict=True):
        if (dtype := np.asarray(leaf).dtype) not in _DTYPES.values():
            expected = "arrays of float32, float64 or int64, which checkpoints hold"
            raise ArgumentTypeError(name, f"dtype {dtype}", expected)


def named(state: State, pictures: Mapping[int, Array], ema_pictures: Mapping[int, Array]) -> Arrays:
    """Return the arrays of a checkpoint by their names, such as ``state.theta_g[0]['w']``."""
    leaves = (np.asarray(leaf, order="C") for leaf in optree.tree_leaves(state))
    kept = {f"{_PICTURES}{step}": x for step, x in pictures.items()}
    kept |= {f"{_EMA_PICTURES}{step}": x for step, x in ema_pictures.items()}
    return dict(zip(_names("state", state), leaves, strict=True)) | kept


def contents(
    setup: Setup, step: int, file: bytes
) -> tuple[State, dict[int, Array], dict[int, Array]]:
    """Read the bytes of a file of arrays: the state of training, and samples by step.

    The samples of the moving average come last.

    Raises
    ------
    ArgumentError
        If the arrays cannot stem from that many steps of training with these settings; the message
        names the array.
    """
    arrays = dict(_read(file))
    pictures = _pictures(_PICTURES, setup, arrays)
    averaged = _pictures(_EMA_PICTURES, setup, arrays) if setup.config.ema else {}
    return _state(setup, step, arrays), pictures, averaged


def _pictures(prefix: str, setup: Setup, arrays: Arrays) -> dict[int, Array]:
    """Take the samples by step out of the arrays."""
    size = _Kind(setup.config.dtype, (setup.config.evaluation_samples, setup.data.dimension))
    names = [name for name in arrays if name.startswith(prefix)]
    found = {_step(name, prefix): _check(name, arrays.pop(name), size) for name in names}
    return dict(sorted(found.items()))


def _state(setup: Setup, step: int, arrays: Arrays) -> State:
    train_step, config = TrainStep(setup), setup.config
    if _are_perceptrons(setup):
        players = zip(("theta_g", "theta_d"), setup.sizes, strict=True)
        thetas = (_layers(name, sizes, config.dtype, arrays) for name, sizes in players)
        like = train_step.start(*thetas)  # as large as the file, so it fits into memory
    else:
        like = train_step.init(streams(config)[0])  # a fresh start has the structure
        _check_structure(like, arrays)
    names = _names("state", like)
    for name in arrays.keys() - set(names):
        raise ArgumentError(name, "an array", "none of that name")
    leaves = [
        _leaf(name, leaf, arrays)
        for name, leaf in zip(names, optree.tree_leaves(like), strict=True)
    ]
    state: State = optree.tree_unflatten(optree.tree_structure(like), leaves)
    if state.step != step:
        raise ArgumentError("state.step", state.step, f"{step}, as in the other file")
    _check_numbers(config, state)
    return state


def check_size(setup: Setup) -> None:
    """Raise `ArgumentError` if the parameters to compare with those of a file are too many."""
    if _are_perceptrons(setup):
        return
    needs = training_needs(setup)
    players = ("networks.generator", "networks.discriminator")
    check_memory({name: needs[name] for name in players}, "the run")


def _are_perceptrons(setup: Setup) -> bool:
    """Whether the settings alone tell the parameters, and optimisers of this package move them."""
    config, handed_in = setup.config, setup.handed_in
    own = config.game is not None or handed_in or config.has_registered_optimizers
    return not own and config.networks.are_plain


def _check_structure(fresh: State, arrays: Arrays) -> None:
    """Refuse a game, an init or an optimiser of which the saved state cannot be."""
    leaves = dict(zip(_names("state", fresh), optree.tree_leaves(fresh), strict=True))
    for name in sorted(leaves.keys() ^ arrays.keys(), key=_origin):  # parameters come first
        there, not_there = ("one", "none") if name in arrays else ("none", "one")
        expected = f"parameters with {there} of the name {name}, as those that were saved"
        raise StructureError(_origin(name), not_there, expected)
    for name, leaf in leaves.items():
        if np.shape(leaf) != arrays[name].shape:
            expected = f"{name} of shape {arrays[name].shape}, as it was saved"
            raise StructureError(_origin(name), f"shape {np.shape(leaf)}", expected)


def _origin(name: str) -> str:
    """The part of a run that an array of this name stems from."""
    return "optimizers" if name.startswith("state.optimizer") else "init"


def _layers(
    player: str, sizes: tuple[int, ...], dtype: np.dtype, arrays: Arrays
) -> list[dict[str, Array]]:
    """The parameters of a network, checked before anything of their size is allocated."""
    shapes = [{"w": (m, n), "b": (n,)} for m, n in itertools.pairwise(sizes)]
    return [
        {
            key: _found(f"state.{player}[{i}][{key!r}]", _Kind(dtype, shape), arrays)
            for key, shape in layer.items()
        }
        for i, layer in enumerate(shapes)
    ]


def _leaf(name: str, like: Any, arrays: Arrays) -> Any:
    """The array of that name; a number of Python stays one."""
    if isinstance(like, int | float):
        return type(like)(_found(name, _Kind(np.asarray(like).dtype, ()), arrays))
    return _found(name, _Kind(like.dtype, like.shape), arrays)


def _found(name: str, kind: _Kind, arrays: Arrays) -> Array:
    if name not in arrays:
        raise ArgumentError(name, "no such array", f"{kind.dtype} of shape {kind.shape}")
    return _check(name, arrays[name], kind)


def _check(name: str, x: Array, kind: _Kind) -> Array:
    if (x.dtype, x.shape) != kind:
        given = f"{x.dtype} of shape {x.shape}"
        raise ArgumentError(name, given, f"{kind.dtype} of shape {kind.shape}")
    return x


_MOVERS = ("optimizer_g", "optimizer_d")
_STATES = (AdamState, MomentumState, PreviousGradient, RMSpropState, ScaleState)


def _check_numbers(config: Config, state: State) -> None:
    """Refuse numbers that no training leaves; an optimiser of one's own may hold any."""
    for name in state._fields:
        if name not in _MOVERS:
            _check_finite(f"state.{name}", getattr(state, name))
    for name, factor in zip(_MOVERS, config.moves, strict=True):
        memory, taken = getattr(state, name), factor * state.step
        places, parts, _ = optree.tree_flatten_with_accessor(memory, is_leaf=_is_known)
        for place, part in zip(places, parts, strict=True):
            if _is_known(part):
                _check_known(place.codify(f"state.{name}"), part, taken, state.step)


def _is_known(memory: Any) -> bool:
    """Whether it is the state of one of this package's optimisers."""
    return isinstance(memory, _STATES)


def _check_known(place: str, memory: Any, taken: int, step: int) -> None:
    """No training leaves a NaN, and infinities only in mean squares."""
    for field in memory._fields:
        name, part = f"{place}.{field}", getattr(memory, field)
        if field == "square":
            for accessor in optree.tree_accessors(part):
                if not np.all(accessor(part) >= 0):
                    raise ArgumentError(
                        accessor.codify(name), "a NaN or a negative number", "squares"
                    )
        else:
            _check_finite(name, part)
    if memory.steps is not None and memory.steps != taken:
        raise ArgumentError(
            f"{place}.steps", memory.steps, f"{taken}, after {step} steps of training"
        )


def _check_finite(name: str, tree: PyTree) -> None:
    for accessor in optree.tree_accessors(tree):
        if not is_finite(accessor(tree)):
            raise ArgumentError(accessor.codify(name), "a NaN or infinity", "finite numbers")


def _names(root: str, tree: PyTree) -> list[str]:
    """The path to each leaf, as an expression."""
    return [accessor.codify(root) for accessor in optree.tree_accessors(tree)]


def _step(name: str, prefix: str) -> int:
    digits = name.removeprefix(prefix)
    if not (digits.isascii() and digits.isdecimal() and digits == str(int(digits[:18]))):
        raise ArgumentError(name, "an array", f"{prefix}STEP")
    return int(digits)


def _read(file: bytes) -> Iterator[tuple[str, Array]]:
    """The arrays in the bytes of a safetensors file."""
    import safetensors

    try:
        deserialize: Any = safetensors.deserialize  # which carries no types
        entries = deserialize(file)
    except Exception as error:  # of its own class, or anything that malformed bytes provoke
        raise ArgumentError("header", f"{error}", "arrays in the format of safetensors") from None
    for name, entry in entries:
        if (dtype := _DTYPES.get(entry["dtype"])) is None:
            raise ArgumentError(name, f"dtype {entry['dtype']}", f"one of {', '.join(_DTYPES)}")
        x = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        yield name, x.copy()  # which is writable
