"""What the strategies draw is what they promise."""

import sys

import numpy as np
import pytest
from hypothesis import find, given, settings

import tinygrad_ugan as ug
from tinygrad_ugan.check import strategies
from tinygrad_ugan.errors import ArgumentError


@given(strategies.arrays((0.5, 2.0), dtype=np.float32))
def test_arrays_stay_inside_their_interval_and_have_no_ties(x):
    assert x.dtype == np.float32
    assert x.ndim <= 2
    assert x.size
    assert np.all((x > 0.5) & (x < 2.0))
    assert len(np.unique(x)) == x.size


def test_shapes_of_arrays_may_be_given_and_shrink():
    assert find(strategies.arrays(shape=(2, 5)), lambda x: True).shape == (2, 5)
    assert find(strategies.arrays(), lambda x: x.ndim == 2).shape == (1, 1)


@given(strategies.calls([np.linalg.inv, np.tanh]))
def test_calls_are_of_the_chosen_functions(call):
    assert call.f.__name__ in ("inv", "tanh")
    assert all(x.dtype == np.float64 for x in call.args)
    assert np.all(np.isfinite(call.f(*call.args)))


def test_a_function_that_the_engine_does_not_know_is_named():
    with pytest.raises(ArgumentError, match=r"functions: expected .* a rule for, got histogram"):
        find(strategies.calls([np.histogram]), lambda call: True)


@given(strategies.mlps(n_in=3, n_out=2, max_width=4, max_layers=2, activations=["relu"]))
def test_networks_keep_to_their_bounds(mlp):
    assert (mlp.sizes[0], mlp.sizes[-1], mlp.activation) == (3, 2, "relu")
    assert len(mlp.sizes) <= 3
    assert max(mlp.sizes) <= 4


@given(strategies.problems(max_steps=2, optimizers=[ug.optim.SGD(0.1)]))
def test_the_parts_of_a_problem_fit_together(problem):
    *arguments, options = problem
    value, _ = ug.unroll.value_and_grad(*arguments, **options, method="detached")
    assert np.isfinite(value)
    assert problem.game.loss in strategies.SMOOTH_LOSSES
    assert all(np.all(layer["b"] != 0) for layer in (*problem.theta_g, *problem.theta_d))


def test_problems_of_every_kind_are_drawn():
    seen = set()

    @settings(max_examples=300)  # so that no kind is missed by chance
    @given(strategies.problems(max_steps=2, max_width=2, optimizers=[ug.optim.SGD(0.1)]))
    def look(problem):
        seen.update(problem.options)
        seen.add("fresh batches" if isinstance(problem.batch, list) else "one batch")
        seen.add("schedule" if np.ndim(problem.options.get("lr", 0)) else "one rate")
        seen.update([problem.game.loss, problem.game.generator.activation])

    look()
    kinds = {"optimizer", "lr", "fresh batches", "one batch", "schedule", "one rate"}
    assert seen >= kinds | {*strategies.SMOOTH_LOSSES, *strategies.SMOOTH_ACTIVATIONS}


def test_without_hypothesis_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delattr(ug.check, "strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ArgumentError, match=r"hypothesis: .*pip install 'tinygrad_ugan\[check\]'"):
        _ = ug.check.strategies
    with pytest.raises(AttributeError, match="no attribute 'strategy'"):
        _ = ug.check.strategy


@pytest.mark.parametrize(
    ("old", "new"),
    [("Problem", strategies.UnrolledGame), ("Program", strategies.RandomProgram)],
)
def test_renamed_classes_keep_their_old_names_for_a_release(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is called {new.__name__} now"):
        assert getattr(strategies, old) is new
