"""The settings of a training run: one frozen dataclass tree is the truth.

The text under each field is its help on the command line.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.gan.game import Game
from tinygrad_ugan.gan.objectives import LOSSES
from tinygrad_ugan.nn import ACTIVATIONS, MLP, Orthogonal
from tinygrad_ugan.optim import Adam
from tinygrad_ugan.unroll import METHODS


@dataclass(frozen=True)
class Ring:
    """The data: Gaussians on a circle."""

    modes: int = 8
    """Number of Gaussians."""
    radius: float = 2.0
    """Radius of the circle."""
    std: float = 0.02
    """Standard deviation of each Gaussian along each axis."""

    def __post_init__(self) -> None:
        _check_at_least("data.modes", self.modes, 1)
        _check_positive("data.radius", self.radius)
        _check_positive("data.std", self.std)


@dataclass(frozen=True)
class Networks:
    """Both multilayer perceptrons."""

    noise: int = 256
    """Width of the generator's input z ~ N(0, I)."""
    generator: tuple[int, ...] = (128, 128)
    """Hidden widths of the generator."""
    discriminator: tuple[int, ...] = (128,)
    """Hidden widths of the discriminator."""
    activation: str = "relu"
    """Activation of the hidden layers."""
    gain: float = 0.8
    """Gain of the orthogonal initial weights."""
    input_scale: float = 0.25
    """The discriminator sees its input times this."""

    def __post_init__(self) -> None:
        _check_at_least("networks.noise", self.noise, 1)
        for name in ("generator", "discriminator"):
            for width in getattr(self, name):
                _check_at_least(f"networks.{name}", width, 1)
        check_choice("networks.activation", self.activation, ACTIVATIONS)
        _check_positive("networks.gain", self.gain)

    def build(self) -> tuple[MLP, MLP]:
        """Return the generator and the discriminator."""
        initializer = Orthogonal(self.gain)
        sizes_g, sizes_d = (self.noise, *self.generator, 2), (2, *self.discriminator, 1)
        return (
            MLP(sizes_g, self.activation, initializer=initializer),
            MLP(sizes_d, self.activation, self.input_scale, initializer),
        )


@dataclass(frozen=True)
class Unroll:
    """How far the generator looks ahead, and how exactly."""

    steps: int = 10
    """K, the number of unrolled discriminator steps; 0 is the ordinary GAN."""
    lr: float = 0.1
    """Step size of the unrolled gradient ascent."""
    method: str = "auto"
    """How the gradient is computed: auto, adjoint, tape, or detached (first order only)."""

    def __post_init__(self) -> None:
        _check_at_least("unroll.steps", self.steps, 0)
        _check_positive("unroll.lr", self.lr)
        check_choice("unroll.method", self.method, ("auto", *METHODS))


@dataclass(frozen=True)
class Config:
    """A training run; the defaults are the ring experiment of Metz et al. (2016), appendix A."""

    data: Ring = field(default_factory=Ring)
    networks: Networks = field(default_factory=Networks)
    unroll: Unroll = field(default_factory=Unroll)
    loss: str = "minimax"
    """minimax, nonsaturating, max_likelihood, wasserstein, least_squares or hinge."""
    generator_optimizer: Adam = field(default_factory=lambda: Adam(lr=1e-4, beta1=0.5))
    discriminator_optimizer: Adam = field(default_factory=lambda: Adam(lr=1e-4, beta1=0.5))
    decay: bool = False
    """Let both learning rates fall linearly, from their values to zero at the last step."""
    steps: int = 25_000
    """Number of training steps; each moves both players once."""
    batch: int = 512
    """Samples in a batch, of real data and of noise alike."""
    seed: int = 0
    """Seed of the initial weights, the data and the noise."""
    evaluate_every: int = 500
    """Training steps between two rows of the metrics table."""
    evaluation_samples: int = 2_500
    """Generated samples that the metrics are computed from."""
    pictures: int = 10
    """Columns of the picture of samples over time."""

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, LOSSES)
        for name in ("steps", "batch", "evaluate_every", "evaluation_samples", "pictures"):
            _check_at_least(name, getattr(self, name), 1)
        _check_at_least("seed", self.seed, 0)

    @classmethod
    def miniature(cls) -> Config:
        """Settings that show in seconds what the paper's show in minutes.

        The paper's data, discriminator and hidden widths; a smaller noise and batch, and fewer
        steps at a larger, decaying learning rate.
        """
        adam = Adam(lr=2e-3, beta1=0.5)
        return cls(
            networks=Networks(noise=32),
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            decay=True,
            steps=3_000,
            batch=128,
            evaluate_every=100,
        )

    def game(self) -> Game:
        """Build the game that these settings describe."""
        return Game(*self.networks.build(), self.loss)

    def to_json(self) -> str:
        """Write the settings as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what `to_json` wrote.

        Examples
        --------
        >>> Config.from_json(Config(seed=3).to_json()) == Config(seed=3)
        True
        """
        return _build(cls, json.loads(text), "")


def _build(cls: Any, given: dict[str, Any], place: str) -> Any:
    """Make the dataclass `cls`, its nested ones too; an unknown name is an error."""
    defaults = cls()
    known = {f.name: getattr(defaults, f.name) for f in dataclasses.fields(cls)}
    values = {}
    for name, value in given.items():
        check_choice(f"{place}{name}" if place else "setting", name, known)
        default = known[name]
        if dataclasses.is_dataclass(default):
            value = _build(type(default), value, f"{place}{name}.")
        values[name] = tuple(value) if isinstance(default, tuple) else value
    return cls(**values)


def _check_at_least(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(name, repr(value), f"a whole number >= {least}")


def _check_positive(name: str, value: Any) -> None:
    if not (isinstance(value, int | float) and np.isfinite(value) and value > 0):
        raise ArgumentError(name, repr(value), "a positive number")
