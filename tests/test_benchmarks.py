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


def leaves(tree):
    return [np.asarray(leaf) for leaf in optree.tree_leaves(tree)]


@pytest.mark.parametrize("i", range(5))
def test_games_are_the_same_by_programs(i):
    call = list(importlib.import_module("compiled_games").CASES.values())[i]()
    for x, y in zip(leaves(call("compiled")), leaves(call("adjoint")), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("i", range(24))
def test_what_is_compiled_computes_the_same(i):
    problems = list(importlib.import_module("compiled_problems").PROBLEMS.values())
    assert len(problems) == 24
    f, arguments = problems[i].make(problems[i].dtypes[0])
    for x, y in zip(leaves(ug.compile(f)(*arguments)), leaves(f(*arguments)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)  # of a game in float32


def compared_with_ours(i, contender):
    """The relative error of another library in float64, for the i-th problem but A, B and C."""
    compiled = importlib.import_module("compiled")
    line = compiled.Line(list(compiled.PROBLEMS)[12 + i], "float64")
    try:
        calls = compiled.rivals.calls(contender, *line)
    except ug.bench.UnsuitableError:
        pytest.skip("the library has nothing for it")
    expected = compiled.reference(line)
    return max(compiled.relative_error(leaves(call()), expected) for call in calls)


@pytest.mark.parametrize("i", range(12))
def test_jax_computes_the_same(i):
    pytest.importorskip("jax")
    assert compared_with_ours(i, "jax jit, malloc tuned") < 1e-12


@pytest.mark.parametrize("i", range(12))
def test_torch_computes_the_same(i):
    pytest.importorskip("torch")
    assert compared_with_ours(i, "torch") < 1e-12


def test_compiled_functions_are_timed_in_turns_if_they_agree(monkeypatch):
    compiled = importlib.import_module("compiled")
    names, line = ("limit", "not compiled", "compiled"), compiled.Line("hvp-small", "float32")
    with compiled.arena(names, threads=1) as workers:
        record = compiled.measure(workers, line, rounds=1, seconds=0.001)
        assert list(record["ms"]) == list(record["errors"]) == ["not compiled", "compiled"]
        assert min(record["ms"].values()) > 0
        assert list(record["left out"]) == ["limit"]
        wrong = [1.001 * x for x in compiled.reference(line)]
        monkeypatch.setattr(compiled, "reference", lambda line: wrong)
        with pytest.raises(ug.bench.DisagreementError, match="hvp-small"):
            compiled.measure(workers, line, rounds=1, seconds=0.001)


def test_compile_times_are_those_of_fresh_processes():
    compiled = importlib.import_module("compiled")
    found = compiled.compile_times(compiled.Line("hvp-small", "float32"), threads=1)
    assert list(found) == ["cold", "cached"]
    assert min(found.values()) > 0


def test_the_documentation_quotes_the_table():
    compiled = importlib.import_module("compiled")
    text = (FOLDER.parent / "docs" / "compile.md").read_text("utf-8")
    assert compiled.tables(compiled.read()) in text


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
