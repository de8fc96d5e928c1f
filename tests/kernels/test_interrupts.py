"""Interrupts anywhere, and forks at any time: what follows is as fast, and the same bits.

Each test is a process of its own, which ends in time or has hung.
"""

import concurrent.futures
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.kernels.test_executor import soon
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.kernels import pairwise_l1, threads
from tinygrad_ugan.kernels.fork_safety import cached_property
from tinygrad_ugan.kernels.program import Executable

PACKAGE = str(Path(ug.__file__).parent)
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
MANY = 400 if DEEP else 100
FORKS = 400 if DEEP else 40

needs_signals = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class Work:
    """What is done again and again: a sweep, a network's derivatives, a step of Adam."""

    def __init__(self, rows=300):
        rng = np.random.default_rng(0)
        self.game = gan.Game(nn.MLP((3, 20, 2)), nn.MLP((2, 20, 20, 1)))
        self.theta_g = self.game.generator.init(rng)
        self.theta_d = self.game.discriminator.init(rng)
        self.batch = gan.Batch(
            rng.standard_normal((rows, 2)).astype(np.float32),
            rng.standard_normal((rows, 3)).astype(np.float32),
        )
        self.adam = optim.Adam(0.01)
        self.state = self.adam.init(self.theta_g)

    def __call__(self):
        """The bytes of all results."""
        _, gradient = found = ug.unroll.value_and_grad(
            self.game, self.theta_g, self.theta_d, self.batch, steps=2, lr=0.1, method="fused"
        )
        slope = ug.grad(lambda x: np.sum(self.game.discriminator(self.theta_d, x)))(self.batch.real)
        moved = optim.descend(self.adam, gradient, self.state, self.theta_g)
        return [np.asarray(x).tobytes() for x in optree.tree_leaves((found, slope, moved))]


class Tracer:
    """Raises an interrupt at the n-th line of the package, or of some file of it."""

    def __init__(self, n, where=PACKAGE):
        self.left = n
        self.where = where

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.where):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def lines(work, where):
    """How many lines run."""
    tracer = Tracer(-1, where)
    sys.settrace(tracer)
    work()
    sys.settrace(None)
    return -1 - tracer.left


def check_pool():
    """Both threads work still, nothing is taken, and the number of threads can be changed."""
    pool = threads.pool()
    assert pool.threads == 2
    helped, run, work = [], Executable.run, Work()

    def spy(executable, *given, **named):
        found = run(executable, *given, **named)
        helped.extend([executable] * is_helped(executable))
        return found

    Executable.run = spy
    assert soon(lambda: work() and helped)
    Executable.run = run
    assert not pool._job.any()
    for n in (1, 2):
        ug.set_num_threads(n)


def is_helped(executable):
    """Whether a helper, which begins at the back, has claimed a chunk."""
    chunks = executable._tables[1][executable._tables[0][:, 0], 0]
    return bool(np.any((executable._counters[0] >> 32 > 0) & (chunks > 1)))


def unraisable():
    """Collect what destructors raise: they may be interrupted, and nothing else."""
    found = []
    sys.unraisablehook = lambda info: found.append(info.exc_type)
    return found


def at_every_kind_of_line(where):
    ug.set_num_threads(2)
    ignored, work = unraisable(), Work()
    expected = work()
    count, rng = lines(work, where), np.random.default_rng(0)
    assert count > 5
    for _ in range(MANY):
        try:
            sys.settrace(Tracer(int(rng.integers(1, count + 1)), where))
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        assert work() == expected
    check_pool()
    assert set(ignored) <= {KeyboardInterrupt}
    print("done")


def by_signals():
    """At any instruction, while programs are built, too."""

    def interrupt(number, frame):
        came.append(number)
        raise KeyboardInterrupt

    ug.set_num_threads(2)
    ignored, work = unraisable(), Work()
    expected = work()
    start = time.perf_counter()
    work()
    long = time.perf_counter() - start
    signal.signal(signal.SIGALRM, interrupt)
    rng, came = np.random.default_rng(0), []
    for i in range(MANY):
        other = Work(rows=100 + i)
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 3 * long))
            while len(came) == i:  # a destructor may be what is interrupted, and swallow it
                work()
                other()
        except KeyboardInterrupt:
            pass
        assert work() == expected
    check_pool()
    assert set(ignored) <= {KeyboardInterrupt}
    print("done")


