"""The settings of a training run: one frozen dataclass tree is the truth.

The text under each field is its help on the command line.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import numpy as np

from tinygrad_ugan import optim
from tinygrad_ugan.checked_dataclass import (
    Settings,
    choice,
    fraction,
    group,
    number,
    optional_whole,
    positive,
    positives,
    switch,
    whole,
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
from tinygrad_ugan.gan.games.feature_matching import FeatureMatching, hidden_features
from tinygrad_ugan.gan.games.game import Game
from tinygrad_ugan.gan.games.instance_noise import InstanceNoise
from tinygrad_ugan.gan.games.objectives import LOSSES, label_smoothing
from tinygrad_ugan.gan.games.penalties import R1, R2, GradientPenalty, NoPenalty, Penalized
from tinygrad_ugan.gan.json_schema import parse
from tinygrad_ugan.gan.training.networks import Networks
from tinygrad_ugan.gan.training.registry import OwnData, RegisteredData, find
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

AnyPenalty = NoPenalty | GradientPenalty | R1 | R2
PENALTIES: tuple[type[Settings], ...] = get_args(AnyPenalty)

OPTIMIZERS: dict[str, Any] = {
    "sgd": optim.SGD,
    "momentum": optim.Momentum,
    "nesterov": optim.Nesterov,
    "optimistic": optim.Optimistic,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}
SCHEMES = ("alternating", "simultaneous", "extragradient", "cached")
SCHEDULES = ("constant", "linear", "cosine", "exponential")


def _optimizer(method: str, settings: Any, lr: Any) -> optim.Optimizer:
    """The optimiser of that name, of the settings that it has."""
    kind, weight_decay = OPTIMIZERS[method], settings.weight_decay
    own = {each.name: getattr(settings, each.name) for each in fields(kind)} | {"lr": lr}
    if weight_decay is None:
        own.pop("weight_decay", None)
    built: optim.Optimizer = kind(**own)
    if weight_decay is None or "weight_decay" in own:
        return built
    return optim.chain(optim.add_decayed_weights(weight_decay), built)


def _factor(settings: Any, steps: int) -> optim.Schedule:
    """The factor of the step size, as a function of the steps taken of so many."""
    then: optim.Schedule = optim.ConstantSchedule(1.0)
    left, final = steps - settings.warmup, settings.final
    if settings.schedule == "linear":
        then = optim.LinearSchedule(1.0, final, left)
    elif settings.schedule == "cosine":
        then = optim.CosineSchedule(1.0, left, final)
    elif settings.schedule == "exponential":
        then = optim.ExponentialSchedule(1.0, final, left)
    return optim.WarmupSchedule(settings.warmup, then) if settings.warmup else then


def _check_final(settings: Any) -> None:
    if settings.schedule == "exponential" and settings.final == 0:
        raise ArgumentError("final", 0, "a number above 0, as the schedule is exponential")


@dataclass(frozen=True)
class Optimizer(Settings):
    """The optimiser of one player."""

    method: str = choice("adam", OPTIMIZERS)
    """sgd, momentum, nesterov, optimistic, rmsprop, adam or adamw."""
    lr: float = positive(1e-4, most=1e300)
    """Step size."""
    momentum: float = fraction(0.9)
    """Decay of the velocity of momentum and nesterov."""
    beta1: float = fraction(0.5)
    """Decay of adam's mean gradient."""
    beta2: float = fraction(0.999)
    """Decay of adam's mean squared gradient."""
    eps: float = positive(1e-8, least=1e-18, most=1e18)
    """Epsilon of adam and rmsprop, whose square is added to the mean squared gradient."""
    decay: float = fraction(0.99)
    """Decay of rmsprop's mean squared gradient."""
    weight_decay: float | None = positive(None, most=1e300)
    """Weight decay: adamw's beside its steps, 0.01 if none; of the others that of an L2 penalty."""
    schedule: str = choice("constant", SCHEDULES)
    """The step size over the run: constant, or linear, cosine or exponential from lr to its end."""
    final: float = number(0.0, least=0.0, most=1e6)
    """Step size at the last step, as a share of lr; an exponential one is above 0."""
    warmup: int = whole(0, least=0, most=STEPS)
    """Training steps in which the step size grows to lr, before the schedule; none if 0."""
    registered: str | None = words(None)
    """A registered optimiser, or module:attribute, which imports the module: instead of method."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_final(self)

    def build(self) -> optim.Optimizer:
        """Return the optimiser that `method` names; the schedule is not its own: see `factor`."""
        return _optimizer(self.method, self, self.lr)

    def factor(self, steps: int) -> optim.Schedule:
        """Return the factor of the step size, as a function of the training steps taken."""
        return _factor(self, steps)

    def ascent(self, steps: int) -> dict[str, Any]:
        """Return the arguments of `unroll.value_and_grad` for that many unrolled steps."""
        how = {"lr": self.lr} if self.method == "sgd" else {"optimizer": self.build()}
        return {"steps": steps, **how}


@dataclass(frozen=True)
class Unroll(Settings):
    """The unrolled steps of the discriminator, and the gradient through them."""

    steps: int = whole(10, least=0, most=UNROLLED)
    """K, the number of unrolled discriminator steps; 0 is the ordinary GAN."""
    lr: float | tuple[float, ...] = positives(0.1, most=1e300)
    """Step size of the unrolled steps: one, or one for each."""
    optimizer: str = choice("sgd", OPTIMIZERS)
    """Optimiser of the unrolled steps: sgd (plain gradient ascent), momentum, nesterov, optimistic,
    rmsprop, adam or adamw."""
    momentum: float = fraction(0.9)
    """Decay of the velocity of momentum and nesterov."""
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
    eps: float = positive(1e-8, least=1e-18, most=1e18)
    """Epsilon of adam and rmsprop, whose square is added to the mean squared gradient."""
    decay: float = fraction(0.99)
    """Decay of rmsprop's mean squared gradient."""
    weight_decay: float | None = positive(None, most=1e300)
    """Weight decay: adamw's beside its steps, 0.01 if none; of the others that of an L2 penalty."""
    registered: str | None = words(None)
    """A registered optimiser, or module:attribute, which imports the module, for the unrolled
    steps: instead of optimizer."""
    redraw: bool = switch(False)
    """Draw the random numbers of dropout, noise and penalties anew for each unrolled step, instead
    of once for all."""
    schedule: str = choice("constant", SCHEDULES)
    """The step size over the K steps: constant, or linear, cosine or exponential from lr to its
    end."""
    final: float = number(0.0, least=0.0, most=1e6)
    """Its end, after K steps, as a share of lr; that of an exponential one is above 0."""
    warmup: int = whole(0, least=0, most=UNROLLED)
    """Unrolled steps in which the step size grows to lr, before the schedule; none if 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_final(self)
        self._check_step_sizes()
        if self.truncate is not None and self.truncate > self.steps:
            expected = f"at most unroll.steps = {self.steps}"
            raise ArgumentError("truncate", repr(self.truncate), expected)

    @property
    def _has_schedule(self) -> bool:
        return self.schedule != "constant" or self.warmup > 0

    def _check_step_sizes(self) -> None:
        if isinstance(self.lr, tuple) and len(self.lr) != self.steps:
            expected = f"one step size, or unroll.steps = {self.steps} of them"
            raise ArgumentError("lr", f"{len(self.lr)} of them", expected)
        if isinstance(self.lr, tuple) and self._has_schedule:
            raise ArgumentError("lr", "several", "one step size, as unroll has a schedule")
        if self.warmup >= self.steps > 0:
            raise ArgumentError("warmup", self.warmup, f"less than unroll.steps = {self.steps}")
        if self.state == "carried" and (isinstance(self.lr, tuple) or self._has_schedule):
            given = "'carried', by which the optimiser's count of steps goes on"
            raise ArgumentError("state", given, "'zero', as the step size varies")

    def step_sizes(self) -> float | tuple[float, ...]:
        """Return the step size, or one for each step if they differ."""
        if isinstance(self.lr, tuple) or self.steps == 0 or not self._has_schedule:
            return self.lr
        factor, lr = _factor(self, self.steps), self.lr
        return tuple(lr * factor(k) for k in range(self.steps))

    @property
    def batches(self) -> int:
        """Number of batches that one gradient through the unrolled steps uses."""
        return self.steps + 1 if self.fresh else 1

    def dynamics(self) -> dict[str, Any]:
        """Return the arguments of `unroll.value_and_grad` that define the unrolled steps."""
        lr = self.step_sizes()
        if self.optimizer == "sgd" and self.weight_decay is None:
            return {"steps": self.steps, "lr": lr}
        by_step = lr.__getitem__ if isinstance(lr, tuple) else lr
        return {"steps": self.steps, "optimizer": _optimizer(self.optimizer, self, by_step)}


@dataclass(frozen=True)
class Update(Settings):
    """The order of the players' moves, and the discriminator that is kept."""

    scheme: str = choice("alternating", SCHEMES)
    """alternating (the discriminator responds to the generator's move), simultaneous (neither sees
    the other's move), extragradient (both move by their gradients after a simultaneous step) or
    cached (K real steps of the discriminator, each on a fresh batch; the generator's first-order
    step against theta_D^K; then the weights of the first step are put back)."""
    discriminator_steps: int = whole(1, least=1, most=UNROLLED)
    """Steps of the discriminator in a training step."""
    keep: str = choice("first", ("first", "last"))
    """The discriminator that training continues with: first (theta_D^1, one real step, as in the
    paper) or last (theta_D^K, the end of the unrolled steps: a mistake, to be shown)."""
    generator_steps: int = whole(1, least=1, most=UNROLLED)
    """Steps of the generator in a training step, each through the unrolled steps and on batches of
    its own, before the discriminator's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme in ("extragradient", "cached"):
            for name, given, only in (
                ("discriminator_steps", self.discriminator_steps, 1),
                ("generator_steps", self.generator_steps, 1),
                ("keep", self.keep, "first"),
            ):
                if given != only:
                    raise ArgumentError(name, given, f"{only!r}, as the scheme is {self.scheme}")
        if self.keep == "last" and self.generator_steps > 1:
            raise ArgumentError("generator_steps", self.generator_steps, "1, as keep is 'last'")


@dataclass(frozen=True)
class EarlyStop(Settings):
    """The end of training once a column of the metrics table no longer improves."""

    metric: str | None = words(None)
    """The column, such as high_quality, ema_modes or one's own; no early stop if none."""
    mode: str = choice("min", ("min", "max"))
    """min if the metric is better the smaller it is, or max."""
    patience: int = whole(10, least=1, most=STEPS)
    """Looks, which are rows of the table, in a row without improvement before training stops."""
    min_delta: float = number(0.0, least=0.0, most=1e300)
    """Improvement over the best so far that is too small to count."""


