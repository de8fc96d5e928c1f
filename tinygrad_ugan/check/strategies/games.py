"""Networks, batches, games, and whole problems for `unroll.value_and_grad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from tinygrad_ugan import gan, nn
from tinygrad_ugan.check.strategies.arrays import generators
from tinygrad_ugan.optim import Optimizer

SMOOTH_LOSSES = ("minimax", "nonsaturating", "max_likelihood", "wasserstein", "least_squares")
"""The losses that are smooth everywhere, so that differences can judge their gradients."""

SMOOTH_ACTIVATIONS = ("tanh", "softplus", "sigmoid")
"""The activations that are smooth everywhere."""


@st.composite
def mlps(
    draw: st.DrawFn,
    n_in: int | None = None,
    n_out: int | None = None,
    *,
    max_width: int = 8,
    max_layers: int = 3,
    activations: Sequence[str] = SMOOTH_ACTIVATIONS,
) -> nn.MLP:
    """Multilayer perceptrons.

    Parameters
    ----------
    n_in, n_out : int, optional
        The first and the last width; drawn like the others if not given.
    max_width, max_layers : int
        Bounds; there may be a single, linear layer.
    activations : sequence of str
        To choose from; by default those that are smooth everywhere.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(mlps(n_out=1), lambda mlp: len(mlp.sizes) == 3).sizes
    (1, 1, 1)
    """
    width = st.integers(1, max_width)
    hidden = draw(st.lists(width, max_size=max_layers - 1))
    sizes = (n_in or draw(width), *hidden, n_out or draw(width))
    scale = draw(st.sampled_from([1.0, 0.25]))
    return nn.MLP(sizes, draw(st.sampled_from(activations)), input_scale=scale)


def parameters(mlp: nn.MLP) -> st.SearchStrategy[nn.mlp.Params]:
    """Parameters of a network, in float64: as it draws them, but with biases that are not zero."""
    return generators().map(lambda rng: _parameters(mlp, rng))


def _parameters(mlp: nn.MLP, rng: np.random.Generator) -> nn.mlp.Params:
    layers = mlp.init(rng, np.float64)
    return [{"w": x["w"], "b": 0.3 * rng.standard_normal(x["b"].shape)} for x in layers]


def batches(
    data: int, noise: int, *, real_rows: int = 4, noise_rows: int = 4
) -> st.SearchStrategy[gan.Batch]:
    """Batches of standard normal numbers: ``data`` and ``noise`` are the widths of their rows."""

    def batch(rng: np.random.Generator) -> gan.Batch:
        real = rng.standard_normal((real_rows, data))
        return gan.Batch(real, rng.standard_normal((noise_rows, noise)))

    return generators().map(batch)


@st.composite
def games(
    draw: st.DrawFn, /, *, losses: Sequence[str] = SMOOTH_LOSSES, **networks: Any
) -> gan.Game:
    """Games between two networks.

    Parameters
    ----------
    losses : sequence of str
        To choose from; by default those that are smooth everywhere.
    **networks
        Options of `mlps`, for both.
    """
    generator = draw(mlps(**networks))
    discriminator = draw(mlps(n_in=generator.sizes[-1], n_out=1, **networks))
    return gan.Game(generator, discriminator, loss=draw(st.sampled_from(losses)))


class UnrolledGame(NamedTuple):
    """The arguments of `unroll.value_and_grad`.

    Call ``value_and_grad(*problem[:4], **problem.options)``.
    """

    game: gan.Game
    theta_g: Any
    theta_d: Any
    batch: Any
    options: dict[str, Any]

    @property
    def steps(self) -> int:
        """K."""
        return int(self.options["steps"])


@st.composite
def problems(
    draw: st.DrawFn,
    /,
    *,
    max_steps: int = 5,
    max_rows: int = 6,
    lr: float = 0.2,
    optimizers: Sequence[Optimizer] = (),
    **game: Any,
) -> UnrolledGame:
    """Unrolled games in float64: one batch or fresh ones, one step size or a schedule.

    Parameters
    ----------
    max_steps, max_rows : int
        Bounds of K, and of the rows of real data and of noise.
    lr : float
        The step size; a schedule varies it by a half.
    optimizers : sequence of optim.SGD, optim.Momentum or optim.Adam
        Any of these may take the inner steps instead.
    **game
        Options of `games`.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=3, deadline=None)
    ... @given(ug.check.strategies.problems(max_steps=2))
    ... def the_first_order_is_not_enough(problem):
    ...     *arguments, options = problem
    ...     exact = ug.unroll.value_and_grad(*arguments, **options)
    ...     detached = ug.unroll.value_and_grad(*arguments, **options, method="detached")
    ...     assert abs(exact[0] - detached[0]) < 1e-12  # the value agrees: the gradient does not
    >>> the_first_order_is_not_enough()
    """
    drawn: Any = draw(games(**game))
    generator, discriminator = drawn.generator, drawn.discriminator
    rows = st.integers(1, max_rows)
    widths = discriminator.sizes[0], generator.sizes[0]
    one = batches(*widths, real_rows=draw(rows), noise_rows=draw(rows))
    steps = draw(st.integers(0, max_steps))
    fresh = st.lists(one, min_size=steps + 1, max_size=steps + 1)
    rates = generators().map(lambda rng: lr * rng.uniform(0.5, 1.5, steps))
    dynamics = [st.just({"lr": lr}), st.builds(lambda lr: {"lr": lr}, rates)]
    dynamics += [st.just({"optimizer": optimizer}) for optimizer in optimizers]
    return UnrolledGame(
        drawn,
        draw(parameters(generator)),
        draw(parameters(discriminator)),
        draw(one | fresh),
        {"steps": steps} | draw(st.one_of(dynamics)),
    )
