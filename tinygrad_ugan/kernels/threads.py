"""The pool of threads that help to run programs.

They are Python threads, created and ended by the platform's own means; inside `executor.server`
they do not hold the interpreter's lock. A helper without work for a while sleeps until the bell
rings. A program never waits for a helper to wake up: chunks are claimed by any thread that is
awake, all of them by the starting thread if there is no other.
"""

from __future__ import annotations

import ctypes
import functools
import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels import fork_safety

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.target import Target

_Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class ThreadPool:
    """Threads that help the one that calls `run`.

    No method acquires anything that it would have to release: an interrupt may come anywhere.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._job = np.zeros(16, np.int64)
        self._job_address = self._job.ctypes.data
        self._helpers: dict[int, threading.Thread] = {}
        self._asleep: set[int] = set()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = False

    def run(self, header: int, target: Target, *, alone: bool = False) -> None:
        """Run a program: on all threads, or alone while another Python thread uses them."""
        run = _runner(target)
        if alone or self.threads == 1:
            run(header, 0)
            return
        if len(self._helpers) < self.threads - 1:
            self._start(target)
        self._wake(len(self._asleep))
        run(header, self._job_address)

    def stop(self) -> None:
        """Let the threads end."""
        self._stopped = True
        self._wake(self.threads)

    def _wake(self, helpers: int) -> None:
        for _ in range(helpers):
            self._bell.put(None)

    def _start(self, target: Target) -> None:
        from tinygrad_ugan.kernels import executor

        serve = _Function(executor.server(target))
        for number in range(1, self.threads):
            if number not in self._helpers:
                name, work = f"tinygrad_ugan-{number}", (serve, number)
                threading.Thread(target=self._serve, args=work, name=name, daemon=True).start()

    def _serve(self, serve: Callable[..., Any], number: int) -> None:
        me = threading.current_thread()
        if self._helpers.setdefault(number, me) is not me:
            return  # another call of `_start` was interrupted, or came at the same time
        while not self._stopped:
            serve(self._job_address, 0)
            self._asleep.add(number)
            self._bell.get()
            self._asleep.discard(number)


@functools.cache
def _runner(target: Target) -> Callable[..., Any]:
    from tinygrad_ugan.kernels import executor

    return _Function(executor.runner(target))


def available() -> int:
    """The number of processors that this process may use, limited by OMP_NUM_THREADS."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not available on this system
        processors = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, max(int(limit), 1)) if limit.isdigit() else processors


class _Current:
    pool: ThreadPool | None = None


def pool() -> ThreadPool:
    """The pool in use."""
    if _Current.pool is None:
        _Current.pool = ThreadPool(available())
    return _Current.pool


def set_num_threads(n: int) -> None:
    """Set the number of threads of the kernels; the default is all processors of this process.

    Results are bit-identical for any number.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise ArgumentTypeError("n", repr(n), "a whole number >= 1")
    if n < 1:
        raise ArgumentError("n", n, "a whole number >= 1")
    old = _Current.pool
    if old is not None and old.threads == n:
        return
    _Current.pool = ThreadPool(int(n))
    if old is not None:
        old.stop()


def get_num_threads() -> int:
    """Return the number of threads that the kernels use."""
    return pool().threads


@fork_safety.call_in_child
def _forget() -> None:
    """Replace the pool in a forked child, which has none of its parent's threads."""
    if _Current.pool is not None:
        _Current.pool = ThreadPool(_Current.pool.threads)
