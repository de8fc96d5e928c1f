"""What runs in a worker's process: a library, or the limit, behind a few questions."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import optree

import tinygrad_ugan as ug
from tinygrad_ugan.bench.libraries import OURS, RIVALS, UnsuitableError
from tinygrad_ugan.bench.limit import MultiplyAdds
from tinygrad_ugan.bench.workloads import Workload

#: The name of the contender that does nothing but multiply and add.
LIMIT = "limit"

#: Seconds of calls that are not timed before those that are: threads that have been asleep wake up
#: on one core, and the system takes some 50 ms to give each a core of its own.
WARM_UP = 0.15


def serve(connection: Connection, name: str, threads: int) -> None:
    """Answer questions, ``(method, *arguments)``, until the other end is closed."""
    contender = Limit(threads) if name == LIMIT else Contender(name, threads)
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


class Contender:
    """A library: see `tinygrad_ugan.bench.Worker` for the methods."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._threads = name, threads
        self._call: Callable[[], tuple[Any, Any]]

    def prepare(self, workload: Workload) -> tuple[float, list[np.ndarray]]:
        """Build the call, and compile it by calling it once."""
        _set_threads(self._name, self._threads)
        self._call = {**OURS, **RIVALS}[self._name](workload)
        value, gradient = self._call()
        return float(value), [np.asarray(leaf) for leaf in optree.tree_leaves(gradient)]

    def times(self, seconds: float) -> list[float]:
        """Seconds of each call in a burst."""
        return timed(self._call, seconds)

    def resident_bytes(self) -> int:
        """What the process uses now."""
        _give_back()
        return _status("VmRSS")

    def peak_bytes(self) -> int:
        """What the process uses at most during a call."""
        _give_back()
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak until now
        self._call()
        return _status("VmHWM")


class Limit:
    """The multiply-adds of a workload, and nothing else."""

    BURST = 10**9  # enough that starting the threads does not count

    def __init__(self, threads: int) -> None:
        self._loops = {dtype: MultiplyAdds(dtype, threads) for dtype in ("float32", "float64")}

    def prepare(self, workload: Workload) -> None:
        """Count."""
        self._loop, self._count = self._loops[workload.dtype], workload.multiply_adds

    def times(self, seconds: float) -> list[float]:
        """Seconds that the workload's multiply-adds take, from each loop of a burst."""
        taken = timed(lambda: self._loop(self.BURST), seconds)
        return [t * self._count / self.BURST for t in taken]


def timed(call: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of each call until so much time is over, once the library is up to speed."""
    _until(call, WARM_UP)
    return _until(call, seconds)


def _until(call: Callable[[], Any], seconds: float) -> list[float]:
    taken: list[float] = []
    while not taken or sum(taken) < seconds:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return taken


def _set_threads(name: str, threads: int) -> None:
    """Where a library wants to be told; the others see the environment."""
    if name.startswith("torch"):
        import torch

        torch.set_num_threads(threads)
    if name in OURS and hasattr(ug, "set_num_threads"):
        ug.set_num_threads(threads)


def _give_back() -> None:
    """Return free memory to the system, so that what is resident is in use."""
    ctypes.CDLL(None).malloc_trim(0)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
