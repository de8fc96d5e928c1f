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

from tinygrad_ugan.checked_dataclass import Settings, choice, names, switch, widths, words
from tinygrad_ugan.data.images import read_images
from tinygrad_ugan.data.tables import READERS, LabelledTable, Wanted
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
    labels: str = words("")
    """Column with the class of each row, whole numbers from 0 or names; the array of them in a
    .npz; or "folders" if each subfolder of a folder of images is a class. No labels if none."""
    delimiter: str = choice(",", (",", ";", "\t", "|", " "))
    """Separator of the values in a .csv: a comma, semicolon, tab, bar or space."""
    sha256: str = words("")
    """Hash of the numbers and labels, which a run records; data of another one are refused."""

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


_OPTIONS = ("columns", "standardize", "size", "grey", "labels", "delimiter")


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
    labels : str or array, optional
        The classes: of an array, whole numbers from 0, or names, shape (n,); of a file, the column
        of them, or "folders" if each subfolder of a folder of images is a class. Names count in
        alphabetical order.
    delimiter : str
        What separates the values of a .csv: a comma, semicolon, tab, bar or space.

    Attributes
    ----------
    dimension : int
        Number of numbers in a sample.
    image_shape : tuple of int or None
        (height, width, channels) if the samples are images.
    classes : int
        Number of classes; 0 without labels.
    class_names : tuple of str
        Their names.
    file : File or None
        The settings that read the same data again, if they come from a file.
    column_names : tuple of str
        Names of the columns of a .csv or .parquet that has them, else none.
    sha256 : str
        Hash of the numbers and labels.

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

    With labels, `sample` returns pairs.

    >>> animals = Samples([[9.0], [4.0], [5.0]], labels=["dog", "cat", "cat"])
    >>> animals.class_names
    ('cat', 'dog')
    >>> animals.sample(4, np.random.default_rng(0))[1]
    array([0, 0, 0, 1])
    """

    def __init__(
        self,
        source: ArrayLike | str | os.PathLike[str],
        *,
        columns: Sequence[str] = (),
        standardize: bool = True,
        size: Sequence[int] = (),
        grey: bool | None = None,
        labels: str | ArrayLike | None = None,
        delimiter: str = ",",
    ) -> None:
        column = labels if isinstance(labels, str) else ""
        settings = File("", tuple(columns), standardize, tuple(size), grey, column, delimiter)
        path = Path(source).absolute() if isinstance(source, str | os.PathLike) else None
        if path is None:
            _check_no_file_options(settings)
            found = LabelledTable(np.asarray(source), labels)
        elif labels is None or labels is column:
            found = _read(path, settings)
        else:
            raise ArgumentError("labels", "an array", "for a file, the name of its column")
        rows = _checked("source" if path is None else "path", found.numbers)
        self._labels, self.class_names = _classes(found.labels, len(rows))
        self.column_names = found.names
        self.sha256 = _hash(rows, self._labels, self.class_names)
        self.file: File | None = None
        if path is not None:
            self.file = dataclasses.replace(settings, path=str(path), sha256=self.sha256)
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
    def classes(self) -> int:
        """Number of classes; 0 without labels."""
        return len(self.class_names)

    @property
    def identity(self) -> str:
        """The hash of the data, and whether they are standardised."""
        return f"sha256={self.sha256}, standardize={self._moments is not None}"

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Any:
        """Draw n rows with replacement, shape (n, dimension), or a pair of these and labels."""
        drawn = rng.integers(len(self._rows), size=n)
        rows = self._rows[drawn].astype(dtype)
        return rows if self._labels is None else (rows, self._labels[drawn])

    def inverse(self, x: ArrayLike) -> Array:
        """Return samples in the data's own units, and in their dtype."""
        mean, scale = self._moments or (0.0, 1.0)
        return (mean + scale * np.asarray(x, float)).astype(self._dtype)


def _read(path: Path, settings: File) -> LabelledTable:
    if path.is_dir():
        return _read_folder(path, settings)
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
    if settings.delimiter != "," and suffix != ".csv":
        raise ArgumentError("delimiter", repr(settings.delimiter), "none, unless for a .csv")
    try:
        wanted = Wanted(settings.columns, settings.labels, settings.delimiter)
        return READERS[suffix](path, wanted)
    except OSError as error:
        raise ArgumentError("path", f"{error}", "a file that can be read") from None


def _read_folder(path: Path, settings: File) -> LabelledTable:
    if settings.columns:
        raise ArgumentError("columns", repr(settings.columns), "none for a folder of images")
    if settings.labels not in ("", "folders"):
        expected = "'folders' for a folder of images, whose subfolders are the classes"
        raise ArgumentError("labels", repr(settings.labels), expected)
    pixels, files = read_images(path, settings.size, settings.grey)
    if not settings.labels:
        return LabelledTable(pixels)
    for file in files:
        if file.parent == path:
            raise ArgumentError("labels", f"{file}", "images in subfolders, their classes")
    return LabelledTable(pixels, np.array([file.relative_to(path).parts[0] for file in files]))


def _check_no_file_options(settings: File) -> None:
    for name in ("columns", "size", "grey", "labels", "delimiter"):
        if (given := getattr(settings, name)) not in ((), None, "", ","):
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


def _classes(labels: Any, n: int) -> tuple[Array | None, tuple[str, ...]]:
    """The labels of n rows as whole numbers, and the names of the classes; none without labels."""
    if labels is None:
        return None, ()
    expected = f"whole numbers from 0, or names, for each of {n} rows"
    given = np.asarray(labels)
    if given.dtype.kind not in "iuU":
        raise ArgumentTypeError("labels", f"dtype {given.dtype}", expected)
    if given.shape != (n,):
        raise ArgumentError("labels", f"shape {given.shape}", expected)
    there, numbers = np.unique(given, return_inverse=True)
    if given.dtype.kind == "U":
        return numbers, tuple(map(str, there))
    if there[0] < 0:
        raise ArgumentError("labels", f"{there[0]}", expected)
    if len(absent := np.flatnonzero(there != np.arange(len(there)))):
        words = f"up to {there[-1]}, but none of class {absent[0]}"
        raise ArgumentError("labels", words, "rows of every class")
    return numbers, tuple(map(str, there))


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


def _hash(rows: Array, labels: Array | None, class_names: Sequence[str]) -> str:
    """SHA-256 of shape, dtype, numbers and labels, whatever the byte order of the machine."""
    little = rows.astype(rows.dtype.newbyteorder("<"), order="C")
    found = hashlib.sha256(f"{rows.shape} {little.dtype.str} ".encode() + little.data)
    if labels is not None:
        found.update(f" {class_names} ".encode() + labels.astype("<i8").tobytes())
    return found.hexdigest()
