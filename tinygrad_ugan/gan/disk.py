"""Files and folders that are there in full or not at all, and bytes that are checked when read."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tinygrad_ugan.errors import ArgumentError

SUMS = "SHA256SUMS"


class CorruptError(ArgumentError):
    """A file on disk is not what was written there."""


def write_file(path: Path, content: str) -> None:
    """Write a file under a temporary name, then rename it: no reader sees half of it.

    It may be lost with the power. What must not be goes into a checkpoint.
    """
    temporary = path.with_name(f".new-{path.name}")
    temporary.write_text(content, encoding="utf-8", newline="")
    temporary.replace(path)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files and their checksums; kill the process when you will, it is all or
    nothing.

    The checksums are in the format of ``sha256sum``, in the file SHA256SUMS.
    """
    discard_leftovers(folder.parent)
    temporary = folder.with_name(f".new-{folder.name}")
    temporary.mkdir(parents=True)
    for name, content in {**files, SUMS: _sums(files)}.items():
        _write_durably(temporary / name, content)
    _sync(temporary)
    if folder.exists():
        remove_folder(folder)
    temporary.rename(folder)
    _sync(folder.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that it is never half there under its own name."""
    doomed = folder.with_name(f".old-{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def discard_leftovers(parent: Path) -> None:
    """Remove what a killed process left unfinished."""
    for pattern in (".new-*", ".old-*"):
        for leftover in parent.glob(pattern):
            shutil.rmtree(leftover)


def read_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Read the files that `write_folder` wrote, checked against their checksums.

    Raises
    ------
    CorruptError
        If a file is missing, or is not what was written.
    """
    files = {name: _read(folder / name) for name in (*names, SUMS)}
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


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorruptError(str(path), f"{error.strerror}", "a readable file") from None


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make names that were given in a folder outlast a loss of power."""
    if os.name == "nt":  # folders cannot be opened there, nor need they be
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
