"""Random sweeps, and the same gradient by `unroll`."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from tinygrad_ugan import gan, nn, unroll
from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.schedule import schedule
from tinygrad_ugan.kernels.sweep import Sweep, Term
from tinygrad_ugan.kernels.sweep_program import SweepProgram

# Objectives of logits r and s as in `gan.games.objectives`: terms on real and generated samples.
_CROSS_ENTROPY = (Term("log_sigmoid", 1.0), Term("log_sigmoid_of_minus", 1.0))
_WASSERSTEIN = (Term("identity", 1.0), Term("identity", -1.0))
TERMS = {
    "minimax": (_CROSS_ENTROPY, _CROSS_ENTROPY),
    "nonsaturating": (_CROSS_ENTROPY, (None, Term("log_sigmoid", -1.0))),
    "max_likelihood": (_CROSS_ENTROPY, (None, Term("exp", -0.5))),
    "wasserstein": (_WASSERSTEIN, _WASSERSTEIN),
    "least_squares": (
        (Term("half_square_from_one", -1.0), Term("half_square", -1.0)),
        (None, Term("half_square_from_one", 1.0)),
    ),
    "hinge": (
        (Term("hinge_below_one", -1.0), Term("hinge_above_minus_one", -1.0)),
        (None, Term("identity", -1.0)),
    ),
}


class Setting(NamedTuple):
    """A game of two MLPs, and how it is unrolled."""

    game: gan.Game
    real: int
    fake: int
    steps: int
    truncate: int | None = None
    lr: float = 0.02
    seed: int = 0

    def inputs(self, dtype=np.float64):
        """Parameters of both players, and a batch: numbers that float32 has."""
        rng = np.random.default_rng(self.seed)
        theta_g, theta_d = (
            [
                {"w": _rounded(layer["w"], dtype), "b": _normal(rng, layer["b"].shape, 0.3, dtype)}
                for layer in network.init(rng, np.float64)
            ]
            for network in (self.game.generator, self.game.discriminator)
        )
        real = _normal(rng, (self.real, self.game.discriminator.sizes[0]), 1.0, dtype)
        noise = _normal(rng, (self.fake, self.game.generator.sizes[0]), 1.0, dtype)
        return theta_g, theta_d, gan.Batch(real, noise)

    def sweep(self):
        """What is to be built."""
        generator, discriminator = (
            Network(network.sizes, network.activation, network.input_scale)
            for network in (self.game.generator, self.game.discriminator)
        )
        constant_steps = 0 if self.truncate is None else self.steps - self.truncate
        return Sweep(
            generator,
            discriminator,
            self.real,
            self.fake,
            *TERMS[self.game.loss],
            self.steps,
            schedule(self.steps, constant_steps=constant_steps),
        )

    def run(self, target, dtype=np.float64):
        """Value and gradient by the kernels of a target."""
        return self.run_again(SweepProgram(self.sweep(), target, dtype))

    def run_again(self, program):
        """Value and gradient by a program that is there."""
        theta_g, theta_d, batch = self.inputs(program.dtype)
        etas = np.full((self.steps, 1), self.lr)
        batches = ([x] for x in batch)
        result = program.run(flat(theta_g), flat(theta_d), *batches, etas)
        return result.value, result.gradients[0]

    def expected(self):
        """The same by the adjoint recursion of `unroll`, in float64."""
        value, gradient = unroll.value_and_grad(
            self.game,
            *self.inputs(),
            steps=self.steps,
            lr=self.lr,
            truncate=self.truncate,
            method="adjoint",
        )
        return value, flat(gradient)


def flat(params: list[dict[str, Any]]):
    return [layer[name] for layer in params for name in ("w", "b")]


def distance(got, expected):
    """The largest difference of two gradients, as a share of the largest element."""
    scale = max(np.abs(x).max() for x in expected)
    return max(np.abs(x - y).max() for x, y in zip(got, expected, strict=True)) / (scale or 1.0)


def _normal(rng, shape, scale, dtype):
    return _rounded(scale * rng.standard_normal(shape), dtype)


def _rounded(x, dtype):
    return x.astype(np.float32).astype(dtype)


@st.composite
def settings(draw):
    """Depth 1-4, widths 1-40, batches 1-70, K 0-4, all activations and losses."""
    width, rows = st.integers(1, 40), st.integers(1, 70)
    noise, data = draw(width), draw(width)
    networks = [
        nn.MLP(
            (n_in, *draw(st.lists(width, max_size=3)), n_out),
            draw(st.sampled_from(sorted(nn.ACTIVATIONS))),
            input_scale=draw(st.sampled_from([1.0, 0.25])),
        )
        for n_in, n_out in ((noise, data), (data, 1))
    ]
    steps = draw(st.integers(0, 4))
    return Setting(
        gan.Game(*networks, loss=draw(st.sampled_from(sorted(TERMS)))),
        real=draw(rows),
        fake=draw(rows),
        steps=steps,
        truncate=draw(st.none() | st.integers(0, steps)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
