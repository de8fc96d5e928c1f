"""The loop around the training step."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.gan.runs import checkpoint as checkpoints
from tinygrad_ugan.gan.runs import failed_step, run_dir
from tinygrad_ugan.gan.runs.checkpoint import Checkpoint
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.training.callbacks import Callback, MetricsFile
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.evaluation import Evaluation
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.step import State, TrainStep
from tinygrad_ugan.kernels.threads import get_num_threads, set_num_threads


def train(
    config: Config,
    *,
    folder: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train a GAN.

    Runs that differ in `config.unroll` alone share their initial weights and all their draws.

    Parameters
    ----------
    config : Config
        The settings.
    folder : path, optional
        Where checkpoints and metrics are kept; nothing is written if not given.
    callbacks : sequence of Callback
        What is to happen around the loop.

    Returns
    -------
    Run
        The settings, the metrics and samples over time, and the final parameters. Ctrl-C ends
        training after the step under way, and returns what has been computed.

    Raises
    ------
    NonFiniteError
        If training leaves the finite numbers; the message names the step and the tensor, and with
        a `folder` how to take that step again.
    ArgumentError
        If `folder` holds a run already, or cannot be written to, or if training would need more
        memory than there is.
    BusyError
        If somebody else is at work in `folder`; the message says who.
    OSError
        If something cannot be written; a note says which checkpoint is whole, and how to go on.
    ArgumentTypeError
        If there is a `folder`, and settings of one's own class or with methods of one's own would
        come back from it as something else.

    Examples
    --------
    >>> run = train(Config(steps=2, batch=8))
    >>> [row.step for row in run.metrics], run.samples.shape
    ([0, 1, 2], (3, 2500, 2))
    """
    if folder is not None:
        config.to_dict()  # or what cannot be written down is refused, before anything is done
    begun = start(config)
    if folder is None:
        return go_on(begun, None, callbacks)
    with at_work(place := Path(folder)), run_dir.advice(place):
        run_dir.create(place, config)
        checkpoints.save(place / run_dir.CHECKPOINTS, begun)
        return go_on(begun, place, callbacks)


def resume(
    folder: str | os.PathLike[str], *, step: int | None = None, callbacks: Sequence[Callback] = ()
) -> Run:
    """Go on with a run from its last checkpoint, to the same bits as if it had never stopped.

    Parameters
    ----------
    folder : path
        The run's folder.
    step : int, optional
        Go on from the checkpoint of this step instead of from the last one.
    callbacks : sequence of Callback
        What is to happen around the loop.

    Returns
    -------
    Run

    Raises
    ------
    ArgumentError
        If `folder` holds no run, or not that checkpoint, or one that was damaged or is of another
        format.
    BusyError, NonFiniteError, OSError
        As `train`.
    """
    place = Path(folder)
    found = run_dir.load_checkpoint(place, step)
    if found.finished:  # nothing will be written
        return Run(found, place)
    with at_work(place), run_dir.advice(place):
        return go_on(run_dir.load_checkpoint(place, step), place, callbacks)


def start(config: Config) -> Checkpoint:
    """Return training before its first step."""
    check_memory(training_needs(config))
    init_rng, batch_rng = streams(config)
    state = TrainStep(config).init(init_rng)
    return Checkpoint(config, state, Draws(config, batch_rng).state, (), {}, 0.0)


def go_on(begun: Checkpoint, folder: Path | None, callbacks: Sequence[Callback]) -> Run:
    """Train from a checkpoint to the end; whoever calls is at work in the folder."""
    if begun.finished:
        return Run(begun, folder)
    check_memory(training_needs(begun.config))
    own = [] if folder is None else [MetricsFile(folder / run_dir.METRICS)]
    loop = _Loop(begun, folder, [*own, *callbacks])
    return Run(loop.run(), folder)


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let the kernels use n threads meanwhile, if that is given."""
    before = get_num_threads()
    set_num_threads(before if n is None else n)
    try:
        yield
    finally:
        set_num_threads(before)


class _Loop:
    """Training under way.

    The parameters and the place in the supply of batches that belongs to them change together, in
    one assignment: an interrupt at any moment leaves something to go on from.
    """

    def __init__(self, begun: Checkpoint, folder: Path | None, callbacks: list[Callback]) -> None:
        self._config = config = begun.config
        self._folder = folder
        self._callbacks = callbacks
        self._take_step = TrainStep(config)
        self._draws = Draws(config, streams(config)[1])
        self._draws.state = begun.draws
        self._evaluation = Evaluation(config)
        self._at = begun.state, begun.draws
        self._rows, self._pictures = list(begun.rows), dict(begun.pictures)
        self._saved = begun.step, len(begun.rows)
        self._started = time.perf_counter() - begun.seconds
        pictured = np.linspace(0, config.steps, config.pictures).round().astype(int)
        self._pictured = set(pictured.tolist())

    def run(self) -> Checkpoint:
        """Train to the end, or until interrupted."""
        with suppress(KeyboardInterrupt), ExitStack() as stack:
            for callback in self._callbacks:
                callback.on_start(self._at[0].step, tuple(self._rows))
                stack.callback(callback.on_end)
            stack.enter_context(_threads(self._config.threads))
            stack.enter_context(np.errstate(all="ignore"))  # the guard finds and names what is bad
            self._run()
        self._save()
        return self._checkpoint()

    def _run(self) -> None:
        self._look(finished := self._finished())
        while not finished:
            self._advance()
            self._look(finished := self._finished())

    def _advance(self) -> None:
        state, _ = self._at
        batches = self._draws.next()
        try:
            following, objectives = self._take_step(state, batches)
        except NonFiniteError as error:
            raise failed_step.record(self._folder, self._checkpoint(), batches, error) from error
        self._at = following, self._draws.state
        for callback in self._callbacks:
            callback.on_step(following.step, self._seconds(), objectives)

    def _look(self, finished: bool) -> None:
        """Evaluate, take samples for the picture, and save: each if its time has come."""
        state, config = self._at[0], self._config
        pictured = state.step in self._pictured
        if pictured or finished or state.step % config.evaluate_every == 0:
            self._evaluate(state, pictured or finished)
        if finished or state.step % config.checkpoint_every == 0:
            self._save()

    def _evaluate(self, state: State, pictured: bool) -> None:
        if self._rows and self._rows[-1].step == state.step:  # done before a checkpoint
            return
        samples = self._evaluation.samples(self._take_step.game, state)
        row = self._evaluation.row(self._take_step.game, state, samples, self._seconds())
        if pictured:
            self._pictures[state.step] = samples
        self._rows.append(row)
        for callback in self._callbacks:
            callback.on_row(row)

    def _finished(self) -> bool:
        return self._config.exhausted(self._at[0].step, self._seconds())

    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _checkpoint(self) -> Checkpoint:
        rows, pictures = tuple(self._rows), dict(self._pictures)
        return Checkpoint(self._config, *self._at, rows, pictures, self._seconds())

    def _save(self) -> None:
        there = self._at[0].step, len(self._rows)
        if self._folder is not None and there != self._saved:
            checkpoints.save(self._folder / run_dir.CHECKPOINTS, self._checkpoint())
            self._saved = there
