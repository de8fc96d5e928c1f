"""A library in a process of its own answers as it would here."""

import contextlib
import dataclasses

import pytest

from tinygrad_ugan import bench

TINY = bench.Workload((3, 4, 2), (2, 4, 1), batch=5, steps=2)


def test_an_error_of_the_library_is_raised_here():
    wrong = dataclasses.replace(TINY, activation="tan")
    with (
        contextlib.closing(bench.Worker("adjoint", threads=1)) as worker,
        pytest.raises(RuntimeError, match="adjoint: ArgumentError: activation"),
    ):
        worker.prepare(wrong)


def test_times_and_memory_are_those_of_the_other_process():
    with contextlib.closing(bench.Worker("adjoint", threads=1)) as worker:
        worker.prepare(TINY)
        assert all(seconds > 0 for seconds in worker.times(0.001))
        assert 2**20 < worker.resident_bytes() <= worker.peak_bytes()


def test_the_limit_has_no_value():
    with contextlib.closing(bench.Worker(bench.LIMIT, threads=1)) as worker:
        assert worker.prepare(TINY) is None
        assert 0 < min(worker.times(0.001)) < 1e-3
