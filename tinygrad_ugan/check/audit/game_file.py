"""A game stated in a TOML file.

A setting that the file leaves out has its default::

loss = "minimax"            # or nonsaturating, wasserstein, ...: see gan.Game
steps = 10                  # K
lr = 0.1                    # step size of the unrolled steps
optimizer = "sgd"           # their rule: sgd (plain ascent), momentum or adam
[generator]
sizes = [16, 64, 2]         # from the noise to the samples
activation = "tanh"
[discriminator]
sizes = [2, 64, 1]
input_scale = 1.0           # multiplies the input
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_ugan.check.audit.trials import Trial, draw_trial
from tinygrad_ugan.checked_dataclass import (
    Settings,
    choice,
    fraction,
    group,
    positive,
    whole,
    widths,
)
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import LOSSES, Game
from tinygrad_ugan.gan.runs.atomic_io import read_text
from tinygrad_ugan.gan.training.config import SAMPLES, SEED, UNROLLED, Optimizer
from tinygrad_ugan.gan.training.memory_check import check_memory, parameters
from tinygrad_ugan.nn import ACTIVATIONS, MLP


@dataclass(frozen=True)
class MLPSettings(Settings):
    """A multilayer perceptron."""

    sizes: tuple[int, ...] = widths(())
    """Widths, from the input to the output."""
    activation: str = choice("tanh", ACTIVATIONS)
    """Activation of the hidden layers."""
    input_scale: float = positive(1.0, most=1e6)
    """The input is multiplied by it."""

    def build(self) -> MLP:
        """Return the network."""
        return MLP(self.sizes, self.activation, self.input_scale)


@dataclass(frozen=True)
class GameFile(Settings):
    """A game between two networks, and how it is unrolled, as a file states it."""

    loss: str = choice("minimax", LOSSES)
    """One of `gan.LOSSES`."""
    steps: int = whole(1, least=0, most=UNROLLED)
    """K, the number of unrolled steps."""
    lr: float = positive(0.1, most=1e300)
    """Step size of the unrolled steps."""
    optimizer: str = choice("sgd", ("sgd", "momentum", "adam"))
    """Rule of the unrolled steps: sgd (plain gradient ascent), momentum or adam."""
    momentum: float = fraction(0.9)
    """Share of its velocity that momentum keeps."""
    beta1: float = fraction(0.9)
    """Share of its mean gradient that adam keeps."""
    beta2: float = fraction(0.999)
    """Share of its mean squared gradient that adam keeps."""
    eps: float = positive(1e-8, least=1e-18, most=1e18)
    """Epsilon of adam."""
    generator_lr: float = positive(1.0, most=1e300)
    """Step size of the generator in a training step."""
    discriminator_lr: float | None = positive(None, most=1e300)
    """Step size of the discriminator's real step; lr if none."""
    batch: int = whole(16, least=1, most=SAMPLES)
    """Samples in the batch that a training step is driven on."""
    seed: int = whole(0, least=0, most=SEED)
    """Seed of the parameters and the batch that a training step is driven on."""
    generator: MLPSettings = group(MLPSettings)
    discriminator: MLPSettings = group(MLPSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("generator", "discriminator"):
            sizes = getattr(self, name).sizes
            if len(sizes) == 1:
                raise ArgumentError(f"{name}.sizes", list(sizes), "two or more widths")
        if self.is_complete and self.generator.sizes[-1] != self.discriminator.sizes[0]:
            given = f"{self.generator.sizes[-1]} and {self.discriminator.sizes[0]}"
            expected = "the generator to end as wide as the discriminator begins"
            raise ArgumentError("sizes", given, expected)

    @property
    def is_complete(self) -> bool:
        """Whether both networks have sizes."""
        return bool(self.generator.sizes and self.discriminator.sizes)

    def build(self) -> Game:
        """Return the game."""
        return Game(self.generator.build(), self.discriminator.build(), self.loss)

    def dynamics(self) -> dict[str, Any]:
        """Return the arguments of `audit` that say how the discriminator moves."""
        moves = Optimizer(self.optimizer, self.lr, self.momentum, self.beta1, self.beta2, self.eps)
        return moves.ascent(self.steps)

    def _needs(self) -> dict[str, int]:
        """Return the bytes that each setting takes at least, in float64."""
        count = {
            name: parameters(getattr(self, name).sizes) for name in ("generator", "discriminator")
        }
        widths = sum(self.generator.sizes) + sum(self.discriminator.sizes)
        return {
            "generator.sizes": 3 * 8 * count["generator"],
            "discriminator.sizes": 3 * 8 * count["discriminator"],
            "steps": 8 * (self.steps + 1) * count["discriminator"],
            "batch": 8 * self.batch * widths,
        }

    def trial(self, name: str) -> Trial:
        """Return a trial at random parameters and on random data, for `audit_step`.

        Raises
        ------
        ArgumentError
            If it would take more memory than this machine has.
        """
        check_memory(self._needs(), "the audit")
        return draw_trial(
            name,
            self.build(),
            np.random.default_rng(self.seed),
            self.batch,
            generator_lr=self.generator_lr,
            discriminator_lr=self.discriminator_lr,
            **self.dynamics(),
        )


def read_game(file: Path) -> GameFile:
    """Read a game from a TOML file.

    Raises
    ------
    ArgumentError
        If the file cannot be read, or what it says makes no sense; the message names the setting.
    """
    expected = "a TOML file that can be read"
    text = read_text("game", file, expected)
    try:
        changes = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError("game", f"{file}: {error}", expected) from None
    try:
        game = GameFile().updated(changes)
    except ArgumentError as error:
        raise error.within(f"{file}: ") from None
    if not game.is_complete:
        given = "no sizes"
        raise ArgumentError(f"{file}: sizes", given, "sizes of generator and discriminator")
    return game
