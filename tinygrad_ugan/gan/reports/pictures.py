"""Pictures of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OBJECTIVES = {
    "objective_g": "generator: f_K, descended",
    "objective_d": "discriminator: f, ascended",
    "accuracy_d": "accuracy of D",
}
QUALITY = {
    "modes": "modes covered",
    "high_quality": "high-quality fraction",
    "sliced_wasserstein": "sliced Wasserstein distance",
}
ANATOMY = {
    "direct": "norm of the direct term",
    "indirect": "norm of the indirect term",
    "cosine": "cosine between the terms",
}


def samples_over_time(runs: Mapping[str, Run], *, scatter: bool = False) -> Figure:
    """Draw figure 2 of Metz et al. (2016): a row for each run, a column for each moment.

    Parameters
    ----------
    runs : mapping of str to Run
        The runs by their labels; they share a dataset.
    scatter : bool
        Draw a row of the samples themselves above each row of densities.
    """
    setup = next(iter(runs.values())).setup
    over_time = {label: (run.sample_steps, run.samples) for label, run in runs.items()}
    target, extent = _target(setup), _extent(setup)
    return viz.samples_over_time(over_time, target, extent=extent, scatter=scatter)


def density(run: Run, samples: Array) -> Figure:
    """Draw the density of samples of a run, beside that of the data."""
    over_time = {"samples": ((run.checkpoint.step,), samples[None])}
    return viz.samples_over_time(over_time, _target(run.setup), extent=_extent(run.setup))


def curves(runs: Mapping[str, Run], panels: Mapping[str, str] = OBJECTIVES | QUALITY) -> Figure:
    """Draw columns of the metrics tables over time, one panel each; those that no run has, not."""
    tables = {label: run.columns() for label, run in runs.items()}
    there = {name: panels[name] for name in panels if any(name in t for t in tables.values())}
    return viz.curves(tables, there)


def own_panels(runs: Mapping[str, Run]) -> dict[str, str]:
    """Return panels of the columns of one's own."""
    return {name: name for run in runs.values() for row in run.metrics for name in row.own}


def has_surface(run: Run) -> bool:
    """Whether there is a D(x) over the plane to draw."""
    return run.setup.data.dimension == 2 and bool(run.metrics) and "accuracy_d" in run.columns()


def decision_surface(run: Run) -> Figure:
    """Draw D(x) of the trained discriminator over the plane, with data and samples on top."""
    rng, setup = np.random.default_rng(0), run.setup
    return viz.decision_surface(
        lambda x: setup.game.discriminator(run.theta_d, x),
        setup.data.sample(500, rng, setup.config.dtype),
        run.sample(500, rng),
        extent=_extent(setup),
    )


def animation(run: Run) -> bytes:
    """Return an animated GIF of the samples over time."""
    return viz.animation(run.sample_steps, run.samples, extent=_extent(run.setup))


def _target(setup: Setup) -> Array:
    target: Array = setup.data.sample(2_500, np.random.default_rng(0))
    return target


def _extent(setup: Setup) -> float:
    """Half the width of a picture: the modes, and a margin of half their distance.

    Without modes, the data and a margin.
    """
    if not hasattr(setup.data, "centers"):
        return 1.2 * float(np.abs(_target(setup)).max())
    return max(1.5 * float(np.abs(setup.data.centers()).max()), 10 * float(setup.data.std))
