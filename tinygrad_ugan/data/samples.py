"""Data of one's own: the rows of an array, of a file, or the images of a folder."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, names, switch, widths, words
from tinygrad_ugan.data.images import read_images
from tinygrad_ugan.data.tables import READERS
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class File(Settings):
    """The data: those of a file, or of a folder of images."""

    kind: ClassVar[str] = "file"

    path: str = words("")
    """A file, .csv, .npy, .npz or .parquet, or a folder of images."""
    columns: tuple[str, ...] = names()
    """Columns to take, by their names, of a .csv or .parquet; the array's name in a .npz. All if
    none."""
    standardize: bool = switch(True)
    """Train on data shifted and scaled to mean 0 and standard deviation 1, each column by itself,
    all pixels of images alike; samples come back in the data's own units."""
    size: tuple[int, ...] = widths(())
    """Height and width that images are resized to; they must be of one size if none."""
    grey: bool | None = switch(None)
    """Take images as grey, or as RGB if false; as they are if none."""
    sha256: str = words("")
    """Hash of the numbers, which a run records; data of another one are refused."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.size) not in (0, 2):
            raise ArgumentError("size", repr(self.size), "height and width")

    def load(self) -> Samples:
        """Read the data.

        Raises
        ------
        ArgumentError
            If they cannot be read, or are others than those of `sha256`.
        """
        if self.sha256 and not Path(self.path).exists():
            hint = "put them back, or hand them in from elsewhere: data=ug.data.Samples(path)"
            given = f"{self.path}, which is not there"
            raise ArgumentError("data.path", given, "the data that the run was trained on", hint)
        options = {name: getattr(self, name) for name in _OPTIONS}
        found = Samples(self.path, **options)
        if self.sha256 not in ("", found.sha256):
            given = f"{self.path}, which has changed: sha256 {found.sha256[:12]}..."
            expected = f"the data that the run was trained on, sha256 {self.sha256[:12]}..."
            hint = "put them back; other data need a new run, in another folder"
            raise ArgumentError("data.path", given, expected, hint)
        return found

    def same_but_for_path(self, other: Any) -> bool:
        """Whether another file holds the same data, read in the same way."""
        return isinstance(other, File) and dataclasses.replace(other, path=self.path) == self


_OPTIONS = ("columns", "standardize", "size", "grey")


class Samples:
    """The rows of an array or a file, or the images of a folder, drawn with replacement.

    Parameters
    ----------
    source : array or path
        Numbers, shape (n, d), (n,), or (n, height, width[, channels]) for images; or a .csv, .npy,
        .npz or .parquet file of them, or a folder of images, which count from 0 to 1.
    columns : sequence of str, optional
        Columns of the file to take, see `File`; all if not given.
    standardize : bool
        Whether to train on data of mean 0 and standard deviation 1, each column by itself, all
        pixels of images alike; `inverse` takes samples back to the data's own units.
    size : (int, int), optional
        Height and width that images of a folder are resized to.
    grey : bool, optional
        Take images of a folder as grey, or as RGB if false; as they are if not given.

    Attributes
    ----------
    dimension : int
        Number of numbers in a sample.
    image_shape : tuple of int or None
        (height, width, channels) if the samples are images.
    file : File or None
        The settings that read the same data again, if they come from a file.
    sha256 : str
        Hash of the numbers.

    Raises
    ------
    ArgumentError
        If the source cannot be read, is empty, or holds anything but finite numbers; the message
        names the place.

    Examples
    --------
    >>> heights = Samples([[150.0], [160.0], [170.0]])
    >>> heights.sample(4, np.random.default_rng(0)).ravel().round(2)
    array([ 1.22,  0.  ,  0.  , -1.22], dtype=float32)
    >>> heights.inverse(np.zeros((1, 1)))
    array([[160.]])
    """

    def __init__(
        self,
        source: ArrayLike | str | os.PathLike[str],
        *,
        columns: Sequence[str] = (),
        standardize: bool = True,
        size: Sequence[int] = (),
        grey: bool | None = None,
    ) -> None:
        settings = File("", tuple(columns), standardize, tuple(size), grey)
        self.file: File | None = None
        if isinstance(source, str | os.PathLike):
            path = Path(source).absolute()
            rows = _checked("path", _read(path, settings))
            self.sha256 = _hash(rows)
            self.file = dataclasses.replace(settings, path=str(path), sha256=self.sha256)
        else:
            _check_no_file_options(settings)
            rows = _checked("source", np.asarray(source))
            self.sha256 = _hash(rows)
        self.image_shape = _image_shape(rows)
        self.dimension = math.prod(rows.shape[1:])
        self._moments = _moments(rows) if standardize else None
        self._dtype = rows.dtype
        self._rows = rows.reshape(len(rows), -1)
        if self._moments is not None:
            mean, scale = self._moments
            self._rows = ((self._rows - mean) / scale).astype(rows.dtype)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        place = "" if self.file is None else f"{self.file.path}: "
        return f"Samples({place}{len(self)} of dimension {self.dimension})"

    @property
    def identity(self) -> str:
        """The hash of the data, and whether they are standardised."""
        return f"sha256={self.sha256}, standardize={self._moments is not None}"

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n rows with replacement, shape (n, dimension)."""
        rows: Array = self._rows[rng.integers(len(self._rows), size=n)]
        return rows.astype(dtype)

    def inverse(self, x: ArrayLike) -> Array:
        """Return samples in the data's own units, and in their dtype."""
        mean, scale = self._moments or (0.0, 1.0)
        return (mean + scale * np.asarray(x, float)).astype(self._dtype)


