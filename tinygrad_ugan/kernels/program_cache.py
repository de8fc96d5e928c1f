"""Caches of programs: building one takes longer than running it.

There are no locks. Every step is a single operation of Python's on a dict or a list, which neither
another thread nor an interrupt can split; an entry lost between two steps is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class LRUCache:
    """A least-recently-used cache of shared objects, bounded in number and in bytes.

    Parameters
    ----------
    max_bytes : int
        Bound on the sum of the entries' attributes ``nbytes``; the latest entry always stays.
    max_entries : int
    """

    def __init__(self, max_bytes: int, max_entries: int) -> None:
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self._entries: dict[Hashable, Any] = {}  # the least recently used first

    def get(self, key: tuple[Any, ...], make: Callable[..., Any]) -> Any:
        """Return the entry of a key; ``make(*key)`` builds it if there is none."""
        found = self._entries.pop(key, None)
        entry = make(*key) if found is None else found
        self._entries[key] = entry
        if found is None:
            self.trim()
        return entry

    def values(self) -> list[Any]:
        """All entries."""
        return list(self._entries.values())

    def clear(self) -> None:
        """Drop all entries."""
        self._entries.clear()

    def trim(self) -> None:
        """Drop the oldest entries until the rest fit; to be called when an entry has grown, too."""
        while len(entries := list(self._entries.items())) > 1 and (
            len(entries) > self.max_entries
            or sum(entry.nbytes for _, entry in entries) > self.max_bytes
        ):
            self._entries.pop(entries[0][0], None)


class ProgramPool:
    """A pool of programs of which each is used by one thread at a time, bounded like `LRUCache`.

    A program in use is not in the pool, so no two threads can have the same one; nor is one that
    has failed or was interrupted. Where too many are idle, the least recently used go.
    """

    def __init__(self, max_bytes: int, max_entries: int) -> None:
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self._idle: dict[Hashable, list[Any]] = {}  # the least recently used first

    def acquire(self, key: Hashable) -> Any:
        """Take a program out, for exclusive use until `release`; None if there is none."""
        alike = self._idle.pop(key, None)
        if not alike:
            return None
        program = alike.pop()
        if alike:
            self._idle[key] = alike
        return program

    def release(self, key: Hashable, program: Any) -> None:
        """Put a program back, or in."""
        alike = self._idle.pop(key, [])
        alike.append(program)
        self._idle[key] = alike
        idle = self.idle()
        while len(idle) > self.max_entries or sum(p.nbytes for p in idle) > self.max_bytes:
            self._drop_oldest()
            idle = self.idle()

    def idle(self) -> list[Any]:
        """All programs that are not in use."""
        return [program for alike in list(self._idle.values()) for program in alike]

    def _drop_oldest(self) -> None:
        for key, alike in list(self._idle.items())[:1]:
            del alike[:1]
            if not alike:
                self._idle.pop(key, None)
