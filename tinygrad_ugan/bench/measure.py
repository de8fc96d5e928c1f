"""Measure libraries side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
import optree

from tinygrad_ugan import gan, unroll
from tinygrad_ugan.bench.contenders import LIMIT
from tinygrad_ugan.bench.libraries import UnsuitableError
from tinygrad_ugan.bench.worker import Worker
from tinygrad_ugan.bench.workloads import Workload

#: Largest relative error of value and gradient, in machine epsilons: a few hundred operations'
#: rounding, amplified by the unrolled steps.
TOLERANCE = 200

#: Seconds of rest before a burst: threads that spin when they have nothing to do have gone to
#: sleep by then (OpenBLAS's after 26 ms).
REST = 0.03


class DisagreementError(Exception):
    """Libraries that should compute the same do not."""


class Figure(NamedTuple):
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
    ) -> dict[str, Figure]:
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
        return {name: figure(taken, errors[name]) for name, taken in times.items()}


def reference(workload: Workload) -> tuple[float, list[np.ndarray]]:
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
    found: tuple[float, Sequence[np.ndarray]], expected: tuple[float, Sequence[np.ndarray]]
) -> float:
    """The larger of the value's and the gradient's, the latter in the Euclidean norm.

    Examples
    --------
    >>> relative_error((1.0, [np.array([3.0, 4.5])]), (1.0, [np.array([3.0, 4.0])]))
    0.1
    """
    (value, gradient), (right_value, right_gradient) = found, expected
    of_value = abs(value - right_value) / abs(right_value)
    pairs = list(zip(gradient, right_gradient, strict=True))
    distance = math.sqrt(sum(float(np.sum((x - y) ** 2)) for x, y in pairs))
    norm = math.sqrt(sum(float(np.sum(y**2)) for _, y in pairs))
    return max(of_value, distance / norm)


def check_errors(errors: Mapping[str, float], workload: Workload) -> None:
    """Raise `DisagreementError` unless all of the relative errors are rounding."""
    allowed = TOLERANCE * float(np.finfo(workload.dtype).eps)
    wrong = {name: error for name, error in errors.items() if not error <= allowed}
    if wrong:
        raise DisagreementError(f"{workload}: relative errors {wrong}, allowed {allowed:.1e}")


def figure(times: Sequence[float], error: float) -> Figure:
    """Median and deciles.

    Examples
    --------
    >>> figure([1.0, 2.0, 3.0, 4.0, 5.0], error=0.0)
    Figure(median=3.0, low=1.4, high=4.6, error=0.0)
    """
    low, median, high = (float(x) for x in np.quantile(times, [0.1, 0.5, 0.9]))
    return Figure(median, low, high, error)
