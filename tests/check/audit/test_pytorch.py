"""PyTorch code: every trap gets its verdict; needs the extra `bench`."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from tests.check.audit import traps_pytorch as traps
from tests.check.audit.problems import Problem, random_problem
from tinygrad_ugan.check import audit, audit_step, trials
from tinygrad_ugan.optim import Adam


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
@pytest.mark.parametrize("trap", traps.TRAPS, ids=lambda trap: trap.__name__)
def test_traps(trap, steps):
    p = random_problem(np.random.default_rng(steps), steps, "nonsaturating")
    gradient = trap(traps.Code(p))
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    found = audit(gradient, *place, steps=steps, lr=p.lr)
    assert found.verdict == traps.expected(trap, steps), found


def test_single_precision_and_gradients_on_the_tape():
    p = random_problem(np.random.default_rng(0), 5)
    code = traps.Code(p, torch.float32)
    gradient = traps.functional(code)
    gradient[0]["w"] = gradient[0]["w"].clone().requires_grad_()
    found = audit(gradient, p.game, p.theta_g, p.theta_d, p.batch, steps=5, lr=p.lr)
    assert (found.verdict, found.dtype) == ("exact", "float32"), found


def test_weights_that_are_not_transposed():
    p = random_problem(np.random.default_rng(2), 1)
    code = traps.Code(p)
    tensors = list(code.generator.parameters())
    gradient = torch.autograd.grad(traps.functional_objective(code), tensors)
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    vector = torch.nn.utils.parameters_to_vector(gradient)
    for given in (gradient, vector):
        found = audit(given, *place, steps=1, lr=p.lr)
        assert (found.verdict, found.transposed) == ("transposed", True), found


def functional_step(trial):
    """Right: the steps as functions, one real step of plain ascent."""

    def step(theta_g, theta_d, batch):
        code = traps.Code(Problem(trial.game, theta_g, theta_d, batch, trial.steps, trial.lr))
        gradient = traps.functional(code)
        params = code.params()
        grads = torch.autograd.grad(
            code.inner(params, code.samples().detach()), list(params.values())
        )
        moved = traps.descend(params, grads, trial.lr)
        new_theta_g = [
            {k: torch.as_tensor(x[k]) - trial.generator_lr * g[k] for k in "wb"}
            for x, g in zip(theta_g, gradient, strict=True)
        ]
        return new_theta_g, traps.as_theta(moved.values())

    return step


def adam_step(trial):
    """andrewliao11: one torch.optim.Adam for the unrolled and the real steps, never restored."""
    code = traps.Code(Problem(trial.game, *trial.start(), trial.steps, None))
    adam = trial.optimizer
    d_optimizer = torch.optim.Adam(
        code.discriminator.parameters(), adam.lr, (adam.beta1, adam.beta2), adam.eps
    )
    g_optimizer = torch.optim.SGD(code.generator.parameters(), trial.generator_lr)

    def move_discriminator():
        d_optimizer.zero_grad()
        code.inner(code.params(), code.samples().detach()).backward()
        d_optimizer.step()

    def step(theta_g, theta_d, batch):
        traps.load(code.generator, theta_g)
        traps.load(code.discriminator, theta_d)
        for _ in range(trial.steps):
            move_discriminator()
        g_optimizer.zero_grad()
        traps.objective(code, code.params()).backward()
        traps.load(code.discriminator, theta_d)
        g_optimizer.step()
        move_discriminator()
        players = code.generator, code.discriminator
        return tuple(traps.as_theta(p.detach().clone() for p in x.parameters()) for x in players)

    return step


def test_a_right_step():
    assert audit_step(functional_step, trials(steps=[1, 3])).ok


def test_a_step_that_does_not_restore_the_state_of_adam():
    found = audit_step(adam_step, trials(steps=[3], optimizer=Adam(0.05, 0.5, 0.9))[1:])
    assert (found.verdict, found.state, found.ok) == ("detached", "not restored", False), found
