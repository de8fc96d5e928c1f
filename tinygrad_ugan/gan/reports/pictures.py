"""Pictures of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.data import draw
from tinygrad_ugan.gan.reports.plane import Plane
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.training.evaluation import EMA
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
    "precision": "precision",
    "recall": "recall",
    "two_sample": "accuracy of the two-sample test",
    "own_class": "fraction in their own class",
    "sliced_wasserstein": "sliced Wasserstein distance",
}
EMA_QUALITY = {f"{EMA}{name}": f"{title}, EMA" for name, title in QUALITY.items()}
ANATOMY = {
    "direct": "norm of the direct term",
    "indirect": "norm of the indirect term",
    "cosine": "cosine between the terms",
}


def samples_over_time(runs: Mapping[str, Run], *, scatter: bool = False) -> Figure:
    """Draw figure 2 of Metz et al. (2016): a row for each run, a column for each moment.

    A run with a moving average of the generator's weights has a second row below, of its samples.

    Of images it shows contact sheets, of one dimension histograms, and of more than two the first
    two principal axes of the data.

    Parameters
    ----------
    runs : mapping of str to Run
        The runs by their labels; they share a dataset.
    scatter : bool
        Draw a row of the samples themselves above each row of densities.
    """
    first = next(iter(runs.values()))
    over_time = {
        f"{label}{suffix}": (run.sample_steps, _stacked(pictures))
        for label, run in runs.items()
        for suffix, pictures in (
            ("", run.checkpoint.pictures),
            (", EMA", run.checkpoint.ema_pictures),
        )
        if pictures or not suffix
    }
    return _over_time(first, over_time, scatter=scatter)


def density(run: Run, samples: Array) -> Figure:
    """Draw samples of a run, as from `Run.generate`, beside the data."""
    return _over_time(run, {"samples": ((run.checkpoint.step,), samples[None])})


def _over_time(
    run: Run, over_time: Mapping[str, tuple[Sequence[int], Array]], *, scatter: bool = False
) -> Figure:
    """Draw samples in the units of training, which runs share with this one."""
    data, target = run.setup.data, _target(run.setup)
    if has_plane(run):
        plane = Plane.of(data, target)
        points = {label: (steps, plane.project(x)) for label, (steps, x) in over_time.items()}
        target = plane.project(target)
        return viz.samples_over_time(points, target, extent=plane.extent, scatter=scatter)
    shown = {
        label: (steps, np.array([run.in_own_units(x) for x in samples]))
        for label, (steps, samples) in over_time.items()
    }
    target = run.in_own_units(target)
    if (shape := _image_shape(run)) is not None:
        return viz.sheets_over_time(shown, target, shape=shape)
    return viz.histograms_over_time(shown, target, limits=_limits(run, target))


def curves(runs: Mapping[str, Run], panels: Mapping[str, str] = OBJECTIVES | QUALITY) -> Figure:
    """Draw columns of the metrics tables over time, one panel each; those that no run has, not."""
    tables = {label: run.columns() for label, run in runs.items()}
    return viz.curves(tables, filled(runs, panels))


def filled(runs: Mapping[str, Run], panels: Mapping[str, str]) -> dict[str, str]:
    """Return the panels whose columns a run has."""
    there = {name for run in runs.values() for name in run.columns()}
    return {name: title for name, title in panels.items() if name in there}


def own_panels(runs: Mapping[str, Run]) -> dict[str, str]:
    """Return panels of the columns of one's own."""
    names = {name: name for run in runs.values() for row in run.metrics for name in row.own}
    return names | {f"{EMA}{name}": f"{name}, EMA" for name in names}


def has_plane(run: Run) -> bool:
    """Whether samples are points to draw in a plane: not images, and not on a line."""
    return run.setup.data.dimension > 1 and _image_shape(run) is None


def has_surface(run: Run) -> bool:
    """Whether there is a D(x) over the plane to draw."""
    flat = has_plane(run) and run.setup.data.dimension == 2 and not run.setup.classes
    return flat and bool(run.metrics) and "accuracy_d" in run.columns()


def decision_surface(run: Run) -> Figure:
    """Draw D(x) of the trained discriminator over the plane, with data and samples on top."""
    rng, setup = np.random.default_rng(0), run.setup
    plane = Plane.of(setup.data, _target(setup))
    return viz.decision_surface(
        lambda points: setup.game.discriminator(run.theta_d, plane.lift(points)),
        plane.project(draw(setup.data, 500, rng, setup.config.dtype)),
        plane.project(run.generate(500, rng)).astype(setup.config.dtype),
        extent=plane.extent,
        ticks=plane.is_space,
    )


def animation(run: Run) -> bytes:
    """Return an animated GIF of the samples over time, of a run that `has_plane`."""
    plane = Plane.of(run.setup.data, _target(run.setup))
    points = plane.project(_stacked(run.checkpoint.pictures))
    return viz.animation(run.sample_steps, points, extent=plane.extent)


def _target(setup: Setup) -> Array:
    target = draw(setup.data, 2_500, np.random.default_rng(0), np.float32)
    return target.reshape(len(target), -1)


def _stacked(pictures: Mapping[int, Array]) -> Array:
    return np.array([*pictures.values()])


def _image_shape(run: Run) -> tuple[int, int, int] | None:
    shape: tuple[int, int, int] | None = getattr(run.setup.data, "image_shape", None)
    return shape


def _limits(run: Run, target: Array) -> tuple[float, float]:
    """The interval of histograms, in the data's own units."""
    limits = getattr(run.setup.data, "plot_limits", None)
    if limits is not None:
        low, high = run.in_own_units(np.array(limits)[:, None]).ravel().tolist()
        return low, high
    low, high = float(target.min()), float(target.max())
    margin = 0.3 * (high - low) or 1.0
    return low - margin, high + margin
