"""Training stops early for want of improvement, and a resumed run stops at the same step."""

import pytest

from tests.gan.small import outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError

METRICS = {"after": lambda state, samples: abs(state.step - 4)}  # best at step 4


def stopping(patience=2, **changes):
    stop = gan.EarlyStop("after", patience=patience, **changes)
    return varied(early_stop=stop, steps=20, evaluate_every=2, pictures=2)


def test_it_stops_after_that_many_rows_without_improvement():
    run = gan.train(stopping(patience=3), metrics=METRICS)
    assert [row.step for row in run.metrics] == [0, 2, 4, 6, 8, 10]
    assert run.finished
    assert run.stopped_early
    assert run.sample_steps == (0, 10)  # the last samples are kept, as at any end


def test_too_small_an_improvement_is_none():
    ends = [
        gan.train(stopping(min_delta=least), metrics=METRICS).metrics[-1].step  # of 4, 2, 0, 2, ...
        for least in (4.0, 3.9)
    ]
    assert ends == [4, 8]


def test_larger_may_be_better():
    run = gan.train(stopping(mode="max"), metrics=METRICS)
    assert run.metrics[-1].step == 4  # 4, 2, 0
    improving = gan.train(varied(early_stop=gan.EarlyStop("step", "max", 1)))
    assert improving.finished
    assert not improving.stopped_early


def test_nan_is_no_improvement():
    assert gan.EarlyStop("x", patience=2).is_due([1.0, float("nan"), float("nan")])
    assert gan.EarlyStop("x", patience=2).is_due([float("nan"), float("nan")])


def test_a_resumed_run_stops_where_it_would_have(tmp_path):
    whole = gan.train(stopping(), tmp_path / "run", metrics=METRICS)
    again = gan.resume(tmp_path / "run", step=6, metrics=METRICS)
    assert outcome(whole) == outcome(again)
    assert again.metrics[-1].step == 8
    assert gan.load(tmp_path / "run", metrics=METRICS).stopped_early


def test_a_finished_run_is_not_gone_on_with(tmp_path):
    gan.train(stopping(), tmp_path / "run", metrics=METRICS)
    assert gan.resume(tmp_path / "run", metrics=METRICS).metrics[-1].step == 8


def test_a_column_that_is_not_there_is_named(tmp_path):
    config = varied(early_stop=gan.EarlyStop("accuracy"))
    with pytest.raises(ArgumentError, match=r"early_stop.metric: expected one of 'step'"):
        gan.train(config, tmp_path / "run")
