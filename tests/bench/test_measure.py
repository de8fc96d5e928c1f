"""Contenders run in processes of their own, and only those that agree are timed."""

import dataclasses

import numpy as np
import pytest

from tinygrad_ugan import bench
from tinygrad_ugan.bench import measure
from tinygrad_ugan.bench.libraries import OURS

TINY = bench.Workload((3, 4, 2), (2, 4, 1), batch=5, steps=2)


@pytest.fixture(scope="module")
def arena():
    with bench.Arena(list(OURS), threads=1) as arena:
        yield arena


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_figure_for_every_library_and_for_the_limit(arena, dtype):
    workload = dataclasses.replace(TINY, dtype=dtype)
    figures = arena.measure(workload, rounds=2, seconds=0.001)
    assert list(figures) == ["limit", *OURS]
    for figure in figures.values():
        assert 0 < figure.low <= figure.median <= figure.high
    assert all(figures["limit"].median < figures[name].median for name in OURS)


def test_who_disagrees_is_named(arena, monkeypatch):
    value, gradient = measure.reference(TINY)
    gradient[0] = gradient[0] * (1 + 1e-3)
    monkeypatch.setattr(measure, "reference", lambda workload: (value, gradient))
    with pytest.raises(bench.DisagreementError, match="adjoint"):
        arena.prepare(TINY)


@pytest.mark.parametrize("value", [1.001, np.nan])
def test_a_wrong_value_is_an_error(value):
    leaves = [np.ones(3)]
    assert not measure.relative_error((value, leaves), (1.0, leaves)) < 1e-4


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    with bench.Arena(["autograd"], threads=1) as arena:
        found = arena.prepare(TINY)
    assert ("autograd" in found) != ("autograd" in arena.left_out)
