"""Training runs: start, resume and load them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.gan.games.game import batch_of, with_draws
from tinygrad_ugan.gan.runs.checkpoint_arrays import check_storable
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.runs.run_dir import MetricsFile, RunDir
from tinygrad_ugan.gan.training.callbacks import AnyCallback, check_callbacks
from tinygrad_ugan.gan.training.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.evaluation import Row, column_names
from tinygrad_ugan.gan.training.loop import finish, start
from tinygrad_ugan.gan.training.progress import ProgressLine
from tinygrad_ugan.gan.training.setup import Metric, Setup
from tinygrad_ugan.typing import Array, PyTree


@dataclass(frozen=True)
class Run:
    """The result of a training run.

    Attributes
    ----------
    checkpoint : Checkpoint
        The end of training, or where it was interrupted.
    folder : Path or None
        Its folder on disk.
    """

    checkpoint: Checkpoint
    folder: Path | None = None

    @property
    def setup(self) -> Setup:
        """The settings, and the game and the data that go with them."""
        return self.checkpoint.setup

    @property
    def config(self) -> Config:
        """The settings."""
        return self.checkpoint.config

    @property
    def metrics(self) -> tuple[Row, ...]:
        """The metrics table."""
        return self.checkpoint.rows

    @property
    def theta_g(self) -> PyTree:
        """The generator's parameters."""
        return self.checkpoint.state.theta_g

    @property
    def ema(self) -> PyTree:
        """The moving average of the generator's parameters; None without `Config.ema`."""
        return self.checkpoint.state.ema

    @property
    def theta_d(self) -> PyTree:
        """The discriminator's parameters."""
        return self.checkpoint.state.theta_d

    @property
    def sample_steps(self) -> tuple[int, ...]:
        """The training steps at which `samples` were taken."""
        return tuple(self.checkpoint.pictures)

    @property
    def samples(self) -> Array:
        """Generated samples over time, always from the same noise, shape (times, n, d).

        They are in the data's own units, as those of `sample`.
        """
        return self._over_time(self.checkpoint.pictures)

    @property
    def ema_samples(self) -> Array:
        """Samples of the moving average over time, from the same noise as `samples`."""
        return self._over_time(self.checkpoint.ema_pictures)

    def _over_time(self, pictures: Mapping[int, Array]) -> Array:
        n, d = self.config.evaluation_samples, self.setup.data.dimension
        samples = [self.in_own_units(x) for x in pictures.values()]
        return np.array(samples).reshape(-1, n, d)

    @property
    def finished(self) -> bool:
        """Whether training used up its steps or seconds, or stopped early; not interrupted."""
        return self.checkpoint.finished

    @property
    def stopped_early(self) -> str:
        """Why training stopped early; empty if it did not."""
        return self.checkpoint.stopped_early

    def columns(self) -> dict[str, Array]:
        """Return the metrics table as an array for every column; NaN where a row lacks it.

        A run that an earlier version began may have rows without the later columns.
        """
        names, rows = column_names(self.metrics), [row.columns() for row in self.metrics]
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    def sample(
        self, n: int, rng: np.random.Generator, *, labels: Any = None, ema: bool = False
    ) -> Array:
        """Draw n samples from the trained generator, in the data's own units, shape (n, d).

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator
        labels : int, str or sequence of these, optional
            Of a conditional game: the class of all samples, or of each, by its number or name; as
            frequent as in the data if not given.
        ema : bool
            Draw from the moving average of the generator's weights.
        """
        return self.in_own_units(self.generate(n, rng, labels=labels, ema=ema))

    def in_own_units(self, x: Array) -> Array:
        """Return samples as the data were before they were standardised."""
        inverse = getattr(self.setup.data, "inverse", None)
        return x if inverse is None else inverse(x)

    def generate(
        self, n: int, rng: np.random.Generator, *, labels: Any = None, ema: bool = False
    ) -> Array:
        """Draw n samples as `sample`, in the units that the discriminator sees, shape (n, d)."""
        config, game = self.config, self.setup.game
        if ema and self.ema is None:
            hint = "train with the setting ema, such as Config(ema=0.999)"
            raise ArgumentError("ema", True, "False, as the run has no moving average", hint)
        theta_g = self.ema if ema else self.theta_g
        noise = rng.standard_normal((n, config.networks.noise), config.dtype)
        if not hasattr(game, "generate"):
            given = f"a {kind_of(game)}, which has none"
            raise ArgumentTypeError("game", given, "a game with generate(theta_g, batch)")
        real, drawn = self.setup.draw(n, rng)
        batch = batch_of(real, noise, drawn if labels is None else self._labels(labels, n))
        samples: Array = game.generate(theta_g, with_draws(game, batch))
        return samples

    def _labels(self, labels: Any, n: int) -> Array:
        """The classes of n samples."""
        each = [labels] * n if np.ndim(labels) == 0 else list(labels)
        if len(each) != n:
            raise ArgumentError("labels", f"{len(each)} of them", f"one, or one for each of {n}")
        return np.array([self.setup.class_of(label) for label in each])

    def resume(
        self,
        *,
        callbacks: Sequence[AnyCallback] = (),
        early_stop: bool = True,
        progress: bool = True,
    ) -> Run:
        """Continue where training was interrupted: see `tinygrad_ugan.gan.resume`."""
        begun = self.checkpoint if early_stop else self.checkpoint.without_early_stop()
        if begun.finished:
            return _warned(self)
        if self.folder is None:
            return _finish(begun, None, callbacks, progress)
        with (store := RunDir(self.folder)).at_work():
            return _resumed(begun, store, callbacks, early_stop, progress)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the run into a new folder, as `tinygrad_ugan.gan.train` does along the way."""
        self.config.to_dict()  # raises if they cannot be written
        store = RunDir(Path(folder))
        with at_work(store.path):
            store.create(self.config)
            store.save(self.checkpoint)
            MetricsFile(store.metrics).on_start(self.checkpoint.step, self.metrics)
        return store.path


def train(
    config: Config,
    folder: str | os.PathLike[str] | None = None,
    *,
    game: Any = None,
    data: Any = None,
    init: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    optimizers: Mapping[str, Any] | None = None,
    callbacks: Sequence[AnyCallback] = (),
    progress: bool = True,
) -> Run:
    """Train a GAN: the one that the settings describe, or another game, on other data.

    Runs that differ in `config.unroll` alone share their initial weights and all batches.

    Parameters
    ----------
    config : Config
        The settings.
    folder : path, optional
        The folder for checkpoints and metrics; nothing is written if not given.
    game : Any, optional
        The game to train: an object with ``inner(theta_g, theta_d, batch)`` and `outer`, or with
        the players `generator` and `discriminator`, functions of (theta, x), which then play for
        ``config.loss``.
    data : Any, optional
        The data: a `tinygrad_ugan.data.Dataset`, such as ``Samples("file.csv")``, or any other
        object with ``sample(n, rng, dtype)``, which returns an array (n, d...), and `dimension`.
    init : tuple or callable, optional
        theta_g and theta_d, or a function of a random generator that returns them; by default the
        game's own ``init(rng, dtype)``, or that of its players.
    metrics : mapping of str to callable, optional
        Columns of one's own in the metrics table, by name: ``metric(state, samples)`` returns a
        number; `samples` is None if the game has no `generate`. A game may have a mapping
        `metrics` itself.
    optimizers : mapping of str to optimiser, optional
        Optimisers of one's own, with `init` and `update` as those of `tinygrad_ugan.optim`: of the
        "generator", of the "discriminator", and for "unroll" that of the unrolled steps.
    callbacks : sequence of Callback or callable
        Called around the loop. A function is called after every step with a `StepRecord`: the
        step, the state, which it cannot change, and the row if there is one; training ends if it
        returns True.
    progress : bool
        Show a line of progress on standard error, or in the notebook, after two seconds.

    Returns
    -------
    Run
        The settings, the metrics and samples over time, and the final parameters. Ctrl-C ends
        training after the current step, and returns what has been computed.

    Raises
    ------
    NonFiniteError
        If training leaves the finite numbers; the message names the step and the tensor, and with
        a `folder` how to replay that step.
    ArgumentError
        If `folder` holds a run already, or cannot be written to, or if training would need more
        memory than there is.
    BusyError
        If another process is writing to `folder`; the message says which.
    OSError
        If something cannot be written; a note says which checkpoint is whole, and how to continue.
    ArgumentTypeError
        If there is a `folder`, but the settings could not be read back from it as they are,
        because their class or methods are custom.

    Examples
    --------
    >>> run = train(Config(steps=2, batch=8))
    >>> [row.step for row in run.metrics], run.samples.shape
    ([0, 1, 2], (3, 2500, 2))
    """
    check_callbacks(callbacks)
    setup = Setup.of(
        config, game=game, data=data, init=init, metrics=metrics, optimizers=optimizers
    )
    if folder is None:
        return _finish(start(setup), None, callbacks, progress)
    setup.config.to_dict()  # raises if they cannot be written, before anything is done
    begun, store = start(setup), RunDir(Path(folder))
    check_storable(begun.state)
    with store.at_work():
        store.create(setup.config)
        store.save(begun)
        return _finish(begun, store, callbacks, progress)


def resume(
    folder: str | os.PathLike[str],
    *,
    step: int | None = None,
    game: Any = None,
    data: Any = None,
    init: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    optimizers: Mapping[str, Any] | None = None,
    callbacks: Sequence[AnyCallback] = (),
    early_stop: bool = True,
    progress: bool = True,
) -> Run:
    """Resume a run from its last checkpoint, to the same bits as if it had never stopped.

    That holds on processors with the same vector set: others add up sums in another order.

    Parameters
    ----------
    folder : path
        The run's folder.
    step : int, optional
        Resume from the checkpoint of this step instead of the last one.
    game, data, init, metrics, optimizers : Any, optional
        What was handed in to `train`, again, if it has no registered name: only classes are kept.
        Of `init` no more than the structure is used.
    callbacks : sequence of Callback or callable
        Called around the loop, as of `train`.
    early_stop : bool
        False: go on without the early stop of the settings, from then on; the only way to go on
        with a run that stopped early. It is returned as it is otherwise, with a warning.
    progress : bool
        As of `train`.

    Returns
    -------
    Run

    Raises
    ------
    ArgumentError
        If `folder` holds no run, or the checkpoint is missing, damaged or of another format; or if
        the game or the data are not there, or not those that it was trained with.
    BusyError, NonFiniteError, OSError
        As `train`.
    """
    store = RunDir(Path(folder))
    parts = {
        "game": game, "data": data, "init": init, "metrics": metrics, "optimizers": optimizers,
    }  # fmt: skip
    found = store.load(step, parts)
    if found.finished and (
        early_stop or not found.stopped_early
    ):  # nothing will be written: no lock
        return _warned(Run(found, store.path))
    with store.at_work():
        return _resumed(store.load(step, parts), store, callbacks, early_stop, progress)


def load(
    folder: str | os.PathLike[str],
    *,
    step: int | None = None,
    best: bool = False,
    game: Any = None,
    data: Any = None,
    init: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    optimizers: Mapping[str, Any] | None = None,
) -> Run:
    """Load a run from its folder, at its last checkpoint or that of a given step.

    With `best` at the best row by the metric of `early_stop`, which the folder then keeps.

    `game`, `data`, `init`, `metrics` and `optimizers` are as of `resume`. Loading imports no module
    that the folder names: register what it needs, or import it, before.

    Raises
    ------
    ArgumentError
        If `folder` holds no run, or the checkpoint is missing, damaged or of another format.
    """
    parts = {
        "game": game, "data": data, "init": init, "metrics": metrics, "optimizers": optimizers,
    }  # fmt: skip
    store = RunDir(Path(folder))
    if best and step is not None:
        raise ArgumentError("best", True, "False, as a step is given")
    return Run(store.load_best(parts) if best else store.load(step, parts), store.path)


def _warned(run: Run) -> Run:
    """The run, with a warning if it is over because it stopped early."""
    if run.stopped_early:
        hint = "resume(..., early_stop=False) goes on"
        warnings.warn(f"stopped early: {run.stopped_early}; {hint}", stacklevel=3)
    return run


def _resumed(
    begun: Checkpoint,
    store: RunDir,
    callbacks: Sequence[AnyCallback],
    early_stop: bool,
    progress: bool,
) -> Run:
    """Go on, from now on without an early stop if it is not wanted."""
    if not early_stop and begun.config.early_stop.metric is not None:
        begun = begun.without_early_stop()
        store.write_settings(begun.config)
    return _finish(begun, store, callbacks, progress)


def _finish(
    begun: Checkpoint, store: RunDir | None, callbacks: Sequence[AnyCallback], progress: bool
) -> Run:
    """Train from a checkpoint to the end; the caller holds the lock on the folder."""
    folder = None if store is None else store.path
    if begun.finished:
        return Run(begun, folder)
    own = [] if store is None else [MetricsFile(store.metrics)]
    label = "" if folder is None else folder.name
    shown = [ProgressLine(label, begun.config)] if progress else []
    return Run(finish(begun, [*own, *callbacks, *shown], store), folder)
