"""Whole training steps, right and wrong, for `audit_step`."""

import numpy as np

import tinygrad_ugan as ug
from tests.check.audit import traps
from tests.check.audit.problems import Problem


def functional_step(library, gradient=traps.exact, keep="first", order="simultaneous"):
    """``make_step`` of a step written in functions, in NumPy or JAX."""

    def make_step(trial):
        def step(theta_g, theta_d, batch):
            problem = Problem(trial.game, theta_g, theta_d, batch, trial.steps, trial.lr)
            code = traps.Code(library, problem)
            if order == "discriminator first":
                code.theta_d = real_step(code, trial, code.theta_g, code.theta_d)
            start = code.theta_d
            new_theta_g = library.map(
                lambda x, g: x - trial.generator_lr * g, code.theta_g, gradient(code)
            )
            if order == "discriminator first":
                return new_theta_g, start
            against = new_theta_g if order == "alternating" else code.theta_g
            if keep == "none":
                return new_theta_g, start
            if keep == "last":
                return new_theta_g, code.unrolled(code.theta_g)
            if keep == "last and a real step":
                start = code.unrolled(code.theta_g)
            return new_theta_g, real_step(code, trial, against, start)

        return step

    return make_step


def real_step(code, trial, theta_g, theta_d):
    eta = trial.lr if trial.discriminator_lr is None else trial.discriminator_lr
    return code.move(theta_d, code.ascent(theta_g, theta_d), eta)


def adam_step(restore):
    """andrewliao11: K steps of an optimiser that lives on, weights put back, its state perhaps."""

    def make_step(trial):
        optimizer, memory = trial.optimizer, optimizer_start(trial)

        def step(theta_g, theta_d, batch):
            nonlocal memory
            problem = Problem(trial.game, theta_g, theta_d, batch, trial.steps, None)
            code = traps.Code(traps.NUMPY, problem)
            theta, saved = theta_d, memory
            for _ in range(trial.steps):
                theta, memory = ascend(code, optimizer, memory, theta)
            g = ug.grad(code.outer)(theta_g, theta)
            memory = saved if restore else memory
            theta_d, memory = ascend(code, optimizer, memory, theta_d)
            return traps.NUMPY.map(lambda x, g: x - trial.generator_lr * g, theta_g, g), theta_d

        return step

    return make_step


def optimizer_start(trial):
    return trial.optimizer.init(trial.theta_d)


def ascend(code, optimizer, memory, theta):
    down = traps.NUMPY.map(np.negative, code.ascent(code.theta_g, theta))
    updates, memory = optimizer.update(down, memory, theta)
    return ug.optim.apply_updates(theta, updates), memory
