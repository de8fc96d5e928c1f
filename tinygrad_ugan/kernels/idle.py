"""Programs that are built and wait to be used again; building one takes longer than running it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class Idle:
    """Keeps programs by key, up to so many bytes; those not used for longest go first.

    A program in use is not here, so that no two threads can have the same one. `limit` counts what
    a program says of itself in its attribute ``nbytes``.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._programs: OrderedDict[tuple[Hashable, int], Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, key: Hashable, build: Callable[[], Any]) -> Iterator[Any]:
        """A program for nobody else to use meanwhile; one that fails is not kept."""
        program = self._take(key) or build()
        yield program
        self._put(key, program)

    def _take(self, key: Hashable) -> Any:
        with self._lock:
            for number in range(_MOST_ALIKE):
                program = self._programs.pop((key, number), None)
                if program is not None:
                    self._bytes -= program.nbytes
                    return program
        return None

    def _put(self, key: Hashable, program: Any) -> None:
        with self._lock:
            for number in range(_MOST_ALIKE):
                if (key, number) not in self._programs:
                    self._programs[key, number] = program
                    self._bytes += program.nbytes
                    break
            while self._bytes > self.limit:
                _, oldest = self._programs.popitem(last=False)
                self._bytes -= oldest.nbytes


_MOST_ALIKE = 4  # programs with one key: as many as there were threads that used it at once
