"""Random games, drawn by hypothesis."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from tinygrad_ugan import gan, nn
from tinygrad_ugan.optim import SGD, Adam, Momentum

# The objectives that are smooth everywhere, so that differences can judge them.
SMOOTH_LOSSES = ("minimax", "nonsaturating", "max_likelihood", "wasserstein", "least_squares")


class Problem(NamedTuple):
    """Everything that `unroll.value_and_grad` takes."""

    game: gan.Game
    theta_g: Any
    theta_d: Any
    batch: Any
    options: dict[str, Any]

    @property
    def steps(self):
        return self.options["steps"]


@st.composite
def mlp_problems(draw, max_steps=5, optimizers=False):
    """MLP games in float64: depth 1-3, widths 1-8, batch 1-6, K 0-5, one or fresh batches,

    with one step size, a schedule, or (`optimizers`) an optimiser.
    """
    width = st.integers(1, 8)
    noise, data, batch = draw(width), draw(width), draw(st.integers(1, 6))
    networks = [
        nn.MLP(
            (n_in, *draw(st.lists(width, min_size=0, max_size=2)), n_out),
            draw(st.sampled_from(["tanh", "softplus"])),
            input_scale=draw(st.sampled_from([1.0, 0.25])),
        )
        for n_in, n_out in ((noise, data), (data, 1))
    ]
    game = gan.Game(*networks, loss=draw(st.sampled_from(SMOOTH_LOSSES)))
    steps = draw(st.integers(0, max_steps))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batches = [
        gan.Batch(rng.standard_normal((batch, data)), rng.standard_normal((batch, noise)))
        for _ in range(steps + 1)
    ]
    dynamics = [{"lr": 0.2}, {"lr": rng.uniform(0.05, 0.3, steps)}]
    if optimizers:
        # A gradient that should vanish is noise of 1e-17; Adam multiplies it by lr / eps.
        adam = Adam(0.05, 0.5, 0.9, eps=1e-2)
        dynamics += [{"optimizer": o} for o in (SGD(0.1), Momentum(0.1, 0.5), adam)]
    return Problem(
        game,
        *(with_biases(network.init(rng, np.float64), rng) for network in networks),
        batches if draw(st.booleans()) else batches[0],
        {"steps": steps} | draw(st.sampled_from(dynamics)),
    )


def with_biases(params, rng):
    return [{"w": p["w"], "b": 0.3 * rng.standard_normal(p["b"].shape)} for p in params]
