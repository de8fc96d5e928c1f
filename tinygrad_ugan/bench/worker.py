"""A process for every library, so that no library's threads or settings disturb another's."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from typing import Any

from tinygrad_ugan.bench.contenders import serve
from tinygrad_ugan.bench.libraries import KEEP_MEMORY
from tinygrad_ugan.bench.workloads import Workload


class Worker:
    """A library in a process of its own, on a number of cores.

    Parameters
    ----------
    name : str
        One of `OURS` or `RIVALS`, or `LIMIT`.
    threads : int
        Its threads; where the system allows, it is also kept to so many cores.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, name, threads), daemon=True)
        with _surroundings(_environment(name, threads), threads):
            self._process.start()
        other.close()

    def prepare(self, workload: Workload) -> tuple[float, list[Any]] | None:
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
        return self._ask("times", seconds)

    def resident_bytes(self) -> int:
        """Memory that the process holds now (Linux)."""
        return self._ask("resident_bytes")

    def peak_bytes(self) -> int:
        """Memory that the process holds at most during a call (Linux)."""
        return self._ask("peak_bytes")

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
