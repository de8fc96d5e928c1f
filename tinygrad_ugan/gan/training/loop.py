"""The training loop. It works in memory, and hands checkpoints to a `Store`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Protocol

import numpy as np

from tinygrad_ugan.errors import ArgumentError, NonFiniteError
from tinygrad_ugan.gan.games.game import AnyBatch
from tinygrad_ugan.gan.training.callbacks import (
    AnyCallback,
    Callback,
    StepRecord,
    asks_to_stop,
    check_callbacks,
)
from tinygrad_ugan.gan.training.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.early_stop import Patience, check_early_stop
from tinygrad_ugan.gan.training.evaluation import Evaluation
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import Objectives, State, TrainStep
from tinygrad_ugan.gan.training.step_size_watch import StepSizeWatch
from tinygrad_ugan.kernels.threads import get_num_threads, set_num_threads


class Store(Protocol):
    """The storage that a loop saves to."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Save a checkpoint."""

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint that is the best so far by the metric of `early_stop`."""

    def save_failure(self, last_good: Checkpoint, batches: Sequence[AnyBatch]) -> str:
        """Save a step that left the finite numbers; return advice on how to repeat it."""


def start(config: Config | Setup) -> Checkpoint:
    """Return training before its first step."""
    setup = Setup.of(config)
    check_memory(training_needs(setup))
    check_early_stop(setup)
    _say_of_labels(setup)
    init_rng, batch_rng = streams(setup.config)
    state = TrainStep(setup).init(init_rng)
    return Checkpoint(setup, state, Draws(setup, batch_rng).state, (), {}, 0.0)


def _say_of_labels(setup: Setup) -> None:
    if getattr(setup.data, "classes", 0) and not setup.classes:
        message = "the labels of the data are left out, as the game does not take them: "
        message += "networks.conditional = true, or the game's attribute `classes`, makes it"
        warnings.warn(message, stacklevel=2)


def finish(
    begun: Checkpoint, callbacks: Sequence[AnyCallback] = (), store: Store | None = None
) -> Checkpoint:
    """Train from a checkpoint to the end, or until interrupted."""
    check_callbacks(callbacks)
    check_memory(training_needs(begun.setup))
    _check_columns(begun)
    return _Loop(begun, callbacks, store).run()


def _check_columns(begun: Checkpoint) -> None:
    """Refuse to add rows of other columns to a table."""
    for row in begun.rows[-1:]:
        before, now = sorted(row.own), sorted(begun.setup.metrics)
        if before != now:
            expected = f"the columns of the run so far: {', '.join(before) or 'none'}"
            hint = "hand them in: resume(folder, metrics=...)"
            raise ArgumentError("metrics", ", ".join(now) or "none", expected, hint)


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let the kernels use n threads, if given, inside the context."""
    before = get_num_threads()
    set_num_threads(before if n is None else n)
    try:
        yield
    finally:
        set_num_threads(before)


