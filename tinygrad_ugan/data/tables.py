"""Tables of numbers in files: .csv, .npy, .npz and .parquet.

Each reader takes a path and the names of the columns that are wanted, all of them if there are
none, and returns an array of numbers. Whatever is no number is refused by its place in the file.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, check_choice, shown
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.typing import Array

_OTHER_DELIMITER = re.compile(r"[;\t|]|\S\s+[-+.\d]")


def read_csv(path: Path, columns: Sequence[str]) -> Array:
    """Read numbers that commas separate, under a line of names or not.

    Without such a line the columns are named "0", "1", ...
    """
    rows = _rows(path)
    names, start = [str(i) for i in range(len(rows[0][1]))], 0
    if not all(map(_is_number, rows[0][1])):
        names, start = [name.strip() for name in rows[0][1]], 1
    for line, cells in rows:
        if len(cells) != len(names):
            given = f"{path}, line {line}: {len(cells)} values"
            raise ArgumentError("path", given, f"{len(names)}, as in its first line")
    places = _places(path, names, columns)
    wanted = [[cells[i] for i in places] for _, cells in rows[start:]]
    if not wanted:
        raise ArgumentError("path", f"{path}, which has names and no rows", "one row or more")
    with suppress(ValueError):
        table: Array = np.array(wanted, float)
        if np.isfinite(table).all():
            return table
    raise _no_number(path, [names[i] for i in places], [row[0] for row in rows[start:]], wanted)


def read_npy(path: Path, columns: Sequence[str]) -> Array:
    """Read an array; its columns have no names."""
    if columns:
        raise ArgumentError("columns", shown(columns), "none: a .npy file has no names")
    array: Array = _loaded(path, archive=False)
    return array


def read_npz(path: Path, columns: Sequence[str]) -> Array:
    """Read the array of an archive, or the one that `columns` names."""
    arrays: dict[str, Array] = _loaded(path, archive=True)
    names = list(arrays)
    if len(columns) > 1 or (not columns and len(names) != 1):
        given = f"{path}, which has {', '.join(map(repr, names)) or 'none'}"
        raise ArgumentError("columns", given, "the name of one array", "columns=[name] chooses")
    name = columns[0] if columns else names[0]
    check_choice("columns", name, names)
    return arrays[name]


def read_parquet(path: Path, columns: Sequence[str]) -> Array:
    """Read the columns of a Parquet file: needs the extra "data"."""
    parquet = import_extra("pyarrow.parquet", "data")
    try:
        table = parquet.read_table(path)
    except (ValueError, OSError) as error:
        raise ArgumentError("path", f"{path}: {error}", "a Parquet file") from None
    names = list(table.column_names)
    found = [(names[i], table.column(i)) for i in _places(path, names, columns)]
    for name, column in found:
        if column.null_count:
            given = f"{path}, column {name!r}: {column.null_count} values missing"
            raise ArgumentError("path", given, "a number in every row")
        if not re.fullmatch(r"u?int\d+|halffloat|float|double", kind := str(column.type)):
            raise ArgumentError("path", f"{path}, column {name!r} of {kind}", "numbers", _SOME)
    if not found or not len(found[0][1]):
        raise ArgumentError("path", f"{path}, which is empty", "one row or more")
    return np.stack([column.to_numpy().astype(float) for _, column in found], axis=1)


Reader = Callable[[Path, Sequence[str]], Array]
READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".npy": read_npy,
    ".npz": read_npz,
    ".parquet": read_parquet,
}
_SOME = "columns=[...] chooses those that are numbers"


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, by their numbers and split at commas."""
    try:
        text = path.read_text("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError("path", f"{path}: {error}", "comma-separated values") from None
    if not rows:
        raise ArgumentError("path", f"{path}, which is empty", "comma-separated values")
    return rows


def _places(path: Path, names: Sequence[str], columns: Sequence[str]) -> list[int]:
    """The positions of the columns that are wanted."""
    for name in columns:
        check_choice("columns", name, names)
        if names.count(name) > 1:
            given = f"{name!r}, which {path} has {names.count(name)} times"
            raise ArgumentError("columns", given, "names that it has once")
    return [names.index(name) for name in columns] or list(range(len(names)))


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
        return ArgumentError("path", given, "a number", "separate the values by commas")
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
