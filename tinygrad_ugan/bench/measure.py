"""Measurements of several libraries side by side, which must agree before they are timed."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import gan, tree, unroll
from tinygrad_ugan.bench.libraries import OURS, UnsuitableError
from tinygrad_ugan.bench.worker import LIMIT, Worker
from tinygrad_ugan.bench.workloads import WORKLOADS, Workload
from tinygrad_ugan.typing import Array

#: Largest relative error of value and gradient, in machine epsilons: a few hundred operations'
#: rounding, amplified by the unrolled steps.
TOLERANCE = 200

#: Seconds of rest before a burst: threads that spin when they have nothing to do have gone to
#: sleep by then (OpenBLAS's after 26 ms).
REST = 0.03


class DisagreementError(Exception):
    """Libraries that should compute the same do not."""


class Timing(NamedTuple):
    """Seconds of one value and gradient.

    Attributes
    ----------
    median, low, high : float
        The middle, and the limits of the middle 80 %.
    error : float
        Relative error of the gradient.
    """

    median: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Measurement:
    """The figures of all libraries on one workload.

    Attributes
    ----------
    game : str
        Name of the networks.
    workload : Workload
    threads : int
    figures : dict
        Timings of each library, and of the limit.

    Examples
    --------
    >>> from tinygrad_ugan.bench import WORKLOADS
    >>> def took(seconds): return Timing(seconds, seconds, seconds, error=0.0)
    >>> figures = {"limit": took(1.0), "adjoint": took(2.0), "torch": took(8.0)}
    >>> measurement = Measurement("A", WORKLOADS["A"], threads=1, figures=figures)
    >>> measurement.fraction_of_limit("torch"), measurement.ratio("torch")
    (0.125, 0.25)
    """

    game: str
    workload: Workload
    threads: int
    figures: Mapping[str, Timing]

    @property
    def ours(self) -> str:
        """The name of our best method."""
        return next(name for name in OURS if name in self.figures)

    def fraction_of_limit(self, name: str) -> float:
        """Part of the time in which the multiply-adds alone could have been done."""
        return self.figures[LIMIT].median / self.figures[name].median

    def ratio(self, rival: str) -> float:
        """Our time divided by the rival's: medians."""
        return self.figures[self.ours].median / self.figures[rival].median

    def gigaflops(self, name: str) -> float:
        """The necessary operations, two for a multiply-add, in 1e9 a second."""
        return 2e-9 * self.workload.multiply_adds / self.figures[name].median

    def to_json(self) -> dict[str, Any]:
        """Numbers and names only."""
        libraries = [name for name in self.figures if name != LIMIT]
        return {
            "game": self.game,
            "workload": asdict(self.workload),
            "threads": self.threads,
            "multiply_adds": self.workload.multiply_adds,
            "seconds": {name: timing._asdict() for name, timing in self.figures.items()},
            "gigaflops": {name: self.gigaflops(name) for name in self.figures},
            "fraction_of_limit": {name: self.fraction_of_limit(name) for name in libraries},
            "ours": self.ours,
            "ours_to_rival": {name: self.ratio(name) for name in libraries if name != self.ours},
        }


