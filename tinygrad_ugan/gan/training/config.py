"""The settings of a training run: one frozen dataclass tree is the truth.

The text under each field is its help on the command line.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np

from tinygrad_ugan import optim
from tinygrad_ugan.checked_dataclass import (
    WIDEST,
    Settings,
    choice,
    fraction,
    group,
    optional_whole,
    positive,
    switch,
    whole,
    widths,
    words,
)
from tinygrad_ugan.data import (
    Checkerboard,
    Circles,
    DoubleRing,
    Embedded,
    File,
    Gaussian1D,
    GaussianMixture,
    Grid,
    Moons,
    Pinwheel,
    Ring,
    Spirals,
    SwissRoll,
)
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.games.game import Game
from tinygrad_ugan.gan.games.objectives import LOSSES
from tinygrad_ugan.gan.json_schema import parse
from tinygrad_ugan.gan.training.registry import OwnData, RegisteredData, find
from tinygrad_ugan.nn import ACTIVATIONS, MLP, Orthogonal
from tinygrad_ugan.unroll import METHODS

# Upper bounds of settings: beyond them a run would not end in a lifetime, or compute nothing but
# zeros and infinities. What is too large for this machine, `memory_check` knows.
STEPS, UNROLLED, SAMPLES, THREADS = 10**10, 10_000, 10**8, 1_024
SEED = 2**63 - 1

AnyData = (
    Ring
    | Grid
    | DoubleRing
    | Embedded
    | Moons
    | Circles
    | SwissRoll
    | Spirals
    | Pinwheel
    | Checkerboard
    | GaussianMixture
    | Gaussian1D
    | File
    | RegisteredData
    | OwnData
)
DATA: tuple[type[Settings], ...] = get_args(AnyData)

OPTIMIZERS: dict[str, Any] = {"sgd": optim.SGD, "momentum": optim.Momentum, "adam": optim.Adam}


@dataclass(frozen=True)
class Networks(Settings):
    """The two multilayer perceptrons."""

    noise: int = whole(256, least=1, most=WIDEST)
    """Width of the generator's input z ~ N(0, I)."""
    generator: tuple[int, ...] = widths((128, 128))
    """Hidden widths of the generator."""
    discriminator: tuple[int, ...] = widths((128,))
    """Hidden widths of the discriminator."""
    activation: str = choice("relu", ACTIVATIONS)
    """Activation of the hidden layers: tanh, relu, softplus, leaky_relu, elu, sigmoid, identity."""
    gain: float = positive(0.8, most=1e6)
    """Gain of the orthogonal initial weights."""
    input_scale: float = positive(0.25, most=1e6)
    """Factor of the discriminator's input."""

    def build(self, dimension: int) -> tuple[MLP, MLP]:
        """Return the generator and the discriminator for data of that many dimensions."""
        initializer = Orthogonal(self.gain)
        sizes_g, sizes_d = (self.noise, *self.generator), (*self.discriminator, 1)
        return (
            MLP((*sizes_g, dimension), self.activation, initializer=initializer),
            MLP((dimension, *sizes_d), self.activation, self.input_scale, initializer),
        )


@dataclass(frozen=True)
class Optimizer(Settings):
    """The optimiser of one player."""

    method: str = choice("adam", OPTIMIZERS)
    """sgd, momentum or adam."""
    lr: float = positive(1e-4, most=1e300)
    """Step size."""
    momentum: float = fraction(0.9)
    """Decay of momentum's velocity."""
    beta1: float = fraction(0.5)
    """Decay of adam's mean gradient."""
    beta2: float = fraction(0.999)
    """Decay of adam's mean squared gradient."""
    eps: float = positive(1e-8, least=1e-18, most=1e18)
    """Epsilon of adam, whose square is added to the mean squared gradient."""

    def build(self) -> optim.Optimizer:
        """Return the optimiser."""
        kind = OPTIMIZERS[self.method]
        built: optim.Optimizer = kind(**{x.name: getattr(self, x.name) for x in fields(kind)})
        return built

    def ascent(self, steps: int) -> dict[str, Any]:
        """Return the arguments of `unroll.value_and_grad` for that many unrolled steps."""
        how = {"lr": self.lr} if self.method == "sgd" else {"optimizer": self.build()}
        return {"steps": steps, **how}


