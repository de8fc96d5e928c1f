"""The surroundings of an experiment: its seeds, a cache of training runs, and progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tinygrad_ugan.experiments import array_cache
from tinygrad_ugan.gan import Callback, Config, Run, train
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain
from tinygrad_ugan.typing import Array

T = TypeVar("T")
Arrays = dict[str, Array]
Track = Callable[[Iterable[T], str], Iterable[T]]
Watch = Callable[[str, Config], Sequence[Callback]]


class Session:
    """One run of an experiment.

    Parameters
    ----------
    seeds : sequence of int
        The seeds to take.
    quick : bool
        In miniature, in under 20 seconds.
    folder : Path, optional
        Where training runs are kept, so that they are not done twice; nowhere if not given.
    track : callable, optional
        ``track(items, label)`` yields the items and shows how far they have got.
    watch : callable, optional
        ``watch(label, config)`` returns callbacks that show how training goes.

    Examples
    --------
    >>> session = Session(seeds=[0], quick=True)
    >>> run = session.train("tiny", Config(steps=1, batch=8))
    >>> run.finished, session.seconds > 0
    (True, True)
    """

    def __init__(
        self,
        seeds: Sequence[int],
        *,
        quick: bool = False,
        folder: Path | None = None,
        track: Track[Any] = lambda items, label: items,
        watch: Watch = lambda label, config: (),
    ) -> None:
        self.seeds = tuple(seeds)
        self.quick = quick
        self.folder = folder
        self.track = track
        self._watch = watch
        self._started = time.perf_counter()

    def train(self, label: str, config: Config) -> Run:
        """Train, or load the run of an earlier session."""
        callbacks = self._watch(label, config)
        if self.folder is None:
            return train(config, callbacks=callbacks, progress=False)
        before = time.perf_counter()
        run = obtain(config, self.folder / label, callbacks)
        taken = time.perf_counter() - before
        self._started -= max(0.0, run.checkpoint.seconds - taken)  # what it took then
        return run

    def obtain(
        self, label: str, settings: Mapping[str, Any], compute: Callable[[], Arrays]
    ) -> Arrays:
        """Return the arrays that `compute` makes, or those of an earlier session.

        Parameters
        ----------
        label : str
            A name for the file.
        settings : mapping
            All that the arrays depend on, in words that JSON has; with others they are made anew.
        compute : callable
            ``compute()`` -> arrays by name.

        Examples
        --------
        >>> import numpy as np
        >>> Session([0]).obtain("zeros", {"n": 2}, lambda: {"x": np.zeros(2)})["x"]
        array([0., 0.])
        """
        if self.folder is None:
            return compute()
        path, described = self.folder / f"{label}.safetensors", json.dumps(dict(settings))
        found = array_cache.read(path, described)
        if found is None:
            before = time.process_time()
            arrays = compute()
            array_cache.write(path, described, arrays, time.process_time() - before)
            return arrays
        self._started -= found.seconds  # what it took then
        return found.arrays

    @property
    def seconds(self) -> float:
        """Seconds spent so far, including those of training that was found on disk."""
        return time.perf_counter() - self._started
