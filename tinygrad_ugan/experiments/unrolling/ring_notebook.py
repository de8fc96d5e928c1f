"""The ring in the settings of the author's own notebook, with Adam unrolled."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config, Networks, Optimizer, Ring, Unroll, Update

CONFIG = Config(
    data=Ring(radius=1.0, std=0.01),
    networks=Networks(discriminator=(128, 128), activation="tanh", gain=1.4, input_scale=1.0),
    unroll=Unroll(steps=5, lr=1e-4, optimizer="adam", state="carried"),
    update=Update(scheme="simultaneous"),
    generator_optimizer=Optimizer(lr=1e-3),
)
QUICK = CONFIG.updated({"steps": 1_000, "batch": 128, "networks": {"noise": 32}, "pictures": 4})

PAGE = """
The notebook that Metz et al. published beside the paper (poolio/unrolled_gan) departs from its
appendix: radius 1 and standard deviation 0.01, tanh, two hidden layers of 128 in the
discriminator too, gain 1.4, the generator's Adam at 1e-3 and the discriminator's at 1e-4, both
moving at once, and K = 5 steps of the discriminator's own Adam unrolled, from the moments that it
has by then.

Its data has `linspace(0, 2 pi, 8)` for the angles: the first and the last mode are one place, so
there are seven, one of them twice as frequent. Here they are eight.

Three standard deviations are 0.03 here, on a circle of radius 1: the measure is strict. A sample
within 0.1 of a mode belongs to it for the eye.
"""

REMARKS = """
With these settings K = 0 does not collapse either. Both sit on six places for a long time and
find the rest late; three seeds show no difference between them.
"""


def run(session: Session) -> Outcome:
    """Train with K = 0 and K = 5."""
    config, least = (QUICK, 2) if session.quick else (CONFIG, 6)
    runs = comparison.train_all(session, comparison.unrolled(config, (0, 5)))
    found = comparison.final_metrics(runs)
    unrolled = found["K = 5"]
    claims = [
        comparison.mean_claim(
            f"K = 5 has at least {least} modes on average", unrolled["modes"], least
        ),
        Claim(
            "K = 5 spreads over them all: a reverse KL below 0.1 on every seed",
            f"at most {unrolled['reverse_kl'].max():.3f}",
            bool((unrolled["reverse_kl"] < 0.1).all()),
        ),
    ]
    rows, pictured = comparison.table(found), comparison.pictured(runs)
    return Outcome(claims, rows, pictured, config.to_dict(), "" if session.quick else REMARKS)


EXPERIMENT = Experiment(
    name="ring-notebook",
    summary="the author's notebook, with eight true modes: Adam itself is unrolled",
    source="Metz et al. (2016); notebook: poolio/unrolled_gan",
    page=PAGE,
    run=run,
    seeds=3,
)