@dataclass(frozen=True)
class Unroll(Settings):
    """The unrolled steps of the discriminator, and the gradient through them."""

    steps: int = whole(10, least=0, most=UNROLLED)
    """K, the number of unrolled discriminator steps; 0 is the ordinary GAN."""
    lr: float = positive(0.1, most=1e300)
    """Step size of the unrolled steps."""
    optimizer: str = choice("sgd", OPTIMIZERS)
    """Optimiser of the unrolled steps: sgd (plain gradient ascent), momentum or adam."""
    momentum: float = fraction(0.9)
    """Decay of momentum's velocity."""
    beta1: float = fraction(0.5)
    """Decay of adam's mean gradient."""
    beta2: float = fraction(0.999)
    """Decay of adam's mean squared gradient."""
    method: str = choice("auto", ("auto", *METHODS))
    """Method of the gradient: auto (the fastest exact one), adjoint, tape, forward (all exact),
    detached (first order only), or implicit (the limit of many steps)."""
    truncate: int | None = optional_whole(least=0, most=UNROLLED)
    """Differentiate through this many last steps only; through all of them if none."""
    fresh: bool = switch(False)
    """Use a fresh batch for each unrolled step, instead of one batch for all."""
    state: str = choice("zero", ("zero", "carried"))
    """State of the unrolled steps' optimiser at the first: zero, or carried (that of the
    discriminator's real optimiser, whose next steps are then looked ahead)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.truncate is not None and self.truncate > self.steps:
            expected = f"at most unroll.steps = {self.steps}"
            raise ArgumentError("truncate", repr(self.truncate), expected)

    def dynamics(self) -> dict[str, Any]:
        """Return the arguments of `unroll.value_and_grad` that define the unrolled steps."""
        moves = Optimizer(self.optimizer, self.lr, self.momentum, self.beta1, self.beta2)
        return moves.ascent(self.steps)


@dataclass(frozen=True)
class Update(Settings):
    """The order of the players' moves, and the discriminator that is kept."""

    scheme: str = choice("alternating", ("alternating", "simultaneous"))
    """alternating (the discriminator responds to the generator's move) or simultaneous (neither
    sees the other's move)."""
    discriminator_steps: int = whole(1, least=1, most=UNROLLED)
    """Steps of the discriminator for each step of the generator."""
    keep: str = choice("first", ("first", "last"))
    """The discriminator that training continues with: first (theta_D^1, one real step, as in the
    paper) or last (theta_D^K, the end of the unrolled steps: a mistake, to be shown)."""


