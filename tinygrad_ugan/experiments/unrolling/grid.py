"""Twenty-five Gaussians on a grid, beside the table of Srivastava et al. (2017), VEEGAN."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Grid

CONFIG = PRESETS["ring-miniature"].updated(
    {
        "data": Grid().to_dict(),
        "networks": {"noise": 2, "generator": (256, 256)},
        "unroll": {"steps": 5},
        "batch": 256,
        "steps": 10_000,
    }
)
PUBLISHED = {
    "GAN": (3.3, 0.5),
    "ALI": (15.8, 1.6),
    "unrolled GAN, K = 5": (23.6, 16.0),
    "VEEGAN": (24.6, 40.0),
}

PAGE = """
Twenty-five Gaussians of standard deviation 0.05 at the points of {-4, -2, 0, 2, 4}^2. Srivastava
et al. (2017), section 4.1, count what four methods find of them: 2,500 samples, of high quality
within 3 standard deviations of the nearest mode; five runs each. Their networks and training are
not those of this page, which takes the discriminator of the ring, a generator of two hidden
layers of 256 with noise of 2 dimensions, batches of 256, and 10,000 steps of Adam at 2e-3,
decaying to 0: a figure beside theirs, not a repetition. Pilot runs on other seeds chose the number
of steps: after 4,000, K = 5 found 21 to 25 modes and 19 to 37 % was of high quality.
"""


def run(session: Session) -> Outcome:
    """Train with K = 0 and K = 5."""
    config, (least, goal) = CONFIG, PUBLISHED["unrolled GAN, K = 5"]
    if session.quick:
        config, (least, goal) = CONFIG.updated({"steps": 1_000, "pictures": 4}), (12, 1.0)
    runs = comparison.train_all(session, comparison.unrolled(config, (0, 5)))
    found = comparison.final_metrics(runs)
    unrolled, ordinary = found["K = 5"], found["K = 0"]
    claims = [
        *comparison.found_claims(unrolled, least, goal),
        Claim(
            "and more modes than K = 0 on average",
            f"{unrolled['modes'].mean():.3g} against {ordinary['modes'].mean():.3g}",
            bool(unrolled["modes"].mean() > ordinary["modes"].mean()),
        ),
    ]
    rows = comparison.table(found) + comparison.published(PUBLISHED)
    return Outcome(claims, rows, comparison.pictured(runs), config.to_dict())


EXPERIMENT = Experiment(
    name="grid",
    summary="25 Gaussians on a grid, beside VEEGAN's table",
    source="Metz et al. (2016); Srivastava et al. (2017), section 4.1",
    page=PAGE,
    run=run,
    seeds=5,
)
