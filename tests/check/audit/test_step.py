"""Whole training steps: what they do to both players, and to the optimiser's memory."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.check.audit import traps
from tests.check.audit.steps import adam_step, functional_step
from tinygrad_ugan.check import Trial, audit_step, trials
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

NUMPY = traps.NUMPY
MLP = trials(steps=[3])[1:]


@pytest.mark.parametrize("order", ["simultaneous", "alternating", "discriminator first"])
def test_a_right_step_is_right_in_every_order(order):
    found = audit_step(functional_step(NUMPY, order=order), MLP)
    assert (found.verdict, found.left, found.state) == ("exact", "theta_D^1", ""), found
    assert found.ok
    first = any("real step first" in note for note in found.notes)
    assert first == (order == "discriminator first")


@pytest.mark.parametrize(
    "gradient", [traps.no_create_graph, traps.never_substituted, traps.stale, traps.ascended]
)
def test_the_verdict_is_that_of_the_gradient(gradient):
    found = audit_step(functional_step(NUMPY, gradient), MLP)
    assert (found.verdict, found.left) == (traps.TRAPS[gradient], "theta_D^1"), found
    assert not found.ok


def test_detached_in_the_other_order():
    make_step = functional_step(NUMPY, traps.no_create_graph, order="discriminator first")
    found = audit_step(make_step, MLP)
    assert (found.verdict, found.left) == ("detached", "theta_D^1"), found


def test_several_trials_together_see_what_one_does_not():
    stale = functional_step(NUMPY, traps.stale)
    one, two = trials(steps=[1]), trials(steps=[2])
    assert audit_step(stale, one).verdict == "exact"
    assert audit_step(stale, [*one, *two]).verdict == "stale"


ADAM = ug.optim.Adam(0.05, 0.5, 0.9)


@pytest.mark.parametrize("optimizer", [ADAM, ug.optim.Momentum(0.1)])
@pytest.mark.parametrize("restore", [True, False])
def test_the_state_of_the_inner_optimizer(restore, optimizer):
    found = audit_step(adam_step(restore), trials(steps=[3], optimizer=optimizer)[1:])
    state = "restored" if restore else "not restored"
    assert (found.verdict, found.left, found.state) == ("detached", "theta_D^1", state), found


def test_a_fresh_optimizer_each_time():
    def make_step(trial):
        return lambda *place: adam_step(restore=True)(trial)(*place)

    found = audit_step(make_step, trials(steps=[3], optimizer=ADAM)[1:])
    assert (found.verdict, found.state) == ("detached", "fresh")


def test_step_sizes_of_its_own_and_single_precision():
    (trial,) = MLP
    other = Trial(**{**vars(trial), "generator_lr": 0.01, "discriminator_lr": 0.7})

    def make_step(trial):
        step = functional_step(NUMPY)(trial)

        def single(tree):
            return NUMPY.map(np.float32, tree)

        return lambda *place: single(step(*map(single, place)))

    found = audit_step(make_step, [other])
    assert (found.ok, found.trials[0].gradient.dtype) == (True, "float32"), found


@pytest.mark.parametrize(
    ("make_step", "error", "words"),
    [
        (lambda trial: None, ArgumentTypeError, r"make_step\(trial\)"),
        (lambda trial: lambda *place: place, ArgumentTypeError, "new_theta_g, new_theta_d"),
        (lambda trial: lambda g, d, batch: (g, g), ArgumentError, r"step\(\.\.\.\)\[1\]"),
        (
            lambda trial: lambda g, d, batch: (np.zeros(50), d),
            ArgumentError,
            r"step\(...\)\[0\].*structure given",
        ),
    ],
)
def test_what_is_no_step_is_refused(make_step, error, words):
    with pytest.raises(error, match=words):
        audit_step(make_step, MLP)


def test_there_must_be_a_trial():
    with pytest.raises(ArgumentError, match="on: expected one trial or more"):
        audit_step(functional_step(NUMPY), [])