def by_forks():
    """While other threads run programs, build them, and have numba compile."""
    ug.set_num_threads(2)
    work, stopped = Work(), threading.Event()
    expected = work()

    def keep_busy(rows):
        while not stopped.is_set():
            assert work() == expected
            Work(rows)()
            rows = 100 + rows % 100
            if rows == 150:
                compile_pairs()

    with concurrent.futures.ThreadPoolExecutor(2) as others:
        busy = [others.submit(keep_busy, rows) for rows in (100, 150)]
        children = [fork_child(work, expected, i % 20 == 0) for i in range(FORKS)]
        stopped.set()
    assert [thread.exception() for thread in busy] == [None, None]
    assert children == FORKS * [0]
    assert work() == expected
    check_pool()
    print("done")


def by_forks_within_a_cached_property():
    """While another thread is in the midst of computing the same attribute of another object."""

    class Slow:
        def __init__(self, wait):
            self.wait = wait

        @cached_property
        def value(self):
            self.wait()
            return 1

    begun, forked = threading.Event(), threading.Event()
    slow = Slow(lambda: (begun.set(), forked.wait(60)))
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        there = other.submit(lambda: slow.value)
        begun.wait(60)
        child = os.fork()
        if not child:
            faulthandler.dump_traceback_later(20, exit=True)
            os._exit(Slow(lambda: None).value != 1)
        status = os.waitpid(child, 0)[1]
        forked.set()
        assert (status, there.result(), slow.__dict__["value"]) == (0, 1, 1)
    print("done")


def compile_pairs():
    """What numba does at the first call."""
    points = np.ones((2, 1, 3))
    pairwise_l1._compiled.cache_clear()
    pairwise_l1.signed_differences(points, points)


def fork_child(work, expected, compiles):
    """The status of a child that works, with all threads."""
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(60, exit=True)  # instead of waiting for ever
        same = work() == expected == work() and Work(rows=77)() and threads.pool().threads == 2
        if compiles:
            compile_pairs()
        os._exit(not (same and soon(lambda: threads.pool()._helpers)))
    return os.waitpid(child, 0)[1]


def run(code):
    code = f"import tests.conftest\nfrom tests.kernels.test_interrupts import *\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=False, timeout=280, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("where", ["", "/kernels/threads.py", "/kernels/buffer_pool.py"])
def test_interrupts_at_any_line(where):
    run(f"at_every_kind_of_line(PACKAGE + {where!r})")


@needs_signals
def test_interrupts_by_signals():
    run("by_signals()")


@needs_fork
def test_forks_under_load():
    run("by_forks()")


@needs_fork
def test_a_fork_while_a_cached_property_is_computed():
    run("by_forks_within_a_cached_property()")


def test_locks_and_threads_are_made_where_forks_are_thought_of():
    """No other lock can stay taken in a child, and no other thread be missed there."""
    made = {"Lock", "RLock", "Condition", "Semaphore", "Event", "Barrier", "Thread", "Timer",
            "ThreadPoolExecutor", "ProcessPoolExecutor", "local", "register_at_fork"}  # fmt: skip
    assert not any("functools.cached_property" in p.read_text() for p in Path(PACKAGE).rglob("*.py")
                   if p.name != "fork_safety.py")  # fmt: skip
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in Path(PACKAGE).rglob("*.py")
        for name in made
        if f"threading.{name}(" in (text := path.read_text()) or f" {name}(" in text
        or f"os.{name}(" in text
    }  # fmt: skip
    assert found == {
        "kernels/fork_safety.py: RLock",
        "kernels/fork_safety.py: register_at_fork",
        "gan/runs/locks.py: register_at_fork",  # locks on the disk, for the parent alone
        "kernels/threads.py: Thread",
        "bench/limit.py: ThreadPoolExecutor",
    }
