"""Several settings, each trained with every seed, and their metrics as tables and pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_ugan import viz
from tinygrad_ugan.experiments.experiment import Claim
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.gan import Config, Row, Run, pictures
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Runs = Mapping[str, Sequence[Run]]  # by the label of the settings, seed by seed
FinalMetrics = dict[str, dict[str, Array]]  # by the label of the settings, then as in COLUMNS

# What shows in a few seconds: the ring, with the least noise that tells modes apart quickly.
MINIATURE = PRESETS["ring-miniature"].updated(
    {"networks": {"noise": 4}, "steps": 1_000, "pictures": 4}
)

COLUMNS = {
    "modes": "modes",
    "quality": "% high quality",
    "reverse_kl": "reverse KL",
    "seconds": "seconds",
}


def train_all(session: Session, configs: Mapping[str, Config], prefix: str = "") -> Runs:
    """Train each of the settings with every seed; the prefix parts these runs from others."""
    return {
        label: [
            session.train(_folder(f"{prefix}{label}-seed{seed}"), config.updated({"seed": seed}))
            for seed in session.seeds
        ]
        for label, config in configs.items()
    }


def unrolled(config: Config, steps: Sequence[int]) -> dict[str, Config]:
    """The settings with several K, by their labels.

    Examples
    --------
    >>> [(label, config.unroll.steps) for label, config in unrolled(Config(), [0, 5]).items()]
    [('K = 0', 0), ('K = 5', 5)]
    """
    return {f"K = {K}": config.updated({"unroll": {"steps": K}}) for K in steps}


def final_metrics(runs: Runs) -> FinalMetrics:
    """The metrics at the end of training, seed by seed."""
    return {label: _columns([run.metrics[-1] for run in each]) for label, each in runs.items()}


def _columns(rows: Sequence[Row]) -> dict[str, Array]:
    return {
        "modes": np.array([row.modes for row in rows]),
        "quality": np.array([100 * row.columns()["high_quality"] for row in rows]),
        "reverse_kl": np.array([row.reverse_kl for row in rows]),
        "seconds": np.array([row.seconds for row in rows]),
    }


def estimate(values: ArrayLike) -> str:
    """The mean, and half the width of its 95 % confidence interval if there are several values.

    Examples
    --------
    >>> estimate([80.0, 84.0, 85.0]), estimate([8.0, 8.0]), estimate([1.5])
    ('83 ± 6.6', '8 ± 0', '1.5')
    """
    values = np.asarray(values, float)
    mean = f"{values.mean():.3g}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {values.mean() - viz.confidence_interval(values)[0]:.2g}"


def table(metrics: FinalMetrics) -> list[dict[str, str]]:
    """A row for each of the settings: means over seeds, with 95 % confidence intervals."""
    return [
        {"": label, **{title: estimate(each[name]) for name, title in COLUMNS.items()}}
        for label, each in metrics.items()
    ]


def mean_claim(text: str, values: Array, least: float, unit: str = "") -> Claim:
    """Claim that the mean over seeds is at least so much.

    Examples
    --------
    >>> mean_claim("quality", np.array([80.0, 84.0, 85.0]), 80, " %")
    Claim(text='quality', seen='83 ± 6.6 %', holds=True)
    """
    return Claim(text, f"{estimate(values)}{unit}", bool(values.mean() >= least))


def found_claims(columns: Mapping[str, Array], least: float, goal: float) -> list[Claim]:
    """Claim that K = 5 finds so many modes, and so much high quality, on average."""
    return [
        mean_claim(f"K = 5 finds at least {least:g} modes on average", columns["modes"], least),
        mean_claim(
            f"and at least {goal:g} % high quality on average", columns["quality"], goal, " %"
        ),
    ]


def all_modes_claim(text: str, modes: Array, total: int) -> Claim:
    """Claim that every seed has all the modes at the end."""
    return Claim(text, f"at least {modes.min()}", bool((modes == total).all()))


def published(figures: Mapping[str, tuple[float, float]]) -> list[dict[str, str]]:
    """Rows to stand below: modes and % high quality from Srivastava et al. (2017), table 1."""
    empty = dict.fromkeys(COLUMNS.values(), "")
    return [
        {"": f"published: {name}", **empty, "modes": f"{modes:g}", "% high quality": f"{quality:g}"}
        for name, (modes, quality) in figures.items()
    ]


def pictured(runs: Runs) -> dict[str, Figure]:
    """Draw the first seed's samples over time, and the metrics of all seeds."""
    samples = pictures.samples_over_time(first_of(runs))
    return {"samples": samples, "intervals": intervals(final_metrics(runs))}


def intervals(metrics: FinalMetrics) -> Figure:
    """Draw the figures of the table, and every run as a dot."""
    panels = {name: title for name, title in COLUMNS.items() if name != "seconds"}
    groups = {name: {label: each[name] for label, each in metrics.items()} for name in panels}
    return viz.intervals(groups, panels)


def first_of(runs: Runs) -> dict[str, Run]:
    """The run of each of the settings with the first seed."""
    return {label: each[0] for label, each in runs.items()}


def _folder(label: str) -> str:
    """A label as the name of a folder.

    Examples
    --------
    >>> _folder("ring, z = 16, K = 5-seed0")
    'ring-z16-K5-seed0'
    """
    return re.sub(r"\W+", "-", label.replace(" = ", ""))
