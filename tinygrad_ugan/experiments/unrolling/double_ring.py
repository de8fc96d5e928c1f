"""Mixtures of seeds/004: eight modes on a ring, ten on two; much noise and little; K = 0 and 5."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config, DoubleRing, Networks, Optimizer, Ring, Unroll, pictures

CONFIG = Config(
    networks=Networks(input_scale=0.5),
    unroll=Unroll(steps=5, lr=1e-3, optimizer="adam"),
    generator_optimizer=Optimizer(lr=1e-3),
    discriminator_optimizer=Optimizer(lr=1e-3),
    loss="nonsaturating",
    clip=10.0,
    batch=100,
    steps=5_000,
)
SYSTEMS = {
    f"{name}, z = {noise}": CONFIG.updated({"data": data.to_dict(), "networks": {"noise": noise}})
    for name, data in {"ring": Ring(std=0.04), "double ring": DoubleRing()}.items()
    for noise in (256, 16)
}

PAGE = """
Data: eight Gaussians on a circle of radius 2, and ten by turns on circles of radius 2 and 1, all
of standard deviation 0.04 (the code to the post calls it 0.2, and passes its square). Networks,
batches of 100, Adam at 1e-3, clipping at 10 and the non-saturating loss are those of that code;
its initial weights are He's, here they are orthogonal. There the K steps are real ones of Adam
that are undone after the generator has moved; here the generator looks K steps of Adam ahead, on
one batch, with the exact gradient.

The post saw K = 0 collapse and K = 5 hold from early on; with noise of 16 dimensions instead of
256, K = 0 arrived in the end too; within the 5,000 steps taken here it does not. Each picture is
one of its four: above K = 0, below K = 5, each as samples and as density; the last column is the
data.
"""


def run(session: Session) -> Outcome:
    """Train on every system, with both K."""
    systems = SYSTEMS
    if session.quick:
        last = list(SYSTEMS)[-1]
        systems = {last: SYSTEMS[last].updated({"steps": 1_500, "pictures": 4})}
    runs = {
        name: comparison.train_all(
            session,
            comparison.unrolled(config, (0, 5)),
            prefix=f"{name}, ",
        )
        for name, config in systems.items()
    }
    found = {name: comparison.final_metrics(each) for name, each in runs.items()}
    every = {
        f"{name}, {label}": columns
        for name, each in found.items()
        for label, columns in each.items()
    }
    pictured = {
        name.replace(", z = ", "-").replace(" ", "-"): pictures.samples_over_time(
            comparison.first_of(each), scatter=True
        )
        for name, each in runs.items()
    }
    claims = [
        claim
        for name, each in found.items()
        for claim in _claims(name, each, len(systems[name].build_data().centers()))
    ]
    return Outcome(claims, comparison.table(every), pictured, CONFIG.to_dict())


def _claims(name: str, found: comparison.FinalMetrics, total: int) -> list[Claim]:
    unrolled, ordinary = found["K = 5"], found["K = 0"]
    qualities = [comparison.estimate(each["quality"]) for each in (unrolled, ordinary)]
    return [
        comparison.all_modes_claim(
            f"{name}: K = 5 has all {total} modes on every seed", unrolled["modes"], total
        ),
        Claim(
            f"{name}: K = 5 has more samples of high quality than K = 0 on every seed",
            f"{qualities[0]} % against {qualities[1]} %",
            bool((unrolled["quality"] > ordinary["quality"]).all()),
        ),
    ]


EXPERIMENT = Experiment(
    name="double-ring",
    summary="eight and ten Gaussians, noise of 256 and 16 dimensions: K = 0 against K = 5",
    source="seeds 004, Mixture of Gaussians Dataset",
    page=PAGE,
    run=run,
    seeds=3,
)
