"""Ten Gaussians in 1200 dimensions, beside the table of Srivastava et al. (2017), VEEGAN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config, Embedded, Networks, Optimizer, Run, Unroll, mode_coverage
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG = Config(
    data=Embedded(),
    networks=Networks(noise=16),
    unroll=Unroll(steps=5, lr=0.1),
    generator_optimizer=Optimizer(lr=2e-3),
    discriminator_optimizer=Optimizer(lr=2e-3),
    decay=True,
    batch=128,
    steps=2_000,
    pictures=1,
)
PUBLISHED = {
    "GAN": (1.6, 2.0),
    "ALI": (3.0, 5.4),
    "unrolled GAN, K = 5": (0.0, 0.0),
    "VEEGAN": (5.5, 28.29),
}

PAGE = """
A mixture of ten isotropic 700-dimensional Gaussians embedded in 1200 dimensions, after
Srivastava et al. (2017), section 4.1, who do not say where the centres lie nor how wide the
Gaussians are. Here the subspace is random, the centres lie 2 from the origin in random
directions, and the standard deviation is 0.02, as on the ring.

**High quality.** In 700 dimensions a true sample lies sqrt(700) = 26 standard deviations from
its centre. The plane's measure, 3 of them, holds nothing here, not even data; nor do 10, which
is, from memory, the published measure for this set. In the plane 3 standard deviations hold 1 -
exp(-9/2) = 98.9 % of the true samples; so here a sample is of high quality within the radius
that holds 98.9 % of the true ones, 28.1 standard deviations, measured in all 1200 dimensions. It
does not say whether the samples fill the 700 dimensions around a centre; the last panel does,
where those of the generator lie nearer to a centre than data do.

Two thousand steps are few, and more are not better: after 6,000 the samples of K = 5 lie further
from the centres, 1.4 ± 2.7 modes and 6 ± 11 % of high quality on seeds 0 to 4.

The published figures stand below for what they are: of other networks, on another data set of
that name, by another measure.
"""


def run(session: Session) -> Outcome:
    """Train with K = 0 and K = 5."""
    data, config = Embedded(), CONFIG
    if session.quick:
        data = Embedded(dimension=120, rank=70)
        config = CONFIG.updated({"data": data.to_dict(), "steps": 300})
    runs = comparison.train_all(session, comparison.unrolled(config, (0, 5)))
    samples = {label: [_samples(run) for run in each] for label, each in runs.items()}
    found = comparison.final_metrics(runs)
    centers, reach = data.centers(), radius(data)
    for label, columns in found.items():
        coverages = [mode_coverage(x, centers, reach / 3) for x in samples[label]]
        columns["modes"] = np.array([each.modes for each in coverages])
        columns["quality"] = np.array([100 * each.high_quality for each in coverages])
    claims = _claims(found, session.quick)
    pictured = {
        "samples": _figure(data, {label: each[0] for label, each in samples.items()}),
        "intervals": comparison.intervals(found),
    }
    rows = comparison.table(found) + comparison.published(PUBLISHED)
    return Outcome(claims, rows, pictured, config.to_dict())


def _claims(found: comparison.FinalMetrics, quick: bool) -> list[Claim]:
    unrolled, ordinary = found["K = 5"], found["K = 0"]
    evenness = Claim(
        "K = 5 is spread over the modes more evenly than K = 0 on every seed: its reverse KL",
        f"{comparison.estimate(unrolled['reverse_kl'])} against "
        f"{comparison.estimate(ordinary['reverse_kl'])}",
        bool((unrolled["reverse_kl"] < ordinary["reverse_kl"]).all()),
    )
    if quick:
        return [evenness]
    least, goal = PUBLISHED["VEEGAN"]
    return [
        evenness,
        *comparison.found_claims(unrolled, least, goal),
    ]


def radius(data: Embedded) -> float:
    """The distance from a centre within which 1 - exp(-9/2) of its samples lie.

    In the plane it is 3 standard deviations.

    Examples
    --------
    >>> round(radius(Embedded(std=1.0)), 1)
    28.1
    """
    from scipy.stats import chi

    return float(data.std * chi.ppf(1 - np.exp(-9 / 2), data.rank))


def _samples(run: Run) -> Array:
    """2,500 samples of a trained generator."""
    return run.sample(2_500, np.random.default_rng(run.config.seed))


def _figure(data: Embedded, samples: dict[str, Array]) -> Figure:
    """The data and the samples in the plane that shows most of the centres, and their distances."""
    from matplotlib.figure import Figure
    from scipy.spatial.distance import cdist

    every = {"data": data.sample(2_500, np.random.default_rng(0)), **samples}
    centers = data.centers()
    middle = centers.mean(axis=0)
    plane = np.linalg.svd(centers - middle, full_matrices=False)[2][:2]
    figure = Figure(figsize=(3.4 * (len(every) + 1), 3.4), layout="constrained")
    axes = figure.subplots(1, len(every) + 1)
    for axis, (label, x) in zip(axes, every.items(), strict=False):
        axis.plot(*plane @ (x - middle).T, ".", markersize=1.5, alpha=0.5)
        axis.plot(*plane @ (centers - middle).T, "x", color="tab:red")
        axis.set(title=f"{label}, in a plane", aspect="equal", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5))
        nearest = cdist(x, centers).min(axis=1) / data.std
        axes[-1].hist(np.log10(nearest), bins=60, range=(0.5, 3), histtype="step", label=label)
    axes[-1].axvline(
        np.log10(radius(data) / data.std), color="black", linewidth=0.8, linestyle="--"
    )
    axes[-1].set(title="log10 of the distance to a centre, in std")
    axes[-1].legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    name="1200d",
    summary="ten Gaussians in 1200 dimensions, beside VEEGAN's table",
    source="Metz et al. (2016); Srivastava et al. (2017), section 4.1",
    page=PAGE,
    run=run,
    seeds=5,
)
