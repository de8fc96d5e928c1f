"""The threads that help to run programs.

They are Python threads, so that they are created and ended as the platform does it; inside
`executor.server` they do not hold the interpreter's lock. A thread that finds nothing to do for a
while goes to sleep on a semaphore. A program is never kept waiting for a thread to wake up: its
chunks are claimed by whoever comes, and if nobody else does, by the thread that started it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.target import Target

_Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class Pool:
    """Some threads that help the one that calls `run`."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._job = np.zeros(16, np.int64)
        self._job_address = self._job.ctypes.data
        self._busy = threading.Lock()
        self._work = threading.Semaphore(0)
        self._sleeping = 0
        self._started = False
        self._stopped = False

    def run(self, header: int, target: Target, *, alone: bool = False) -> None:
        """Run a program: with all threads, or alone while another Python thread has these."""
        run = _runner(target)
        if alone or self.threads == 1 or not self._busy.acquire(blocking=False):
            run(header, 0)
            return
        try:
            self._start(target)
            for _ in range(self._sleeping):
                self._work.release()
            run(header, self._job_address)
        finally:
            self._busy.release()

    def stop(self) -> None:
        """Let the threads end."""
        with self._busy:
            self._stopped = True
            for _ in range(self.threads):
                self._work.release()

    def _start(self, target: Target) -> None:
        if self._started:
            return
        from tinygrad_ugan.kernels import executor

        self._started = True
        serve = _Function(executor.server(target))
        for i in range(self.threads - 1):
            name = f"tinygrad_ugan-{i + 1}"
            threading.Thread(target=self._serve, args=(serve,), name=name, daemon=True).start()

    def _serve(self, serve: Callable[..., Any]) -> None:
        while not self._stopped:
            serve(self._job_address, 0)
            self._sleeping += 1
            self._work.acquire()
            self._sleeping -= 1


@functools.cache
def _runner(target: Target) -> Callable[..., Any]:
    from tinygrad_ugan.kernels import executor

    return _Function(executor.runner(target))


def available() -> int:
    """How many processors this process may use, and no more than OMP_NUM_THREADS says."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        processors = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, max(int(limit), 1)) if limit.isdigit() else processors


class _Current:
    pool: Pool | None = None


def pool() -> Pool:
    """The pool in use."""
    if _Current.pool is None:
        _Current.pool = Pool(available())
    return _Current.pool


def set_num_threads(n: int) -> None:
    """Use n threads in the kernels from now on; by default, all processors of this process.

    Results do not depend on it, to the bit.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise ArgumentTypeError("n", repr(n), "a whole number >= 1")
    if n < 1:
        raise ArgumentError("n", n, "a whole number >= 1")
    old = _Current.pool
    if old is not None and old.threads == n:
        return
    _Current.pool = Pool(int(n))
    if old is not None:
        old.stop()


def get_num_threads() -> int:
    """How many threads the kernels use."""
    return pool().threads


def _forget() -> None:
    """After a fork the child has none of its parent's threads."""
    if _Current.pool is not None:
        _Current.pool = Pool(_Current.pool.threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
