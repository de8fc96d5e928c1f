"""Pictures of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.training.config import Config
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
    config = next(iter(runs.values())).config
    over_time = {label: (run.sample_steps, run.samples) for label, run in runs.items()}
    target, extent = _target(config), _extent(config)
    return viz.samples_over_time(over_time, target, extent=extent, scatter=scatter)


def density(run: Run, samples: Array) -> Figure:
    """Draw the density of samples of a run, beside that of the data."""
    over_time = {"samples": ((run.checkpoint.step,), samples[None])}
    return viz.samples_over_time(over_time, _target(run.config), extent=_extent(run.config))


def curves(runs: Mapping[str, Run], panels: Mapping[str, str] = OBJECTIVES | QUALITY) -> Figure:
    """Draw columns of the metrics tables over time, one panel each."""
    return viz.curves({label: run.columns() for label, run in runs.items()}, panels)


def decision_surface(run: Run) -> Figure:
    """Draw D(x) of the trained discriminator over the plane, with data and samples on top."""
    rng, config = np.random.default_rng(0), run.config
    discriminator = config.game().discriminator
    return viz.decision_surface(
        lambda x: discriminator(run.theta_d, x),
        config.data.sample(500, rng, config.dtype),
        run.sample(500, rng),
        extent=_extent(config),
    )


def animation(run: Run) -> bytes:
    """Return an animated GIF of the samples over time."""
    return viz.animation(run.sample_steps, run.samples, extent=_extent(run.config))


def _target(config: Config) -> Array:
    return config.data.sample(2_500, np.random.default_rng(0))


def _extent(config: Config) -> float:
    """Half the width of a picture: the modes, and a margin of half their distance."""
    return max(1.5 * float(np.abs(config.data.centers()).max()), 10 * config.data.std)
