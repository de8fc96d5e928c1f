"""The training step and the loop around it.

Alternating, as in the paper: the generator descends f_K, looking K discriminator steps ahead; then
the discriminator takes ONE real step up on f. What it would have become after K steps is forgotten:
theta_D goes to theta_D^1, never to theta_D^K.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import autodiff, data, unroll
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.gan.config import Config
from tinygrad_ugan.gan.game import Batch, Game
from tinygrad_ugan.gan.metrics import mode_coverage
from tinygrad_ugan.gan.run import Row, Run
from tinygrad_ugan.optim import apply_updates

PyTree = Any
DTYPE = np.float32


class State(NamedTuple):
    """Everything that a training step changes."""

    theta_g: PyTree
    theta_d: PyTree
    optimizer_g: PyTree
    optimizer_d: PyTree
    step: int


class Objectives(NamedTuple):
    """What a training step saw: f_K before it, and f after the generator's move."""

    generator: float
    discriminator: float


def train(config: Config, *, on_step: Callable[[Row], None] | None = None) -> Run:
    """Train a GAN.

    Runs that differ in `config.unroll` alone share their initial weights and all their draws.

    Parameters
    ----------
    config : Config
        The settings.
    on_step : callable, optional
        Called after every step with the latest `Row` of the metrics, its ``step`` and ``seconds``
        brought up to date: to show progress.

    Returns
    -------
    Run
        The settings, the metrics and samples over time, and the final parameters. A keyboard
        interrupt ends training early and returns what has been computed.

    Raises
    ------
    NonFiniteError
        If training leaves the finite numbers; the message names the step.

    Examples
    --------
    >>> run = train(Config(steps=2, batch=8))
    >>> [row.step for row in run.metrics], run.samples.shape
    ([0, 1, 2], (3, 2500, 2))
    """
    init_rng, batch_rng, evaluation_rng = np.random.default_rng(config.seed).spawn(3)
    game, noise_shape = config.game(), (config.evaluation_samples, config.networks.noise)
    state = init(config, init_rng)
    noise = evaluation_rng.standard_normal(noise_shape, DTYPE)
    pictured = set(np.linspace(0, config.steps, config.pictures).round().astype(int).tolist())
    evaluated = {*range(0, config.steps, config.evaluate_every), config.steps} | pictured
    rows: list[Row] = []
    pictures = {}
    started = time.perf_counter()
    try:
        for step in range(config.steps + 1):
            following, seen = train_step(game, config, state, sample_batch(config, batch_rng))
            seconds = time.perf_counter() - started
            if step in evaluated:
                samples = game.generator(state.theta_g, noise)
                rows.append(_row(config, step, seconds, seen, samples))
                if step in pictured:
                    pictures[step] = samples
            if on_step is not None:
                on_step(rows[-1]._replace(step=step, seconds=seconds))
            if step < config.steps:
                state = following
    except KeyboardInterrupt:
        pass
    except NonFiniteError as error:
        raise NonFiniteError("training", f"at step {step}: {error}", "finite numbers") from error
    return Run(
        config=config,
        metrics=tuple(rows),
        samples=np.array([*pictures.values()]).reshape(-1, config.evaluation_samples, 2),
        sample_steps=tuple(pictures),
        theta_g=state.theta_g,
        theta_d=state.theta_d,
    )


def init(config: Config, rng: np.random.Generator) -> State:
    """Draw the parameters, and start the optimisers."""
    theta_g, theta_d = (network.init(rng, DTYPE) for network in config.networks.build())
    return State(
        theta_g,
        theta_d,
        config.generator_optimizer.init(theta_g),
        config.discriminator_optimizer.init(theta_d),
        step=0,
    )


def sample_batch(config: Config, rng: np.random.Generator) -> Batch:
    """Draw real data and noise."""
    ring = config.data
    real = data.ring(
        config.batch, modes=ring.modes, radius=ring.radius, std=ring.std, rng=rng, dtype=DTYPE
    )
    return Batch(real, rng.standard_normal((config.batch, config.networks.noise), DTYPE))


def train_step(game: Game, config: Config, state: State, batch: Batch) -> tuple[State, Objectives]:
    """Move the generator down f_K, then the discriminator one step up f, on the same batch.

    A pure function: the state given is left as it was.
    """
    theta_g, theta_d, optimizer_g, optimizer_d, step = state
    scale = 1 - step / config.steps if config.decay else 1.0
    looking_ahead = config.unroll
    f_K, gradient = unroll.value_and_grad(
        game,
        theta_g,
        theta_d,
        batch,
        steps=looking_ahead.steps,
        lr=looking_ahead.lr,
        method=looking_ahead.method,
    )
    updates, optimizer_g = config.generator_optimizer.update(gradient, optimizer_g, theta_g)
    theta_g = apply_updates(theta_g, updates, scale)

    samples = game.generate(theta_g, batch)
    f, ascent = autodiff.value_and_grad(game.inner_on, argnums=1)(samples, theta_d, batch)
    descent = optree.tree_map(np.negative, ascent)
    updates, optimizer_d = config.discriminator_optimizer.update(descent, optimizer_d, theta_d)
    theta_d = apply_updates(theta_d, updates, scale)
    following = State(theta_g, theta_d, optimizer_g, optimizer_d, step + 1)
    return following, Objectives(float(f_K), float(f))


def _row(config: Config, step: int, seconds: float, seen: Objectives, samples: Any) -> Row:
    centers = data.ring_centers(config.data.modes, config.data.radius)
    coverage = mode_coverage(samples, centers, config.data.std)
    return Row(step, seconds, *seen, *coverage)
