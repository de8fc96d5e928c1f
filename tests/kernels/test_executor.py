"""What the thread that starts a program and those that help it do, each on its own."""

import concurrent.futures
import ctypes
import re
import threading
import time

import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import executor, parameters, threads
from tinygrad_ugan.kernels.program import FIRST_ROW, Program, split

CHUNKS, ROWS = 7, 90
TARGET = TARGETS["avx2"]
Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class Doubling:
    """A program of three phases; each doubles rows, every chunk its own."""

    PHASES = 3

    def __init__(self):
        p = Program(TARGET, np.float64)
        self.x = p.array(ROWS, 8)
        phase = p.phase(CHUNKS)
        p.section(split(ROWS, CHUNKS, block=4, unit=1))
        x, out = self.x.by_row, p.result((ROWS, 8))
        p.call(parameters.scaled, x=x, ld=x.ld, scale=p.constant(2.0), out=x, n=8)
        p.call(parameters.copy_out, x=x, ldx=x.ld, first=FIRST_ROW, out=out, n=8)
        for _ in range(self.PHASES):
            p.run_phase(phase)
        self.executable = p.compile()
        self.out = np.zeros((ROWS, 8))
        self.executable._slots[:] = self.out.ctypes.data
        self.start = np.random.default_rng(0).standard_normal((ROWS, 8))
        self.executable.view(self.x)[:] = self.start

    @property
    def header(self):
        return self.executable._header_address

    @property
    def is_done(self):
        return np.array_equal(self.out, 2**self.PHASES * self.start)

    def run(self, pool):
        """Double what is there, with the help of a pool."""
        self.executable._counters.fill(0)
        self.out[:] = 0
        self.executable.view(self.x)[:] = self.start
        pool.run(self.header, TARGET)


@pytest.fixture
def job():
    return np.zeros(16, np.int64)


@pytest.fixture
def pool():
    pool = threads.ThreadPool(2)
    yield pool
    pool.stop()


def soon(condition):
    """Whether it comes true before long."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


@pytest.mark.parametrize("has_job", [False, True])
def test_who_starts_a_program_can_do_it_all_and_closes_the_job(job, has_job):
    doubling = Doubling()
    Function(executor.runner(TARGET))(doubling.header, job.ctypes.data * has_job)
    assert doubling.is_done
    assert not job.any()
    assert (doubling.executable._counters[1] == CHUNKS).all()


def test_who_starts_a_program_while_another_has_the_job_does_it_alone(job):
    doubling = Doubling()
    job[executor.TAKEN] = 1
    Function(executor.runner(TARGET))(doubling.header, job.ctypes.data)
    assert doubling.is_done
    assert job.tolist() == [0, 0, 1, *13 * [0]]


def test_programs_of_several_threads_have_one_pool(pool):
    doublings = [Doubling() for _ in range(4)]

    def work(doubling):
        for _ in range(500):
            doubling.run(pool)
            assert doubling.is_done

    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        list(workers.map(work, doublings))
    assert not pool._job.any()


def test_who_starts_a_program_waits_for_those_inside(job):
    doubling, inside = Doubling(), job[executor.INSIDE :]
    inside[0] = 1
    run = Function(executor.runner(TARGET))
    thread = threading.Thread(target=run, args=(doubling.header, job.ctypes.data))
    thread.start()
    assert soon(lambda: doubling.is_done and job[executor.PROGRAM] == 0)
    thread.join(0.05)
    assert thread.is_alive()
    inside[0] = 0
    thread.join(20)
    assert not thread.is_alive()


def test_who_helps_can_do_it_all_and_leaves_when_the_job_is_closed(job):
    doubling = Doubling()
    job[executor.PROGRAM] = doubling.header
    serve = Function(executor.server(TARGET))
    thread = threading.Thread(target=serve, args=(job.ctypes.data, 0), daemon=True)
    thread.start()
    assert soon(lambda: doubling.is_done)
    assert thread.is_alive()
    job[executor.PROGRAM] = 0
    thread.join(20)
    assert not thread.is_alive()
    assert not job.any()


def test_who_comes_to_help_as_the_job_is_closed_leaves_it_alone(job):
    """A race: it shows only where two threads do run at once, and not every time."""
    doubling, run = Doubling(), Function(executor.runner(TARGET))
    serve = Function(executor.server(TARGET))
    thread = threading.Thread(target=serve, args=(job.ctypes.data, 0))
    thread.start()
    for _ in range(200_000):  # all but the first find everything done, and close the job at once
        run(doubling.header, job.ctypes.data)
    thread.join(20)
    assert not thread.is_alive()
    assert doubling.is_done
    assert not job.any()


def test_who_helps_leaves_if_there_is_nothing_to_do(job):
    Function(executor.server(TARGET))(job.ctypes.data, 0)
    assert not job.any()


@pytest.mark.parametrize(
    ("machine", "system", "calls"),
    [
        ("x86_64", "linux", {"llvm.x86.sse2.pause", "sched_yield"}),
        ("AMD64", "win32", {"llvm.x86.sse2.pause", "SwitchToThread"}),
        ("arm64", "darwin", {"llvm.aarch64.hint", "sched_yield"}),
        ("riscv64", "linux", {"sched_yield"}),
    ],
)
def test_who_waits_tells_the_processor_and_lets_others_through(monkeypatch, machine, system, calls):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sys.platform", system)
    for module in (executor._emit_run(TARGET), executor._emit_serve(TARGET)):
        assert set(re.findall(r'call [^@]*@"([\w.]+)"', str(module))) == calls


def test_helpers_fall_asleep_and_come_back(pool):
    doubling = Doubling()
    for _ in range(3):
        doubling.run(pool)
        assert doubling.is_done
        assert soon(lambda: pool._asleep == {1})
    assert not pool._job.any()