@dataclass(frozen=True)
class Config(Settings):
    """A training run; the defaults are the ring experiment of Metz et al. (2016), appendix A."""

    data: AnyData = group(*DATA)
    networks: Networks = group(Networks)
    unroll: Unroll = group(Unroll)
    update: Update = group(Update)
    generator_optimizer: Optimizer = group(Optimizer)
    discriminator_optimizer: Optimizer = group(Optimizer)
    loss: str = choice("minimax", LOSSES)
    """minimax, nonsaturating, max_likelihood, wasserstein, least_squares or hinge."""
    game: str | None = words(None)
    """A registered game, or module:attribute, which imports the module: instead of the one that
    networks and loss describe."""
    decay: bool = switch(False)
    """Decay both learning rates linearly to zero at the last step."""
    clip: float | None = positive(None, most=1e300)
    """Scale each player's gradient down to at most this norm; never if none."""
    precision: str = choice("float32", ("float32", "float64"))
    """The dtype of parameters and data: float32 or float64."""
    seed: int = whole(0, least=0, most=SEED)
    """Seed of the initial weights, the data and the noise."""
    threads: int | None = optional_whole(least=1, most=THREADS)
    """Threads of the kernels, by default one for each processor; results do not depend on it."""
    batch: int = whole(512, least=1, most=SAMPLES)
    """Samples in a batch, of real data and of noise alike."""
    steps: int = whole(25_000, least=1, most=STEPS)
    """Number of training steps; each moves the generator once."""
    seconds: float | None = positive(None, most=1e9)
    """Stop after this many seconds of training, even if steps are left; never if none."""
    evaluate_every: int = whole(500, least=1, most=STEPS)
    """Training steps between two rows of the metrics table."""
    evaluation_samples: int = whole(2_500, least=1, most=SAMPLES)
    """Generated samples that the metrics are computed from."""
    pictures: int = whole(10, least=1, most=400)
    """Columns of the picture of samples over time."""
    checkpoint_every: int = whole(1_000, least=1, most=STEPS)
    """Training steps between two checkpoints; there is always one at the end."""
    checkpoints: int = whole(2, least=1, most=1_000_000)
    """Number of checkpoints that are kept, the last ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.update.keep == "last" and self.unroll.steps == 0:
            raise ArgumentError("update.keep", "'last'", "'first', as unroll.steps = 0")
        self._check_carried()

    def _check_carried(self) -> None:
        """Refuse to carry the state of one method over to another, or to one that has none."""
        unrolled, real = self.unroll.optimizer, self.discriminator_optimizer.method
        if self.unroll.state == "carried" and (unrolled == "sgd" or unrolled != real):
            given = f"'carried' from {real} to {unrolled}"
            hint = "unroll.optimizer and discriminator_optimizer.method have to be the same"
            raise ArgumentError("unroll.state", given, "'zero', or one optimiser", hint)

    @classmethod
    def miniature(cls) -> Config:
        """Return settings that show in seconds what the paper's show in minutes.

        The paper's data, discriminator and hidden widths; smaller noise and batches, and fewer
        steps at a larger, decaying learning rate.
        """
        return cls(
            networks=Networks(noise=32),
            generator_optimizer=Optimizer(lr=2e-3),
            discriminator_optimizer=Optimizer(lr=2e-3),
            decay=True,
            steps=3_000,
            batch=128,
            evaluate_every=100,
        )

    def build_data(self) -> Any:
        """Return the data that these settings describe, or name; those of a file are read."""
        if isinstance(self.data, RegisteredData):
            return self.data.find(self)
        if isinstance(self.data, OwnData):
            hint = "hand them in: train(config, data=...)"
            raise ArgumentError("data", "none", f"the {self.data.identity}", hint)
        return self.data.load() if isinstance(self.data, File) else self.data

    def build_game(self, dimension: int | None = None) -> Any:
        """Return the game that these settings describe, or name.

        Its networks are for data of that many dimensions; of those of `data` if not given.
        """
        if self.game is not None:
            return find("game", self.game, self)
        width = self.build_data().dimension if dimension is None else dimension
        return Game(*self.networks.build(width), self.loss)

    @property
    def dtype(self) -> Any:
        """The dtype of `precision`."""
        return np.dtype(self.precision)

    @property
    def batches(self) -> int:
        """Number of batches that one training step uses."""
        unrolled = self.unroll.steps + 1 if self.unroll.fresh else 1
        return max(unrolled, self.update.discriminator_steps)

    def exhausted(self, steps: int, seconds: float) -> bool:
        """Whether training is over after that many steps and seconds."""
        return steps >= self.steps or (self.seconds is not None and seconds >= self.seconds)

    def to_json(self) -> str:
        """Return the settings as JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, base: Config | None = None) -> Config:
        """Read settings from JSON; those left out are as in `base`, or have their defaults.

        Raises
        ------
        ArgumentError
            If the text is not JSON, or a setting does not exist or cannot have its value.

        Examples
        --------
        >>> Config.from_json(Config(seed=3).to_json()) == Config(seed=3)
        True
        """
        return (base or cls()).updated(parse("settings", text))

    def to_toml(self) -> str:
        """Return the settings as TOML, without those that are None."""
        import tomli_w

        return tomli_w.dumps(_without_none(self.to_dict()))

    @classmethod
    def from_toml(cls, text: str, base: Config | None = None) -> Config:
        """Read settings from TOML; those left out are as in `base`, or have their defaults.

        Raises
        ------
        ArgumentError
            As `from_json`.

        Examples
        --------
        >>> Config.from_toml("unroll.steps = 5").unroll.steps
        5
        """
        try:
            changes = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArgumentError("settings", f"{error}", "TOML") from None
        return (base or cls()).updated(changes)


def _without_none(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without None, for which TOML has no word."""
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if value is not None
    }
