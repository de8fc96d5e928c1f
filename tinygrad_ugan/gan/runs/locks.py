"""One writer at a time: a folder is locked while somebody writes in it."""

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
_PATIENCE = 1.0  # seconds in which a process that has just taken a lock writes its name into it
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class BusyError(ArgumentError):
    """Somebody else is at work in a folder."""


class _Lock:
    """A file that is locked for as long as it is open."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file

    def sign(self) -> None:
        """Write down whose it is."""
        who = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now().astimezone().isoformat(" ", "seconds"),
        }
        self.file.truncate(0)
        self.file.write(json.dumps(who).encode() + b"\n")

    def release(self) -> None:
        """Give it back; but a forked child has none."""
        if self not in _held:
            return
        _held.discard(self)
        if not HAS_FLOCK:  # there, no open file can be removed
            self.file.close()
        with suppress(FileNotFoundError):  # somebody has removed the folder
            self.path.unlink()
        self.file.close()  # only now: nobody may take a lock that is about to go


_held: set[_Lock] = set()  # by this process


def _forget() -> None:
    """Leave the locks to the parent, however long a forked child lives."""
    for lock in _held:
        lock.file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Be the only one who writes in a folder; it is made if it is not there.

    What is locked is the file .lock in it, which says who is at work. The lock is the operating
    system's (``flock``), and ends with the process that holds it, however that ends. So the file
    that a killed one leaves behind locks nothing, whatever process has its number by then. Where
    there is no such lock, on Windows and on a few network file systems, the file itself is the
    lock, and has to be removed by hand after a kill.

    Raises
    ------
    BusyError
        If somebody else is at work there; the message says who.
    ArgumentError
        If the folder cannot be made or written to.

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
    """Take the lock, or find out who has it."""
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
    """Open the file, and say whether it is new."""
    with suppress(FileExistsError):
        return path.open("x+b", buffering=0), True
    try:
        return path.open("r+b", buffering=0), False
    except FileNotFoundError:  # it went in between
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
    """Whether it is still the file of that name, and not one that its holder has just removed."""
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
