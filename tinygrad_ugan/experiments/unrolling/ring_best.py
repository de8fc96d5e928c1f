"""The ring as fast as it can be learnt: settings of our own choosing."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import pictures

PAGE = """
The data of `ring`, and the goal of 8 of 8 modes and 95 % high quality in the least time.

TODO
"""


def run(session: Session) -> Outcome:
    """Train with the settings found."""
    config, goal = PRESETS["ring-best"], 95
    if session.quick:
        config, goal = config.updated({"steps": 800, "batch": 128}), 50
    runs = comparison.train_all(session, {f"K = {config.unroll.steps}": config})
    found = comparison.figures(runs)
    [best] = found.values()
    claims = [
        Claim(
            "all 8 modes on every seed",
            f"at least {best['modes'].min()}",
            bool((best["modes"] == 8).all()),
        ),
        Claim(
            f"at least {goal} % high quality on average",
            f"{comparison.estimate(best['quality'])} %",
            bool(best["quality"].mean() >= goal),
        ),
    ]
    [every] = runs.values()
    over_time = {f"seed {run.config.seed}": run for run in every}
    pictured = {
        "samples": pictures.samples_over_time({"seed 0": every[0]}),
        "curves": pictures.curves(over_time, pictures.QUALITY),
    }
    return Outcome(claims, comparison.table(found), pictured, config.to_dict())


EXPERIMENT = Experiment(
    name="ring-best",
    summary="the ring's eight modes and 95 % high quality in the least time",
    source="seeds 000 and 004, Metz et al. (2016), section 3.1",
    page=PAGE,
    run=run,
    seeds=10,
)
