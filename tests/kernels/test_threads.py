"""The threads that help: how many, when, and until when."""

import os
import threading

import pytest

from tests.kernels.emitted import TARGETS
from tests.kernels.test_executor import soon
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels import threads
from tinygrad_ugan.kernels.threads import ThreadPool

TARGET = TARGETS["avx2"]


@pytest.fixture(autouse=True)
def _own_pool(monkeypatch):
    monkeypatch.setattr(threads._Current, "pool", None)


@pytest.fixture
def runs(monkeypatch):
    """The arguments of programs that would have run."""
    found = []
    monkeypatch.setattr(threads, "_runner", lambda target: lambda *args: found.append(args))
    return found


@pytest.fixture
def pool(runs):
    pool = ThreadPool(3)
    yield pool
    pool.stop()


def helpers():
    return [t for t in threading.enumerate() if t.name.startswith("tinygrad_ugan-")]


def ended(helper):
    helper.join(20)
    return not helper.is_alive()


def test_a_program_has_all_threads_unless_it_is_to_run_alone(pool, runs):
    pool.run(1, TARGET)
    pool.run(2, TARGET, alone=True)
    ThreadPool(1).run(3, TARGET)
    assert runs == [(1, pool._job_address), (2, 0), (3, 0)]


def test_helpers_start_once_with_the_first_program_and_end_with_the_pool(pool):
    others = set(helpers())  # of earlier pools; any of these may end at any time
    pool.run(1, TARGET, alone=True)
    assert set(helpers()) <= others
    pool.run(1, TARGET)
    assert soon(lambda: len(pool._helpers) == 2)
    mine = set(helpers()) - others
    assert sorted(t.name for t in mine) == ["tinygrad_ugan-1", "tinygrad_ugan-2"]
    assert all(t.daemon for t in mine)  # the interpreter may end before them
    pool.run(1, TARGET)
    assert set(helpers()) - others == mine
    pool.stop()
    assert all(map(ended, mine))


def test_those_that_sleep_are_woken_for_a_program(pool):
    pool._helpers, pool._asleep = {1: None, 2: None}, {1, 2}
    pool.run(1, TARGET)
    assert pool._bell.qsize() == 2


def test_a_helper_sleeps_when_there_is_nothing_to_do(pool):
    served, asleep, number = [], [], 1

    def serve(job, rows):
        served.append((job, rows))
        pool._stopped = len(served) == 2

    class Bell:
        def get(self):
            asleep.append(set(pool._asleep))

        def put(self, nothing):
            pass

    pool._bell = Bell()
    pool._serve(serve, number)
    assert served == 2 * [(pool._job_address, 0)]
    assert asleep == [{number}, {number}]
    assert not pool._asleep


def test_of_two_helpers_with_one_number_the_second_ends_at_once(pool):
    pool._helpers[1] = threading.Thread()
    pool._serve(lambda *given: pytest.fail("it serves"), 1)


def test_helpers_whose_start_was_interrupted_are_started_with_the_next_program(pool, monkeypatch):
    start = threading.Thread.start

    def interrupted(thread):
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.run(1, TARGET)
    monkeypatch.setattr(threading.Thread, "start", start)
    pool.run(1, TARGET)
    assert soon(lambda: set(pool._helpers) == {1, 2})


@pytest.mark.parametrize("n", [True, 1.5, "2", None])
def test_a_number_of_threads_is_whole(n):
    with pytest.raises(ArgumentTypeError, match="n: expected a whole number >= 1"):
        threads.set_num_threads(n)


@pytest.mark.parametrize("n", [0, -1])
def test_a_number_of_threads_is_positive(n):
    with pytest.raises(ArgumentError, match="n: expected a whole number >= 1"):
        threads.set_num_threads(n)


def test_the_pool_is_made_once_and_again_for_another_number():
    first = threads.pool()
    assert threads.pool() is first
    assert threads.get_num_threads() == threads.available()
    threads.set_num_threads(first.threads)
    assert threads.pool() is first
    threads.set_num_threads(first.threads + 1)
    assert threads.get_num_threads() == first.threads + 1
    assert first._stopped
    assert not threads.pool()._stopped


def test_a_child_has_a_new_pool_of_as_many_threads():
    threads._forget()
    assert threads._Current.pool is None
    threads.set_num_threads(3)
    parents = threads.pool()
    threads._forget()
    assert threads.pool() is not parents
    assert threads.get_num_threads() == 3


@pytest.mark.parametrize(
    ("limit", "expected"), [("1", 1), ("2", 2), ("0", 1), ("100", 5), ("many", 5), ("", 5)]
)
def test_as_many_as_there_are_processors_and_openmp_may_use(monkeypatch, limit, expected):
    mine = {0: set(range(5))}
    monkeypatch.setattr(os, "sched_getaffinity", mine.__getitem__, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert threads.available() == expected


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (None, 1)])
def test_where_processors_can_only_be_counted(monkeypatch, count, expected):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.available() == expected
