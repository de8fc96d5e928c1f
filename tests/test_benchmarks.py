"""The benchmarks run: each computes what it times, on less of it, and none has lost its way."""

import importlib
import sys
from pathlib import Path

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # which some set for themselves
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in NAMES:
            del sys.modules[name]


def compiled_cases():
    return importlib.import_module("compiled").CASES


@pytest.mark.parametrize("i", range(10))
def test_what_is_compiled_computes_the_same(i):
    cases = list(compiled_cases().values())
    assert len(cases) == 10
    f, args = cases[i]()
    found, expected = ug.compile(f)(*args), f(*args)
    for x, y in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)  # of a game in float32


def test_the_loop_is_timed_as_it_is(monkeypatch):
    training = importlib.import_module("training")
    config = training.SETTINGS["ring-miniature"]
    monkeypatch.setattr(training, "median", lambda function, calls: function() or 1.0)
    assert training.loop_overhead(config, steps=2) == 0.5


def test_each_target_is_timed_on_its_own_kernels():
    targets = importlib.import_module("targets")
    workload = ug.bench.WORKLOADS["C"]
    value, *_ = targets.make_gradient(workload, targets.emulated_target("generic"))()
    expected, *_ = targets.make_gradient(workload, targets.host_target())()
    assert value == pytest.approx(expected, rel=1e-5)  # of float32