@dataclass(frozen=True)
class Config(Settings):
    """A training run; the defaults are the ring experiment of Metz et al. (2016), appendix A."""

    data: AnyData = group(*DATA)
    networks: Networks = group(Networks)
    unroll: Unroll = group(Unroll)
    update: Update = group(Update)
    generator_optimizer: Optimizer = group(Optimizer)
    discriminator_optimizer: Optimizer = group(Optimizer)
    early_stop: EarlyStop = group(EarlyStop)
    loss: str = choice("minimax", LOSSES)
    """minimax, nonsaturating, max_likelihood, wasserstein, least_squares or hinge."""
    label_smoothing: float = fraction(0.0)
    """Lower the discriminator's target for real samples by this much (one-sided smoothing)."""
    penalty: AnyPenalty = group(*PENALTIES)
    instance_noise: float = number(0.0, least=0.0, most=1e9)
    """Standard deviation of the noise on all samples that the discriminator sees."""
    feature_matching: bool = switch(False)
    """Let the generator descend the distance between mean features, which are the outputs of the
    discriminator's last hidden layer, of real and generated samples."""
    game: str | None = words(None)
    """A registered game, or module:attribute, which imports the module: instead of the one that
    networks and loss describe."""
    decay: bool = switch(False)
    """Decay both step sizes linearly to zero at the last step: schedule = linear, for both."""
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
    """Number of training steps, each of both players: see update."""
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
    ema: float = fraction(0.0)
    """Decay of an exponential moving average of the generator's weights, which has samples and
    metrics of its own; there is none if 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.update.keep == "last" and self.unroll.steps == 0:
            raise ArgumentError("update.keep", "'last'", "'first', as unroll.steps = 0")
        if self.update.scheme == "cached":
            self._check_cached()
        for name in ("generator_optimizer", "discriminator_optimizer"):
            self._check_schedule(name, getattr(self, name))
        label_smoothing(self.loss, self.label_smoothing)  # raises if the loss has no targets

    def _check_cached(self) -> None:
        """Refuse settings of unrolled steps that are not the real ones that the scheme takes."""
        if self.unroll.steps == 0:
            raise ArgumentError("unroll.steps", 0, "1 or more, as the scheme is cached")
        moves, unrolled = self.discriminator_optimizer, self.unroll
        remembers = "optimizer" in unrolled.dynamics()
        wanted = {
            "fresh": True,
            "method": "detached",
            "truncate": None,
            "state": "carried" if remembers else "zero",
            "optimizer": moves.method,
        }
        same = ("lr", "momentum", "beta1", "beta2", "eps", "decay", "weight_decay", "registered")
        for name, only in (wanted | {name: getattr(moves, name) for name in same}).items():
            if (given := getattr(unrolled, name)) != only:
                hint = "its unrolled steps are real ones, of the discriminator's optimiser"
                expected = f"{only!r}, as the scheme is cached"
                raise ArgumentError(f"unroll.{name}", given, expected, hint)

    def _check_schedule(self, name: str, moves: Optimizer) -> None:
        if moves.warmup >= self.steps:
            raise ArgumentError(f"{name}.warmup", moves.warmup, f"less than steps = {self.steps}")
        if self.decay and moves.schedule != "constant":
            raise ArgumentError("decay", "true", f"false, as {name}.schedule is {moves.schedule}")

    @property
    def has_registered_optimizers(self) -> bool:
        """Whether the settings name an optimiser of one's own."""
        groups = (self.generator_optimizer, self.discriminator_optimizer, self.unroll)
        return any(each.registered is not None for each in groups)

    def factors(self) -> tuple[optim.Schedule, optim.Schedule]:
        """Return the factors of both step sizes, the generator's first: see `Optimizer.factor`."""
        factor_g, factor_d = (
            (replace(each, schedule="linear", final=0.0) if self.decay else each).factor(self.steps)
            for each in (self.generator_optimizer, self.discriminator_optimizer)
        )
        return factor_g, factor_d

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

    @classmethod
    def chainer(cls) -> Config:
        """Return the settings of musyoku/unrolled-gan, in Chainer, for mixtures of Gaussians.

        Its scheme unrolls nothing: see ``update.scheme = "cached"``. The data are its ten Gaussians
        on two circles, up to a rotation; the initial weights are orthogonal here, He's there.

        Examples
        --------
        >>> config = Config.chainer()
        >>> config.update.scheme, config.unroll.steps, config.unroll.method
        ('cached', 5, 'detached')
        """
        return cls(
            data=DoubleRing(),
            networks=Networks(input_scale=0.5),
            unroll=Unroll(
                steps=5, lr=1e-3, optimizer="adam", method="detached", fresh=True, state="carried"
            ),
            update=Update(scheme="cached"),
            generator_optimizer=Optimizer(lr=1e-3),
            discriminator_optimizer=Optimizer(lr=1e-3),
            loss="nonsaturating",
            clip=10.0,
            batch=100,
        )

    def build_data(self) -> Any:
        """Return the data that these settings describe, or name; those of a file are read."""
        if isinstance(self.data, RegisteredData):
            return self.data.find(self)
        if isinstance(self.data, OwnData):
            hint = "hand them in: train(config, data=...)"
            raise ArgumentError("data", "none", f"the {self.data.identity}", hint)
        return self.data.load() if isinstance(self.data, File) else self.data

    def build_game(
        self,
        dimension: int | None = None,
        classes: int = 0,
        image_shape: tuple[int, int, int] | None = None,
    ) -> Any:
        """Return the game that these settings describe, or name.

        Its networks are for data of that many dimensions, or images of that shape, of those of
        `data` if not given, and with `classes` take labels.
        """
        if self.game is not None:
            return find("game", self.game, self)
        if dimension is None:
            data = self.build_data()
            dimension, image_shape = data.dimension, getattr(data, "image_shape", None)
        labels: dict[str, Any] = {"classes": classes} if classes else {}
        images: dict[str, Any] = {"image_shape": image_shape} if self.networks.kernel else {}
        return self.play(*self.networks.build(dimension, **labels, **images), **labels)

    def play(self, generator: Any, discriminator: Any, classes: int = 0) -> Any:
        """Return the game of two players, with the loss, the penalty and the noise of the settings.

        The discriminator sees instance noise in its penalty too.
        """
        smooth = self.label_smoothing > 0
        loss = label_smoothing(self.loss, self.label_smoothing) if smooth else self.loss
        game: Any = Game(generator, discriminator, loss, classes)
        if self.feature_matching:
            game = FeatureMatching(game, hidden_features(discriminator))
        if not isinstance(self.penalty, NoPenalty):
            game = Penalized(game, self.penalty)
        return InstanceNoise(game, self.instance_noise) if self.instance_noise else game

    @property
    def dtype(self) -> Any:
        """The dtype of `precision`."""
        return np.dtype(self.precision)

    @property
    def batches(self) -> int:
        """Number of batches that one training step uses."""
        update = self.update
        return max(update.generator_steps * self.unroll.batches, update.discriminator_steps)

    @property
    def moves(self) -> tuple[int, int]:
        """Number of steps that each player's optimiser takes in a training step, G's first."""
        update = self.update
        if update.scheme == "cached":
            return 1, self.unroll.steps
        return update.generator_steps, 0 if update.keep == "last" else update.discriminator_steps

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