class _Loop:
    """The state of a running loop.

    The parameters and the position in the supply of batches change together, in one assignment, so
    that an interrupt at any moment leaves a consistent checkpoint.
    """

    def __init__(
        self, begun: Checkpoint, callbacks: Sequence[AnyCallback], store: Store | None
    ) -> None:
        self._setup = setup = begun.setup
        self._config = config = setup.config
        self._callbacks = [each for each in callbacks if isinstance(each, Callback)]
        self._functions = [each for each in callbacks if not isinstance(each, Callback)]
        self._store = store
        self._take_step = TrainStep(setup)
        self._draws = Draws(setup, streams(config)[1])
        self._draws.state = begun.draws
        self._evaluation = Evaluation(setup)
        self._watch = StepSizeWatch(config)
        self._at = begun.state, begun.draws
        self._rows = list(begun.rows)
        self._pictures, self._ema_pictures = dict(begun.pictures), dict(begun.ema_pictures)
        self._patience = Patience(config.early_stop, begun.rows)
        self._saved = begun.step, len(begun.rows)
        self._started = time.perf_counter() - begun.seconds
        pictured = np.linspace(0, config.steps, config.pictures).round().astype(int)
        self._pictured = set(pictured.tolist())

    def run(self) -> Checkpoint:
        """Train to the end, or until interrupted."""
        with self._kept_after_errors(), suppress(KeyboardInterrupt), ExitStack() as stack:
            for callback in self._callbacks:
                callback.on_start(self._at[0].step, tuple(self._rows))
                stack.callback(callback.on_end)
            stack.enter_context(_threads(self._config.threads))
            stack.enter_context(np.errstate(all="ignore"))  # the step checks its numbers itself
            self._run()
        self._save()
        return self._checkpoint()

    @contextmanager
    def _kept_after_errors(self) -> Iterator[None]:
        """Save a checkpoint before the error of a callback, or of a metric of one's own, passes."""
        try:
            yield
        except (OSError, NonFiniteError):  # nothing can be saved; the last good step is already
            raise
        except Exception as error:
            self._save()
            if self._store is not None:
                error.add_note(f"the run is kept at step {self._at[0].step}: resume goes on there")
            raise

    def _run(self) -> None:
        finished = self._record()
        while not finished:
            objectives = self._advance()
            finished = self._record()
            self._call_functions(objectives)

    def _call_functions(self, objectives: Objectives) -> None:
        if not self._functions:
            return
        state, last = self._at[0], self._rows[-1]
        row = last if last.step == state.step else None
        for function in self._functions:
            record = StepRecord.of(state, row, objectives, self._seconds())
            if asks_to_stop(function, record):
                raise KeyboardInterrupt

    def _advance(self) -> Objectives:
        state, _ = self._at
        batches = self._draws.next()
        try:
            following, objectives = self._take_step(state, batches)
        except NonFiniteError as error:
            store, given = self._store, f"at step {state.step + 1}: {error}"
            hint = "" if store is None else store.save_failure(self._checkpoint(), batches)
            raise NonFiniteError("training", given, "finite numbers", hint) from error
        self._at = following, self._draws.state
        for callback in self._callbacks:
            callback.on_step(following.step, self._seconds(), objectives)
        return objectives

    def _record(self) -> bool:
        """Evaluate, keep samples for the pictures, and save a checkpoint, whichever is due.

        Return whether training is over.
        """
        state, config = self._at[0], self._config
        finished = config.exhausted(state.step, self._seconds())
        pictured = state.step in self._pictured
        if pictured or finished or state.step % config.evaluate_every == 0:
            self._evaluate(state, pictured or finished)
        finished = finished or bool(self._patience.reason)
        if finished or state.step % config.checkpoint_every == 0:
            self._save()
        return finished

    def _evaluate(self, state: State, pictured: bool) -> None:
        if self._rows and self._rows[-1].step == state.step:  # done before a checkpoint
            return
        game, evaluation = self._take_step.game, self._evaluation
        samples = evaluation.samples(game, state)
        averaged = None if state.ema is None else evaluation.samples(game, state.averaged)
        row = evaluation.row(game, state, samples, self._seconds(), averaged)
        dynamics = self._setup.dynamics(state.optimizer_d)
        self._watch.look(game, state, evaluation.batch, dynamics)
        improved = self._patience.look(row)
        pictured = pictured or bool(self._patience.reason)
        for kept, x in ((self._pictures, samples), (self._ema_pictures, averaged)):
            if pictured and x is not None:
                kept[state.step] = x.reshape(len(x), -1)
        self._rows.append(row)
        if improved and self._store is not None:
            self._store.save_best(self._checkpoint())
        for callback in self._callbacks:
            callback.on_row(row)

    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _checkpoint(self) -> Checkpoint:
        pictures, averaged = dict(self._pictures), dict(self._ema_pictures)
        rows, seconds = tuple(self._rows), self._seconds()
        return Checkpoint(self._setup, *self._at, rows, pictures, seconds, averaged)

    def _save(self) -> None:
        there = self._at[0].step, len(self._rows)
        if self._store is not None and there != self._saved:
            self._store.save(self._checkpoint())
            self._saved = there