def _read(path: Path, settings: File) -> Array:
    if path.is_dir():
        if settings.columns:
            raise ArgumentError("columns", repr(settings.columns), "none for a folder of images")
        return read_images(path, settings.size, settings.grey)
    for name in ("size", "grey"):
        if getattr(settings, name) not in ((), None):
            given = repr(getattr(settings, name))
            raise ArgumentError(name, given, "none, unless for a folder of images")
    if not path.is_file():
        raise ArgumentError("path", f"{path}, which is not there", "a file or a folder of images")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        expected = f"{', '.join(READERS)}, or a folder of images"
        raise ArgumentError("path", f"{path}", expected)
    try:
        return READERS[suffix](path, settings.columns)
    except OSError as error:
        raise ArgumentError("path", f"{error}", "a file that can be read") from None


def _check_no_file_options(settings: File) -> None:
    for name in ("columns", "size", "grey"):
        if (given := getattr(settings, name)) not in ((), None):
            raise ArgumentError(name, repr(given), "none for an array, only for files")


def _checked(argument: str, x: Array) -> Array:
    """The rows, float32 or float64, if they are finite numbers of a shape that makes sense."""
    if x.dtype.kind not in "iuf":
        raise ArgumentTypeError(argument, f"dtype {x.dtype}", "real numbers")
    if x.ndim not in (1, 2, 3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)):
        expected = "shape (n,), (n, d), (n, height, width), or (n, height, width, 1 or 3)"
        raise ArgumentError(argument, f"shape {x.shape}", expected)
    if x.size == 0:
        raise ArgumentError(argument, f"shape {x.shape}", "one sample or more")
    rows = x.astype(np.float32 if x.dtype == np.float32 else np.float64)
    bad = ~np.isfinite(rows)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteError(argument, f"{rows[place]} at {list(place)}", "finite numbers")
    return rows[:, None] if rows.ndim == 1 else rows


def _image_shape(rows: Array) -> tuple[int, int, int] | None:
    if rows.ndim == 2:
        return None
    height, width = rows.shape[1:3]
    return height, width, 1 if rows.ndim == 3 else rows.shape[3]


def _moments(rows: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation; what is constant is shifted alone, without rounding errors."""
    axis = 0 if rows.ndim == 2 else None
    low, high = rows.min(axis=axis), rows.max(axis=axis)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = rows.mean(axis=axis, dtype=float), rows.std(axis=axis, dtype=float)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise ArgumentError("standardize", "numbers whose squares overflow", "smaller numbers")
    constant = low == high
    return np.where(constant, low, mean), np.where(constant | (std == 0), 1.0, std)


def _hash(rows: Array) -> str:
    """SHA-256 of shape, dtype and numbers, whatever the byte order of the machine."""
    little = rows.astype(rows.dtype.newbyteorder("<"), order="C")
    return hashlib.sha256(f"{rows.shape} {little.dtype.str} ".encode() + little.data).hexdigest()
