"""How often `advise` is right: ``python -m tests.unroll.measure_advice``.

Small GANs on the ring, with smooth and with kinked discriminators, at their start and after some
steps of the discriminator; eta over three and a half decades; up to 20 steps. Steps overshoot if
`inner` sinks below its start at one of them, or leaves the finite numbers.
"""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import tinygrad_ugan as ug

LOSSES = ("minimax", "least_squares", "hinge", "wasserstein")
STEP_SIZES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
STEPS = (2, 5, 10, 20)


class Rates(NamedTuple):
    """Right forecasts of all; of those that overshot; and overshooting among those foretold."""

    settings: int
    hit: float
    recall: float
    precision: float
    overshot: float


def rates(loss: str, seeds: int) -> Rates:
    """Compare forecasts with what the steps do."""
    pairs = np.array([pair for seed in range(seeds) for pair in outcomes(loss, seed)])
    foretold, overshot = pairs.T
    return Rates(
        len(pairs),
        float(np.mean(foretold == overshot)),
        float(np.mean(foretold[overshot])),
        float(np.mean(overshot[foretold])),
        float(np.mean(overshot)),
    )


def outcomes(loss: str, seed: int) -> Iterator[tuple[bool, bool]]:
    """Whether steps are foretold to overshoot, and whether they do."""
    for place in places(loss, np.random.default_rng(seed)):
        advice = ug.unroll.advise(*place)
        for lr in STEP_SIZES:
            for steps in STEPS:
                verdict = advice.forecast(steps=steps, lr=lr).verdict
                yield verdict == "overshooting", sinks(place, steps, lr)


def places(loss: str, rng: np.random.Generator) -> Iterator[tuple]:
    """Games with their parameters and a batch."""
    for activation, width in (("tanh", 16), ("relu", 32)):
        for moved in (0, 40):
            networks = ug.nn.MLP((4, 16, 2), activation), ug.nn.MLP((2, width, 1), activation)
            game = ug.gan.Game(*networks, loss)
            theta_g, theta_d = (network.init(rng, np.float64) for network in networks)
            real = ug.data.ring(128, rng=rng).astype(float)
            batch = ug.gan.Batch(real, rng.standard_normal((128, 4)))
            if moved:
                how = {"steps": moved, "lr": 0.1}
                theta_d = ug.unroll.trajectory(game, theta_g, theta_d, batch, **how).thetas[-1]
            yield game, theta_g, theta_d, batch


def sinks(place: tuple, steps: int, lr: float) -> bool:
    """Whether `inner` falls below its start, or is no number."""
    try:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            values = ug.unroll.trajectory(*place, steps=steps, lr=lr).inner_values
    except ug.errors.NonFiniteError:
        return True
    return not np.min(values) >= values[0] - 1e-9


if __name__ == "__main__":
    for loss in LOSSES:
        print(loss, *(f"{name} {value:.3g}" for name, value in rates(loss, 12)._asdict().items()))
