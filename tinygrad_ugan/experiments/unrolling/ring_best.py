"""The ring as fast as it can be learnt: settings of our own choosing."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Experiment, Outcome
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison

PAGE = """
The data and the discriminator of `ring`, for all eight modes and 95 % high quality in the least
time.

The samples that are missing to 100 % are not blurred, they lie on the bridges between the modes:
a continuous generator cannot jump. So what helps is what makes it steep. Tried one at a time on
one seed, from `ring-miniature` (83 %), in 3,000 steps each: noise of 4 dimensions 89 %, of 2 87
%; two hidden layers of 256 in the generator and noise of 4 92 %; batches of 512 and noise of 2
92 %. All of these together, with both learning rates at 5e-3 and 4,000 steps, are the preset.

What did not help: gain 1.4 (60 %), or 0.5 with noise of 2 (74 %); a discriminator that sees its
input unscaled (78 %); a discriminator of two hidden layers (1 mode), or one of width 256 with
steps of size 0.2 and noise of 2 (85 %); the non-saturating loss with K = 5 and noise of 4 (88
%).
"""


def run(session: Session) -> Outcome:
    """Train with the settings found."""
    config, goal = PRESETS["ring-best"], 95
    if session.quick:
        config, goal = config.updated({"steps": 1_000, "batch": 128, "pictures": 4}), 50
    runs = comparison.train_all(session, {f"K = {config.unroll.steps}": config})
    found = comparison.final_metrics(runs)
    [best] = found.values()
    claims = [
        comparison.all_modes_claim("all 8 modes on every seed", best["modes"], 8),
        comparison.mean_claim(
            f"at least {goal} % high quality on average", best["quality"], goal, " %"
        ),
    ]
    return Outcome(claims, comparison.table(found), comparison.pictured(runs), config.to_dict())


EXPERIMENT = Experiment(
    name="ring-best",
    summary="the ring's eight modes and 95 % high quality in the least time",
    source="Metz et al. (2016), section 3.1",
    page=PAGE,
    run=run,
    seeds=10,
)
