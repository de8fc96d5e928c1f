"""Processes that die, fail and are stopped, and a sweep in two of them without dask and pandas."""

import os
import signal
import sys
from functools import partial

import pytest

from tests.gan.small import bits, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import variations
from tinygrad_ugan.gan.sweeps.process_pool import run_all


def work(task, folder):
    """Die every time, or the first time, or return a limit of the environment."""
    if task == "dies" or (task == "dies once" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ["OMP_NUM_THREADS"]


def nothing():
    """Prepare nothing."""


def test_only_the_task_that_kills_its_process_is_lost(tmp_path):
    tasks = ["a", "dies once", "b", "dies", "c"]
    limits = {"OMP_NUM_THREADS": "7"}
    options = {"prepare": nothing, "limits": limits}
    found = dict(run_all(partial(work, folder=tmp_path), tasks, 2, **options))
    error = found.pop("dies")
    assert isinstance(error, ChildProcessError)
    assert str(error) == "the process ended with exit code -9"
    assert found == dict.fromkeys(["a", "dies once", "b", "c"], "7")
    assert os.environ.get("OMP_NUM_THREADS") != "7"


def refuse():
    """Fail as an import does."""
    raise ArgumentError("plugin", "x", "a module that can be imported")


def fail():
    """Fail as code of one's own does."""
    raise ZeroDivisionError("0")


def leave():
    """End as a script without a guard does."""
    os._exit(1)


@pytest.mark.parametrize(
    ("prepare", "kind", "words"),
    [
        (refuse, ArgumentError, "plugin: expected a module that can be imported, got x"),
        (fail, ChildProcessError, "ZeroDivisionError: 0"),
        (leave, ChildProcessError, "exit code 1 before its first task; a script that starts"),
    ],
)
def test_what_keeps_a_process_from_beginning_is_raised_here(prepare, kind, words, tmp_path):
    tasks = run_all(partial(work, folder=tmp_path), ["a", "b"], 1, prepare=prepare, limits={})
    with pytest.raises(kind, match=words):
        next(tasks)


def train(each, folder):
    """Train into a folder."""
    gan.train(each.config, folder / each.folder)


def test_stopped_training_leaves_a_checkpoint_that_resumes(tmp_path):
    [each] = variations(varied(steps=10**7, checkpoint_every=10**7, evaluate_every=1), {}, [0])
    tasks = run_all(partial(train, folder=tmp_path), [each], 1, prepare=nothing, limits={})

    table = tmp_path / each.folder / "metrics.csv"

    def interrupt(*_):
        if table.exists() and len(table.read_text().splitlines()) > 3:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(tasks)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    run = gan.load(tmp_path / each.folder)
    assert run.checkpoint.step > 0
    assert not run.finished


def test_a_sweep_without_dask_and_pandas_equals_serial_runs(tmp_path, monkeypatch):
    for name in ("dask", "distributed", "pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    config, vary = varied(steps=4), {"unroll.method": ["auto", "detached"]}
    table = gan.sweep(config, vary, folder=tmp_path / "sweep", workers=2)
    assert table["status"].tolist() == ["done", "done"]
    assert len((tmp_path / "sweep/table.csv").read_text().splitlines()) == 3
    for each in variations(config, vary, [0]):
        parallel = gan.load(tmp_path / "sweep" / each.folder)
        assert bits(parallel.checkpoint.state) == bits(gan.train(each.config).checkpoint.state)
