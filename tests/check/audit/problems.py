"""Random small MLP games in float64, and audits of them."""

import functools
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan import check, gan, nn
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.gradient import convert


class Problem(NamedTuple):
    game: gan.Game
    theta_g: Any
    theta_d: Any
    batch: gan.Batch
    steps: int
    lr: float


def random_problem(rng, steps, loss="minimax", lr=None):
    noise, data, rows = rng.integers(1, 5), rng.integers(1, 4), int(rng.integers(4, 17))
    hidden_g, hidden_d = rng.integers(2, 9, 2)
    game = gan.Game(nn.MLP((noise, hidden_g, data)), nn.MLP((data, hidden_d, 1)), loss)
    theta_g, theta_d = (with_biases(n.init(rng, np.float64), rng)
                        for n in (game.generator, game.discriminator))  # fmt: skip
    batch = gan.Batch(rng.standard_normal((rows, data)), rng.standard_normal((rows, noise)))
    return Problem(game, theta_g, theta_d, batch, steps, lr or rng.uniform(0.1, 0.5))


def with_biases(params, rng):
    return [{"w": p["w"], "b": 0.5 * rng.standard_normal(p["b"].shape)} for p in params]


def audit(gradient, p, **options):
    how = {"steps": p.steps, "lr": p.lr} | options
    return check.audit(gradient, p.game, p.theta_g, p.theta_d, p.batch, **how)


@functools.cache
def classified(steps):
    """A problem and its classifier: one for all traps."""
    p = random_problem(np.random.default_rng(steps), steps, "nonsaturating", lr=0.4)
    problem = convert(p.game, p.theta_g, p.theta_d, p.batch, steps=steps, lr=p.lr)
    return p, Classifier.of(problem, np.dtype(np.float64))
