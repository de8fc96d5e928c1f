"""A process for every library, so that no library's threads or settings disturb another's.

`Worker` is this end of it; at the other, `serve` puts its questions to a `Contender`: a library, or
the multiply-add limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import optree

import tinygrad_ugan as ug
from tinygrad_ugan.bench.libraries import KEEP_MEMORY, OURS, RIVALS, UnsuitableError
from tinygrad_ugan.bench.limit import MultiplyAdds
from tinygrad_ugan.bench.workloads import Workload
from tinygrad_ugan.typing import Array

Clock = Callable[[], float]

#: The name of the contender that does nothing but multiply and add.
LIMIT = "limit"

#: Seconds of calls that are not timed before those that are: threads that have been asleep wake up
#: on one core, and the system takes some 50 ms to give each a core of its own.
WARM_UP = 0.15


class Worker:
    """A library in a process of its own, on a number of cores.

    Parameters
    ----------
    name : str
        One of `OURS` or `RIVALS`, or `LIMIT`.
    threads : int
        Its threads; where the system allows, it is also kept to so many cores.
    make : callable, optional
        ``make(name, threads)`` makes a contender of other workloads than `Workload`, in the other
        process; a function that can be pickled.
    """

    def __init__(
        self, name: str, threads: int, make: Callable[[str, int], Any] | None = None
    ) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, name, threads, make or contender_for_games), daemon=True
        )
        with _surroundings(_environment(name, threads), threads):
            self._process.start()
        other.close()

    def prepare(self, workload: Any) -> Any:
        """Get ready for a workload; returns the value and the gradient's leaves, as NumPy's.

        Raises
        ------
        ModuleNotFoundError
            If the library is not installed.
        UnsuitableError
            If it cannot do that.
        """
        return self._ask("prepare", workload)

    def times(self, seconds: float) -> list[float]:
        """Seconds of each call in a burst that lasts about `seconds`, and of one at least."""
        taken: list[float] = self._ask("times", seconds)
        return taken

    def resident_bytes(self) -> int:
        """Resident memory of the process now, in bytes (Linux)."""
        return int(self._ask("resident_bytes"))

    def peak_bytes(self) -> int:
        """Peak of its resident memory during a call, in bytes (Linux)."""
        return int(self._ask("peak_bytes"))

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()

    def _ask(self, *question: Any) -> Any:
        self._connection.send(question)
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _environment(name: str, threads: int) -> dict[str, str]:
    """Thread counts that have to be said before a library is loaded."""
    n = str(threads)
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    more = KEEP_MEMORY if "malloc tuned" in name else {}
    eigen = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    return {**dict.fromkeys(names, n), "XLA_FLAGS": eigen, "JAX_PLATFORMS": "cpu", **more}


@contextlib.contextmanager
def _surroundings(environment: Mapping[str, str], threads: int) -> Iterator[None]:
    """Variables and cores that a process started meanwhile inherits."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with _cores(threads):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _cores(threads: int) -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def contender_for_games(name: str, threads: int) -> Any:
    """Make the limit, or the library of a name."""
    return LimitContender(threads) if name == LIMIT else LibraryContender(name, threads)


def serve(connection: Connection, name: str, threads: int, make: Callable[[str, int], Any]) -> None:
    """Answer questions, ``(method, *arguments)``, until the other end is closed."""
    contender = make(name, threads)
    while True:
        try:
            method, *arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = getattr(contender, method)(*arguments)
        except (ModuleNotFoundError, UnsuitableError) as error:
            answer = error
        except Exception as error:  # a library's own class may not survive the way
            answer = RuntimeError(f"{name}: {type(error).__name__}: {error}")
        connection.send(answer)


class LibraryContender:
    """A library: see `Worker` for the methods."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._threads = name, threads
        self._call: Callable[[], tuple[Any, Any]]

    def prepare(self, workload: Workload) -> tuple[float, list[Array]]:
        """Build the call, and compile it by calling it once."""
        _set_threads(self._name, self._threads)
        self._call = {**OURS, **RIVALS}[self._name](workload)
        value, gradient = self._call()
        return float(value), [np.asarray(leaf) for leaf in optree.tree_leaves(gradient)]

    def times(self, seconds: float) -> list[float]:
        """Seconds of each call in a burst."""
        return timed(self._call, seconds)

    def resident_bytes(self) -> int:
        """Resident memory of the process now."""
        _give_back()
        return _status("VmRSS")

    def peak_bytes(self) -> int:
        """Peak of the resident memory during a call."""
        _give_back()
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak until now
        self._call()
        return _status("VmHWM")


class LimitContender:
    """The multiply-adds of a workload, and nothing else."""

    BURST = 10**9  # enough that starting the threads does not count

    def __init__(self, threads: int) -> None:
        self._loops = {dtype: MultiplyAdds(dtype, threads) for dtype in ("float32", "float64")}

    def prepare(self, workload: Workload) -> None:
        """Count."""
        self._loop, self._count = self._loops[workload.dtype], workload.multiply_adds

    def times(
        self, seconds: float, clock: Clock = time.perf_counter, warm_up: float = WARM_UP
    ) -> list[float]:
        """Seconds that the workload's multiply-adds take, from each loop of a burst."""
        taken = timed(lambda: self._loop(self.BURST), seconds, clock, warm_up)
        return [t * self._count / self.BURST for t in taken]


def timed(
    call: Callable[[], Any],
    seconds: float,
    clock: Clock = time.perf_counter,
    warm_up: float = WARM_UP,
) -> list[float]:
    """Seconds of each call until so much time is over, once the library is up to speed."""
    _until(call, warm_up, clock)
    return _until(call, seconds, clock)


def _until(call: Callable[[], Any], seconds: float, clock: Clock) -> list[float]:
    taken: list[float] = []
    while not taken or sum(taken) < seconds:
        start = clock()
        call()
        taken.append(clock() - start)
    return taken


def _set_threads(name: str, threads: int) -> None:
    """Tell the libraries that do not read it from the environment."""
    if name.startswith("torch"):
        import torch

        torch.set_num_threads(threads)
    if name in OURS:
        ug.set_num_threads(threads)


def _give_back() -> None:
    """Return free memory to the system, so that what is resident is in use."""
    ctypes.CDLL(None).malloc_trim(0)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
