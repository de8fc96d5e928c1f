"""A pool of processes on this machine: when one dies, its task is named, and the others go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

ATTEMPTS = 2  # at each task, if the process dies
GRACE = 30.0  # seconds to save what a process is at
_GUARD = 'a script that starts processes does so under `if __name__ == "__main__":`'
_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks


class _Worker:
    """A process that takes one task at a time."""

    def __init__(
        self, function: Callable[[Any], Any], prepare: Callable[[], None], limits: Mapping[str, str]
    ) -> None:
        self.pipe, end = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(end, function, prepare), daemon=True)
        with _environment(limits):
            self.process.start()
        end.close()
        self.ready = self.busy = False

    def begin(self, task: Any, attempts: int) -> None:
        """Hand over a task."""
        self.task, self.attempts, self.busy = task, attempts, True
        with suppress(OSError):  # it is dead, which `result` says
            self.pipe.send(task)

    def prepared(self) -> None:
        """Receive word that it is ready, or raise what kept it from that."""
        self.ready = True
        try:
            error = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            if not self.process.exitcode or self.process.exitcode < 0:
                return  # it was killed, which `result` says
            text = f"a process of the sweep ended with exit code {self.process.exitcode}"
            raise ChildProcessError(f"{text} before its first task; {_GUARD}") from None
        if error is not None:
            raise error

    def result(self) -> Any:
        """Return the result, or an error if the process died."""
        self.busy = False
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return ChildProcessError(f"the process ended with exit code {self.process.exitcode}")

    def stop(self) -> None:
        """Let it end; training saves a checkpoint first."""
        self.pipe.close()
        if self.busy:
            self.process.terminate()

    def join(self) -> None:
        """Wait for its end."""
        self.process.join(GRACE)
        self.process.kill()
        self.process.join()


def run_all(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    processes: int,
    *,
    prepare: Callable[[], None],
    limits: Mapping[str, str],
) -> Iterator[tuple[Any, Any]]:
    """Yield every task with its result as they end, or with an error if its process died twice.

    Parameters
    ----------
    function : callable
        Called with a task, in another process.
    tasks : sequence
    processes : int
    prepare : callable
        Called first in every process.
    limits : mapping of str to str
        Environment variables of the processes.

    Raises
    ------
    Exception
        What `prepare` raised in a process.
    ChildProcessError
        If a process could not even begin.
    """
    waiting = deque((task, ATTEMPTS) for task in tasks)
    workers: list[_Worker] = []
    try:
        for _ in range(min(processes, len(waiting))):
            workers.append(_Worker(function, prepare, limits))
            workers[-1].begin(*waiting.popleft())
        while busy := {worker.pipe: worker for worker in workers if worker.busy}:
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]  # one of those that were given
                if not worker.ready:
                    worker.prepared()
                    continue
                task, left, result = worker.task, worker.attempts - 1, worker.result()
                if died := isinstance(result, ChildProcessError):
                    workers.remove(worker)
                    if left:
                        waiting.appendleft((task, left))
                    if waiting:
                        workers.append(worker := _Worker(function, prepare, limits))
                if waiting:
                    worker.begin(*waiting.popleft())
                if not (died and left):
                    yield task, result
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


def _work(pipe: Connection, function: Callable[[Any], Any], prepare: Callable[[], None]) -> None:
    """Do tasks until the other end closes."""
    stopped = False

    def stop(*_: Any) -> None:
        nonlocal stopped
        stopped = True
        raise KeyboardInterrupt  # which ends training with a checkpoint

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops us
    signal.signal(signal.SIGTERM, stop)
    with suppress(KeyboardInterrupt, EOFError, OSError):
        pipe.send(_failure(prepare))
        while not stopped:
            result = function(pipe.recv())
            if not stopped:  # else it is that of an interrupted task
                pipe.send(result)


def _failure(prepare: Callable[[], None]) -> Exception | None:
    """Call `prepare`; return its error, in a form that can be sent."""
    try:
        prepare()
    except (ArgumentError, ArgumentTypeError) as error:
        return error
    except Exception as error:
        return ChildProcessError(f"{type(error).__name__}: {error}")
    return None


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the context, for processes that are started there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
