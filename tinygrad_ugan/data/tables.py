"""Tables of numbers in files: .csv, .npy, .npz and .parquet.

Each reader takes a path and what is wanted of it, and returns an array of numbers, and labels if
they are wanted. Whatever is no number is refused by its place in the file.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.errors import ArgumentError, check_choice, shown
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.typing import Array

_OTHER_DELIMITER = re.compile(r"[;\t|]|\S\s+[-+.\d]")


class Wanted(NamedTuple):
    """The selection of what to take from a file.

    Attributes
    ----------
    columns : sequence of str
        The names of the columns, or of the array in a .npz; all but the labels if there are none.
    labels : str
        The name of the column of labels, or of their array; "" if there are none.
    delimiter : str
        What separates the values of a .csv.
    """

    columns: Sequence[str] = ()
    labels: str = ""
    delimiter: str = ","


class LabelledTable(NamedTuple):
    """The content of a file.

    Attributes
    ----------
    numbers : array, shape (n, ...)
    labels : array of int or str, shape (n,), optional
    names : tuple of str
        Names of the columns, if the file has them.
    """

    numbers: Array
    labels: Any = None
    names: tuple[str, ...] = ()


def read_csv(path: Path, wanted: Wanted) -> LabelledTable:
    """Read numbers that a delimiter separates, under a line of names or not.

    Without such a line the columns are named "0", "1", ...
    """
    rows = _rows(path, wanted.delimiter)
    names, start = [str(i) for i in range(len(rows[0][1]))], 0
    if not all(map(_is_number, rows[0][1])):
        names, start = [name.strip() for name in rows[0][1]], 1
    for line, cells in rows:
        if len(cells) != len(names):
            given = f"{path}, line {line}: {len(cells)} values"
            raise ArgumentError("path", given, f"{len(names)}, as in its first line")
    places, labels = _places(path, names, wanted)
    if len(rows) == start:
        raise ArgumentError("path", f"{path}, which has names and no rows", "one row or more")
    chosen = [[cells[i] for i in places] for _, cells in rows[start:]]
    table: Array = np.array([])
    with suppress(ValueError):
        table = np.array(chosen, float)
    if not (table.size and np.isfinite(table).all()):
        lines = [line for line, _ in rows[start:]]
        raise _no_number(path, [names[i] for i in places], lines, chosen)
    classes = _labels_of(path, rows[start:], names, labels[0]) if labels else None
    return LabelledTable(table, classes, tuple(names[i] for i in places) if start else ())


def read_npy(path: Path, wanted: Wanted) -> LabelledTable:
    """Read an array; its columns have no names."""
    for name in ("columns", "labels"):
        if given := getattr(wanted, name):
            raise ArgumentError(name, shown(given), "none: a .npy file has no names")
    return LabelledTable(_loaded(path, archive=False))


def read_npz(path: Path, wanted: Wanted) -> LabelledTable:
    """Read the array of an archive, or the one that `columns` names, and that of the labels."""
    arrays: dict[str, Array] = _loaded(path, archive=True)
    if wanted.labels:
        check_choice("labels", wanted.labels, arrays)
    names, columns = [name for name in arrays if name != wanted.labels], wanted.columns
    if len(columns) > 1 or (not columns and len(names) != 1):
        given = f"{path}, which has {', '.join(map(repr, names)) or 'none'}"
        raise ArgumentError("columns", given, "the name of one array", "columns=[name] chooses")
    name = columns[0] if columns else names[0]
    check_choice("columns", name, names)
    return LabelledTable(arrays[name], arrays.get(wanted.labels))


def read_parquet(path: Path, wanted: Wanted) -> LabelledTable:
    """Read the columns of a Parquet file: needs the extra "data"."""
    parquet = import_extra("pyarrow.parquet", "data")
    try:
        table = parquet.read_table(path)
    except (ValueError, OSError) as error:
        raise ArgumentError("path", f"{path}: {error}", "a Parquet file") from None
    names = list(table.column_names)
    places, labels = _places(path, names, wanted)
    for i in (*places, *labels):
        if missing := table.column(i).null_count:
            given = f"{path}, column {names[i]!r}: {missing} values missing"
            raise ArgumentError("path", given, "a value in every row")
    found = [(names[i], table.column(i)) for i in places]
    for name, column in found:
        if not re.fullmatch(r"u?int\d+|halffloat|float|double", kind := str(column.type)):
            raise ArgumentError("path", f"{path}, column {name!r} of {kind}", "numbers", _SOME)
    if not found or not len(found[0][1]):
        raise ArgumentError("path", f"{path}, which is empty", "one row or more")
    numbers = np.stack([column.to_numpy().astype(float) for _, column in found], axis=1)
    classes = np.array(table.column(labels[0]).to_pylist()) if labels else None
    return LabelledTable(numbers, classes, tuple(names[i] for i in places))


Reader = Callable[[Path, Wanted], LabelledTable]
READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".npy": read_npy,
    ".npz": read_npz,
    ".parquet": read_parquet,
}
_SOME = "columns=[...] chooses those that are numbers"


def _rows(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, by their numbers and split at the delimiter."""
    try:
        text = path.read_text("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError("path", f"{path}: {error}", "comma-separated values") from None
    if not rows:
        raise ArgumentError("path", f"{path}, which is empty", "comma-separated values")
    return rows


def _places(
    path: Path, names: Sequence[str], wanted: Wanted
) -> tuple[Sequence[int], Sequence[int]]:
    """The positions of the columns that are wanted, and that of the labels, if they are."""
    labels = [wanted.labels] if wanted.labels else []
    for argument, chosen in {"columns": wanted.columns, "labels": labels}.items():
        for name in chosen:
            check_choice(argument, name, names)
            if names.count(name) > 1:
                given = f"{name!r}, which {path} has {names.count(name)} times"
                raise ArgumentError(argument, given, "names that it has once")
    columns = wanted.columns or [name for name in names if name not in labels]
    if labels and not columns:
        given = f"{wanted.labels!r}, the only column of {path}"
        raise ArgumentError("labels", given, "a column beside those of the data")
    if not (wanted.columns or labels):
        return range(len(names)), []  # two may have the same name
    return [names.index(name) for name in columns], [names.index(name) for name in labels]


def _labels_of(
    path: Path, rows: Sequence[tuple[int, Sequence[str]]], names: Sequence[str], place: int
) -> Array:
    """The labels in a column: whole numbers if all of them are numbers, else names."""
    cells = [cells[place].strip() for _, cells in rows]
    are_numbers = all(map(_is_number, cells))
    for (line, _), cell in zip(rows, cells, strict=True):
        if not cell or (are_numbers and not float(cell).is_integer()):
            given = f"{path}, line {line}, column {names[place]!r}: {shown(cell)}"
            raise ArgumentError("labels", given, "a whole number or a name")
    return np.array([int(float(cell)) for cell in cells] if are_numbers else cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _no_number(
    path: Path, names: Sequence[str], lines: Sequence[int], rows: Sequence[Sequence[str]]
) -> ArgumentError:
    """The error that names the first cell that is not a finite number."""
    line, name, cell = next(
        (line, name, cell)
        for line, cells in zip(lines, rows, strict=True)
        for name, cell in zip(names, cells, strict=True)
        if not (_is_number(cell) and np.isfinite(float(cell)))
    )
    given = f"{path}, line {line}, column {name!r}: {shown(cell)}"
    if not _is_number(cell) and _OTHER_DELIMITER.search(cell):
        hint = "delimiter=';', say, if something else than commas separates the values"
        return ArgumentError("path", given, "a number", hint)
    return ArgumentError("path", given, "a finite number", _SOME)


def _loaded(path: Path, *, archive: bool) -> Any:
    """The array of a .npy file, or a mapping of those of a .npz archive."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.lib.npyio.NpzFile) is not archive:
                raise ValueError("its suffix says something else than its content")
            return dict(found) if archive else found
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        expected = "a file of numbers that np.save or np.savez wrote"
        raise ArgumentError("path", f"{path}: {error}", expected) from None
