"""A gradient computed by any library, with parameters and data, in a NumPy archive.

The archive, as `numpy.savez` writes it, holds ``theta_g.0.w`` (n_in, n_out), ``theta_g.0.b``,
``theta_g.1.w``, ..., ``theta_d.0.w``, ..., ``real`` and ``noise``, and the gradient: one vector
``gradient``, or ``gradient.0.w``, ``gradient.0.b``, .... Where each step sees fresh data, ``real``
and ``noise`` have K + 1 batches along a first axis.
"""

from __future__ import annotations

import io
import itertools
import lzma
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.check.audit.foreign_arrays import check_shapes
from tinygrad_ugan.check.audit.game_file import GameFile, MLPSettings
from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.gan import Batch
from tinygrad_ugan.gan.training.memory_check import parameters
from tinygrad_ugan.typing import Array, PyTree


class GradientFile(NamedTuple):
    """The contents of an archive: the first arguments of `audit`, but for the game."""

    gradient: PyTree
    theta_g: PyTree
    theta_d: PyTree
    batch: Any


def read_gradient(file: Path, game: GameFile) -> GradientFile:
    """Read gradient, parameters and data from a NumPy archive.

    Raises
    ------
    ArgumentError
        If the file is no archive, or its arrays are not those that the game needs; the message
        names the array.
    """
    try:
        return _matched(_arrays(file), game)
    except ArgumentError as error:
        raise error.within(f"{file}: ") from None


def _arrays(file: Path) -> dict[str, Array]:
    """The arrays of an archive; their sizes are looked at before any is read."""
    expected = "an archive written by numpy.savez"
    try:
        if not file.is_file() or not zipfile.is_zipfile(file):
            raise ValueError("no archive" if file.exists() else "no such file")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > LARGEST:
                raise ValueError(f"{total:,} bytes of arrays, and {LARGEST:,} is the most")
            arrays = {_name(member.filename): _array(archive, member) for member in members}
    except _UNREADABLE as error:
        raise ArgumentError("gradient", f"{error}", expected) from None
    if len(arrays) < len(members):
        raise ArgumentError("gradient", "two arrays of one name", expected)
    return arrays


LARGEST = 2**28
"""The most bytes of arrays in an archive; what is larger goes to `audit` itself."""

# What zipfile raises of damaged, encrypted or strangely compressed members.
_UNREADABLE = (
    OSError, ValueError, EOFError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


def _name(filename: str) -> str:
    if not filename.endswith(".npy"):
        raise ValueError(f"{filename}, which is no array")
    return filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename}, of another size than its header says")
    stream = io.BytesIO(content)
    try:
        shape, _, dtype = _header(stream)
    except Exception as error:  # NumPy reads headers as Python, and raises whatever that raises
        raise ValueError(f"{member.filename}: no header of an array: {error}") from None
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or size != len(content) - stream.tell():
        given = f"{member.filename} with {dtype} of shape {shape}"
        raise ValueError(f"{given} in {len(content) - stream.tell()} bytes")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype of an array in NumPy's own format."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _matched(arrays: dict[str, Array], game: GameFile) -> GradientFile:
    """The arrays in the places that their names give them, if they are those of the game."""
    networks = {"theta_g": game.generator, "theta_d": game.discriminator}
    if "gradient" not in arrays:
        networks["gradient"] = game.generator
    shapes = {
        f"{name}.{key}": shape
        for name, network in networks.items()
        for key, shape in _shapes(network).items()
    }
    if "gradient" in arrays:
        shapes["gradient"] = (parameters(game.generator.sizes),)
    for name in arrays:
        check_choice(name, name, [*shapes, "real", "noise"])
    for name in [*shapes, "real", "noise"]:
        if name not in arrays:
            expected = f"an array of shape {shapes[name]}" if name in shapes else "an array"
            raise ArgumentError(name, "no such array", expected)
    check_shapes(list(shapes), [arrays[name] for name in shapes], list(shapes.values()))
    batch = _batch(arrays["real"], arrays["noise"], game)
    gradient, theta_g, theta_d = (_layers(arrays, x) for x in ("gradient", "theta_g", "theta_d"))
    return GradientFile(arrays.get("gradient", gradient), theta_g, theta_d, batch)


def _shapes(network: MLPSettings) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (n_in, n_out) in enumerate(itertools.pairwise(network.sizes)):
        shapes |= {f"{i}.w": (n_in, n_out), f"{i}.b": (n_out,)}
    return shapes


def _layers(arrays: Mapping[str, Array], name: str) -> list[dict[str, Array]]:
    count = sum(key.startswith(f"{name}.") and key.endswith(".w") for key in arrays)
    return [{key: arrays[f"{name}.{i}.{key}"] for key in ("w", "b")} for i in range(count)]


def _batch(real: Array, noise: Array, game: GameFile) -> Any:
    widths = {"real": game.discriminator.sizes[0], "noise": game.generator.sizes[0]}
    for (name, width), x in zip(widths.items(), (real, noise), strict=True):
        fits = x.ndim == real.ndim and x.ndim in (2, 3) and x.shape[-1] == width
        if not fits or (x.ndim == 3 and len(x) != game.steps + 1) or not x.size:
            expected = f"(batch, {width}), or ({game.steps + 1}, batch, {width}) for fresh batches"
            raise ArgumentError(name, f"shape {x.shape}", f"shape {expected}")
    if real.ndim == 2:
        return Batch(real, noise)
    return [Batch(*pair) for pair in zip(real, noise, strict=True)]
