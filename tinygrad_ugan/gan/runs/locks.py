"""Locks on folders: one writer at a time."""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tinygrad_ugan.errors import ArgumentError

try:
    from fcntl import LOCK_EX, LOCK_NB, flock

    HAS_FLOCK = True
except ImportError:  # Windows
    HAS_FLOCK = False

LOCK = ".lock"
_PATIENCE = 1.0  # seconds to wait for a process that has just taken a lock to sign it
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class BusyError(ArgumentError):
    """Another process is writing to a folder."""


class _Lock:
    """A file that is locked while it is open."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def sign(self) -> None:
        """Write the holder into the file."""
        who = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now().astimezone().isoformat(" ", "seconds"),
        }
        self.file.truncate(0)
        self.file.write(json.dumps(who).encode() + b"\n")

    def release(self) -> None:
        """Release the lock; in a forked child, which holds none, do nothing."""
        if self not in _held:
            return
        _held.discard(self)
        if not HAS_FLOCK:  # there, no open file can be removed
            self.file.close()
        with suppress(FileNotFoundError):  # somebody has removed the folder
            self.path.unlink()
        self.file.close()  # only now: nobody may take a lock that is about to go


_held: set[_Lock] = set()  # the locks of this process


def _forget() -> None:
    """Leave the locks to the parent, however long the forked child lives."""
    for lock in _held:
        lock.file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, which is created if necessary.

    The file .lock in it is locked, and names the holder. The lock is the operating system's
    (``flock``) and ends with the process, however that ends: the file that a killed process leaves
    behind locks nothing, even if another process has its number by then. Where ``flock`` is
    missing, on Windows and a few network file systems, the existence of the file is the lock, and
    after a kill it has to be removed by hand.

    Raises
    ------
    BusyError
        If another process holds the lock; the message says which.
    ArgumentError
        If the folder cannot be created or written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name, at_work(Path(name)):
    ...     sorted(path.name for path in Path(name).iterdir())
    ['.lock']
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _taken(folder)
    except BusyError:
        raise
    except (OSError, ValueError) as error:
        given = f"{folder}: {getattr(error, 'strerror', None) or error}"
        raise ArgumentError("folder", given, "a folder that can be written to") from None
    try:
        yield
    finally:
        lock.release()


def _taken(folder: Path) -> _Lock:
    """Take the lock, or raise with the name of its holder."""
    path, until = folder / LOCK, time.monotonic() + _PATIENCE
    while True:
        file, is_new = _open(path)
        if _try_lock(file, is_new) and _is_at(path, file):
            break
        holder = file.read()
        file.close()
        if holder or time.monotonic() > until:
            raise _busy(folder, holder)
        time.sleep(0.01)
    _held.add(lock := _Lock(path, file))
    try:
        lock.sign()
    except BaseException:
        lock.release()
        raise
    return lock


def _open(path: Path) -> tuple[BinaryIO, bool]:
    """Open the file; return whether it is new."""
    with suppress(FileExistsError):
        return path.open("x+b", buffering=0), True
    try:
        return path.open("r+b", buffering=0), False
    except FileNotFoundError:  # it was removed in between
        return _open(path)


def _try_lock(file: BinaryIO, is_new: bool) -> bool:
    if not HAS_FLOCK:
        return is_new
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return is_new
    return True


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether the path still names this file, which its holder may have just removed."""
    try:
        return not HAS_FLOCK or os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _busy(folder: Path, holder: bytes) -> BusyError:
    try:
        who = json.loads(holder)
        given = f"process {who['pid']} on {who['host']} has been at work since {who['since']}"
    except (ValueError, LookupError, TypeError):
        given = "another process is at work"
    hint = "wait until it is done or end it, or take another folder"
    if not HAS_FLOCK:
        hint += f"; if it is gone, remove {folder / LOCK}"
    expected = "a folder that nobody else writes to"
    return BusyError("folder", f"{folder}, where {given}", expected, hint)
