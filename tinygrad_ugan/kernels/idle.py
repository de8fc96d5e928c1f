"""Programs that are built and wait to be used again; building one takes longer than running it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Idle:
    """Keeps programs by key, up to so many bytes; those not used for longest go first.

    A program in use is not here, so that no two threads can have the same one; nor is one that has
    failed. `limit` counts what a program says of itself in its attribute ``nbytes``.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._programs: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> Any:
        """A program for nobody else to use before it is `put` back; None if there is none."""
        with self._lock:
            alike = self._programs.get(key)
            if not alike:
                return None
            program = alike.pop()
            self._bytes -= program.nbytes
            return program

    def put(self, key: Hashable, program: Any) -> None:
        """Keep a program."""
        with self._lock:
            self._programs.setdefault(key, []).append(program)
            self._programs.move_to_end(key)
            self._bytes += program.nbytes
            while self._bytes > self.limit:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        key, alike = next(iter(self._programs.items()))
        if alike:
            self._bytes -= alike.pop().nbytes
        if not alike:
            del self._programs[key]