class Arena:
    """A process for each library, all on the same number of cores, that work one at a time.

    Use it as a context manager.

    Parameters
    ----------
    names : sequence of str
        Of `OURS` and `RIVALS`. What is not installed is left out, and `left_out` says why.
    threads : int
        For every library.
    """

    def __init__(self, names: Sequence[str], threads: int) -> None:
        self._workers = {name: Worker(name, threads) for name in (LIMIT, *names)}
        self.left_out: dict[str, str] = {}

    def __enter__(self) -> Arena:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.close()

    def prepare(self, workload: Workload) -> dict[str, float]:
        """Get all ready and check that they agree; returns the errors of those that take part.

        Raises
        ------
        DisagreementError
            If a value or a gradient differs from ours in float64 by more than rounding.
        """
        expected = reference(workload)
        errors = {}
        for name, worker in self._workers.items():
            if name in self.left_out:
                continue
            try:
                found = worker.prepare(workload)
            except ModuleNotFoundError as error:
                self.left_out[name] = str(error)
            except UnsuitableError:
                continue
            else:
                errors[name] = 0.0 if found is None else relative_error(found, expected)
        check_errors(errors, workload)
        return errors

    def measure(
        self, workload: Workload, *, rounds: int = 7, seconds: float = 0.03
    ) -> dict[str, Timing]:
        """Time all on a workload, in turns, so that what the machine does besides hits all alike.

        Parameters
        ----------
        workload : Workload
        rounds : int
            Bursts of each library.
        seconds : float
            Length of a burst.

        Returns
        -------
        dict
            A figure for every library that can do it, and for ``"limit"``.
        """
        errors = self.prepare(workload)
        times: dict[str, list[float]] = {name: [] for name in errors}
        for _ in range(rounds):
            for name, taken in times.items():
                time.sleep(REST)
                taken += self._workers[name].times(seconds)
        return {name: timing(taken, errors[name]) for name, taken in times.items()}


def reference(workload: Workload) -> tuple[float, list[Array]]:
    """Value and gradient in float64, from the same numbers."""
    theta_g, theta_d, real, noise = optree.tree_map(np.float64, workload.arrays())
    value, gradient = unroll.value_and_grad(
        workload.game,
        theta_g,
        theta_d,
        gan.Batch(real, noise),
        steps=workload.steps,
        lr=workload.lr,
        method="adjoint",
    )
    return float(value), optree.tree_leaves(gradient)


def relative_error(
    found: tuple[float, Sequence[Array]], expected: tuple[float, Sequence[Array]]
) -> float:
    """Return the larger of the value's and the gradient's, the latter in the Euclidean norm.

    Examples
    --------
    >>> relative_error((1.0, [np.array([3.0, 4.5])]), (1.0, [np.array([3.0, 4.0])]))
    0.1
    """
    (value, gradient), (right_value, right_gradient) = found, expected
    of_value = abs(value - right_value) / abs(right_value)
    distance = tree.norm([x - y for x, y in zip(gradient, right_gradient, strict=True)])
    return max(of_value, distance / tree.norm(list(right_gradient)))


def check_errors(errors: Mapping[str, float], workload: Workload) -> None:
    """Raise `DisagreementError` unless all of the relative errors are rounding."""
    allowed = TOLERANCE * float(np.finfo(workload.dtype).eps)
    wrong = {name: error for name, error in errors.items() if not error <= allowed}
    if wrong:
        raise DisagreementError(f"{workload}: relative errors {wrong}, allowed {allowed:.1e}")


def timing(times: Sequence[float], error: float) -> Timing:
    """Median and deciles.

    Examples
    --------
    >>> timing([1.0, 2.0, 3.0, 4.0, 5.0], error=0.0)
    Timing(median=3.0, low=1.4, high=4.6, error=0.0)
    """
    low, median, high = (float(x) for x in np.quantile(times, [0.1, 0.5, 0.9]))
    return Timing(median, low, high, error)


#: The quickest way to call each library that needs little time to compile, by its module.
_QUICK_RIVALS = {"jax": "jax jit, malloc tuned", "torch": "torch", "autograd": "autograd"}


def quick(games: Sequence[str], dtype: str, threads: int) -> list[Measurement]:
    """Measure our methods, and the rivals that are installed, on games of `WORKLOADS`."""
    installed = [name for module, name in _QUICK_RIVALS.items() if importlib.util.find_spec(module)]
    measurements = []
    with Arena([*OURS, *installed], threads) as arena:
        for game in games:
            workload = replace(WORKLOADS[game], dtype=dtype)
            measurements.append(
                Measurement(game, workload, threads, arena.measure(workload, rounds=5))
            )
    return measurements
