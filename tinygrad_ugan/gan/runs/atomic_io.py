"""Atomic writes of files and folders, and reads that verify checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tinygrad_ugan.errors import ArgumentError, printable

SUMS = "SHA256SUMS"
_NEW, _OLD, _STAND_IN = ".new-", ".old-", ".was-"  # unfinished; to be removed; to be replaced


class CorruptError(ArgumentError):
    """A file on disk differs from what was written."""


class WriteError(OSError):
    """A file or folder could not be written; what it was to replace is unchanged."""


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name, then rename it: no reader sees half of it.

    Not durable: a power failure may lose the file. Checkpoints are written by `write_folder`.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    content = content.encode() if isinstance(content, str) else content
    path = Path(os.path.realpath(path))  # not a link to it
    if path.exists() and not path.is_file():  # a terminal or a pipe, which a file cannot replace
        with _writing(path):
            path.write_bytes(content)
        return
    temporary = path.with_name(_NEW + path.name[:99])
    with _writing(path, temporary):
        temporary.write_bytes(content)
        temporary.replace(path)


def check_file_place(argument: str, path: Path) -> None:
    """Raise `ArgumentError` unless a file can be written there: called before the work."""
    if path.is_dir():
        raise ArgumentError(argument, f"{path}, which is a folder", "a file that can be written")
    try:
        if path.exists():
            with path.open("ab"):
                return
        path.touch()
        path.unlink()
    except (OSError, ValueError) as error:
        given = f"{path}: {_reason(error)}"
        raise ArgumentError(argument, given, "a file that can be written") from None


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files and their checksums, all or nothing, even if the process is killed.

    The checksums are in the format of ``sha256sum``, in the file SHA256SUMS. A folder that is
    replaced stays, under another name, until the new one is in its place.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    temporary = folder.with_name(_NEW + folder.name)
    with _writing(folder, temporary):
        discard_leftovers(folder.parent)
        temporary.mkdir(parents=True)
        for name, content in {**files, SUMS: _sums(files)}.items():
            _write_durably(temporary / name, content)
        _sync(temporary)
        if folder.exists():
            folder.rename(_stand_in(folder))
        temporary.rename(folder)
        _sync(folder.parent)
        discard_leftovers(folder.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder atomically, as seen under its name."""
    doomed = folder.with_name(_OLD + folder.name)
    with _writing(folder):
        folder.rename(doomed)
        shutil.rmtree(doomed)


def discard_leftovers(parent: Path) -> None:
    """Remove what a killed process left unfinished, and restore what it was about to replace."""
    for stand_in in parent.glob(f"{_STAND_IN}*"):
        folder = parent / stand_in.name.removeprefix(_STAND_IN)
        if folder.exists():
            remove_folder(stand_in)
        else:
            stand_in.rename(folder)
    for pattern in (_NEW, _OLD):
        for leftover in parent.glob(f"{pattern}*"):
            _discard(leftover)


def list_folders(parent: Path) -> list[Path]:
    """Return the folders that `write_folder` wrote, including those being replaced."""
    before, names = None, _names(parent)
    while names != before:  # a listing may miss what is renamed in the middle of it
        before, names = names, _names(parent)
    present = {name.removeprefix(_STAND_IN) for name in names}
    return [parent / name for name in sorted(present) if not name.startswith((_NEW, _OLD))]


def read_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Read files that `write_folder` wrote, and verify their checksums.

    Raises
    ------
    CorruptError
        If a file is missing, or differs from what was written.
    """
    while True:
        before = _identity(folder)
        try:
            return _read_checked(folder, names)
        except CorruptError:
            if _identity(folder) == before:
                raise  # else it was replaced meanwhile: read the new one


def read_text(argument: str, path: Path, expected: str = "a file that can be read") -> str:
    """Read a small text file in UTF-8.

    Raises
    ------
    ArgumentError
        If it cannot be read, is larger than 1 MiB, or is not a regular file.
    """
    try:
        return _content(path, most=2**20).decode()
    except (OSError, ValueError) as error:
        raise ArgumentError(argument, f"{path}: {_reason(error)}", expected) from None


def _read_checked(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    files = {name: _read(folder, name) for name in (*names, SUMS)}
    sums = files.pop(SUMS)
    if sums == _sums(files):
        return files
    given = dict.fromkeys(names, "")
    for line in sums.decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        given[name] = digest
    wrong = [name for name in names if given[name] != hashlib.sha256(files[name]).hexdigest()]
    changed = folder / (wrong[0] if len(wrong) == 1 else SUMS)
    raise CorruptError(str(changed), "other bytes", "the bytes that its checksum was made from")


def _read(folder: Path, name: str) -> bytes:
    try:
        return _content(_present(folder) / name)
    except OSError as error:
        raise CorruptError(str(folder / name), _reason(error), "a readable file") from None


def _content(path: Path, most: int | None = None) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # a device has no end, and a pipe keeps one waiting
        raise OSError("no regular file")
    with path.open("rb") as file:
        content = file.read() if most is None else file.read(most + 1)
    if most is not None and len(content) > most:
        raise OSError(f"larger than {most:,} bytes")
    return content


def _names(parent: Path) -> set[str]:
    return {path.name for path in parent.glob("*")}


def _stand_in(folder: Path) -> Path:
    return folder.with_name(_STAND_IN + folder.name)


def _present(folder: Path) -> Path:
    """The folder, or its stand-in while it is being replaced."""
    stand_in = _stand_in(folder)
    return stand_in if stand_in.exists() and not folder.exists() else folder


def _identity(folder: Path) -> object:
    """Changes whenever another folder takes this name."""
    with suppress(OSError):
        found = _present(folder).stat()
        return found.st_ino, found.st_mtime_ns
    return None


@contextmanager
def _writing(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name the path in errors, and remove what is unfinished."""
    try:
        yield
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                _discard(temporary)
        if not isinstance(error, OSError):
            raise
        message = f"{printable(str(path))} could not be written: {_reason(error)}"
        raise WriteError(message) from error


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make renames in a folder durable."""
    if os.name == "nt":  # folders cannot be opened there, nor need they be
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
