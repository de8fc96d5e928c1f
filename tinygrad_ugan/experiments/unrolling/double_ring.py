"""The mixtures of the Chainer post: eight modes on a ring, ten on two; its scheme, and ours."""

from __future__ import annotations

from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config, Ring, Update, pictures

STEPS = 5_000
THEIRS = Config.chainer().updated({"steps": STEPS})
EXACT = THEIRS.updated(
    {"update": Update().to_dict(), "unroll": {"fresh": False, "method": "auto", "state": "zero"}}
)
SCHEMES = {
    "K = 0": EXACT.updated({"unroll": {"steps": 0}}),
    "K = 5": EXACT,
    "K = 5, Chainer": THEIRS,
}
SYSTEMS = {
    f"{name}, z = {noise}": {"data": data.to_dict(), "networks": {"noise": noise}}
    for name, data in {"ring": Ring(std=0.04), "double ring": THEIRS.data}.items()
    for noise in (256, 16)
}

PAGE = """
Data: eight Gaussians on a circle of radius 2, and ten by turns on circles of radius 2 and 1, all
of standard deviation 0.04 (musyoku's code calls it 0.2, and passes its square). Networks,
batches of 100, Adam at 1e-3, clipping at 10 and the non-saturating loss are those of that code,
musyoku/unrolled-gan; its initial weights are He's, here they are orthogonal.

**Chainer** is the scheme of that code (`ugan train chainer`): K real steps of the discriminator's
Adam, each on a fresh batch; then the generator moves by its first-order gradient against theta_D^K,
through which nothing is differentiated; then the weights of the first step are put back, and the
state of Adam, which remembers all K, is not. **K = 5** is the exact gradient through K steps of
Adam on one batch.

musyoku saw K = 0 collapse and K = 5 hold from early on; with noise of 16 dimensions instead of
256, K = 0 arrived in the end too, after 100,000 steps; within the 5,000 steps taken here it does
not. Each picture is one of its four, each with samples and density: K = 0, K = 5 and musyoku's
scheme, from top to bottom; the last column is the data.
"""

REMARKS = """
The scheme that differentiates through nothing ends as sharp as the exact gradient or sharper, and
with noise of 256 dimensions on two rings twice as sharp. Two things differ between them besides the
second term: it looks ahead on fresh batches, and from the moments that Adam has by then, where
K = 5 starts Adam anew. Three seeds, the last snapshot: no claim is made of it. The seconds were
taken while the machine did other work.
"""


def run(session: Session) -> Outcome:
    """Train on every system, with either K and by either scheme."""
    systems, brief = SYSTEMS, {}
    if session.quick:
        last = list(SYSTEMS)[-1]
        systems, brief = {last: SYSTEMS[last]}, {"steps": 1_500, "pictures": 4}
    configs = {
        name: {label: config.updated(changes | brief) for label, config in SCHEMES.items()}
        for name, changes in systems.items()
    }
    runs = {
        name: comparison.train_all(session, each, prefix=f"{name}, ")
        for name, each in configs.items()
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
        for claim in _claims(name, each, len(configs[name]["K = 0"].build_data().centers()))
    ]
    settings = {label: config.to_dict() for label, config in SCHEMES.items()}
    remarks = "" if session.quick else REMARKS
    return Outcome(claims, comparison.table(every), pictured, settings, remarks)


def _claims(name: str, found: comparison.FinalMetrics, total: int) -> list[Claim]:
    ordinary = found["K = 0"]["quality"]
    return [
        claim
        for label, columns in found.items()
        if label != "K = 0"
        for claim in (
            comparison.all_modes_claim(
                f"{name}: {label} has all {total} modes on every seed", columns["modes"], total
            ),
            Claim(
                f"{name}: {label} has more samples of high quality than K = 0 on every seed",
                f"{comparison.estimate(columns['quality'])} % against "
                f"{comparison.estimate(ordinary)} %",
                bool((columns["quality"] > ordinary).all()),
            ),
        )
    ]


EXPERIMENT = Experiment(
    name="double-ring",
    summary="eight and ten Gaussians, noise of 256 and 16 dimensions: K = 0, K = 5, and Chainer's",
    source="musyoku, Unrolled Generative Adversarial Networks (2017); code: musyoku/unrolled-gan",
    page=PAGE,
    run=run,
    seeds=3,
)
