"""The GAN of two networks and a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.compile.recorder import as_it_is
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice, kind_of
from tinygrad_ugan.gan.games.base import GeneratorGame
from tinygrad_ugan.gan.games.network_calls import call, is_random, part, side_of
from tinygrad_ugan.gan.games.objectives import LOSSES, TERMS, Loss
from tinygrad_ugan.stated import stated, states
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.game import LogitForm

Network = Callable[[PyTree, Any], Any]


class Batch(NamedTuple):
    """The batch of one step.

    Attributes
    ----------
    real : array, shape (B, d)
        Samples of the data.
    noise : array, shape (B, z)
        Input of the generator.
    """

    real: Any
    noise: Any


class FullBatch(NamedTuple):
    """The batch of one step, with all that a game may take besides real samples and noise.

    Attributes
    ----------
    real, noise
        As of `Batch`.
    labels : array of int, shape (B,), optional
        Classes of the real samples, from 0; the generated ones are to be of the same classes.
    drawn : mapping of str, optional
        The random numbers that the game takes, as its ``draw(rng, batch)`` returns them; an empty
        one if it is to be evaluated without, such as without dropout.
    """

    real: Any
    noise: Any
    labels: Any = None
    drawn: Any = None


AnyBatch = Batch | FullBatch


def batch_of(real: Any, noise: Any, labels: Any = None) -> AnyBatch:
    """Return a batch, with labels if there are any."""
    return Batch(real, noise) if labels is None else FullBatch(real, noise, labels)


def with_draws(game: Any, batch: AnyBatch, rng: np.random.Generator | None = None) -> AnyBatch:
    """Return a batch with the random numbers that a game takes; the batch itself if it takes none.

    Parameters
    ----------
    game : Any
        A game; one that takes random numbers has ``draw(rng, batch)``.
    batch : Batch or FullBatch
    rng : numpy.random.Generator, optional
        Source of randomness. Without it the game is to do without, as for evaluation.
    """
    if not is_random(game):
        return batch
    drawn = {} if rng is None else game.draw(rng, batch)
    return FullBatch(batch.real, batch.noise, getattr(batch, "labels", None), drawn)


@dataclass(frozen=True)
class Game(GeneratorGame):
    """The game between a generator and a discriminator.

    The discriminator ascends `inner`, the generator descends `outer`; see
    `tinygrad_ugan.gan.games.objectives` for the losses. A subclass may override any method:
    `unroll` always computes what the methods say, on the kernels where none is overridden.

    Parameters
    ----------
    generator, discriminator : callable
        ``network(params, x)``: such as `tinygrad_ugan.nn.MLP`, or any function written in NumPy.
        The discriminator returns logits. Layers such as `nn.Dropout` take their random numbers
        from ``batch.drawn``.
    loss : str or Loss
        One of "minimax", "nonsaturating", "max_likelihood", "wasserstein", "least_squares",
        "hinge"; or a pair of functions of the logits, as from `label_smoothing`.
    classes : int
        Number of classes of a conditional game: Mirza and Osindero (2014), arXiv 1411.1784. Both
        networks then take ``batch.labels``, one-hot, beside their input. With 0 they do not.

    Raises
    ------
    ArgumentError
        If there is no such loss, or the generator's outputs are not as many as the discriminator's
        inputs; when called, if a network takes random numbers that the batch does not have.

    Examples
    --------
    >>> from tinygrad_ugan.nn import MLP
    >>> game = Game(MLP(sizes=(4, 8, 2)), MLP(sizes=(2, 8, 1)))
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = Batch(real=np.ones((6, 2), np.float32), noise=np.ones((6, 4), np.float32))
    >>> value = game.inner(theta_g, theta_d, batch)
    >>> value.dtype, value.shape
    (dtype('float32'), ())
    """

    generator: Network
    discriminator: Network
    loss: str | Loss = "minimax"
    classes: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.loss, Loss):
            check_choice("loss", self.loss, LOSSES)
        generator, discriminator = (
            stated(network, "layer_form") for network in (self.generator, self.discriminator)
        )
        if not (generator and discriminator):
            return
        outputs, inputs = generator.sizes[-1], discriminator.sizes[0]
        if outputs + self.classes != inputs:
            classes = f", and the {self.classes} classes" if self.classes else ""
            raise ArgumentError(
                "discriminator",
                f"one of {inputs} inputs",
                f"one of {outputs + self.classes} inputs, "
                f"as many as the generator has outputs{classes}",
            )

    @property
    def objectives(self) -> Loss:
        """The objectives of both players as functions of the logits."""
        return self.loss if isinstance(self.loss, Loss) else LOSSES[self.loss]

    @property
    def is_random(self) -> bool:
        """Whether a network takes random numbers, which `draw` draws."""
        return is_random(self.generator) or is_random(self.discriminator)

    def draw(self, rng: np.random.Generator, batch: AnyBatch) -> dict[str, Any]:
        """Draw the random numbers that the networks take, for ``batch.drawn``.

        Returns
        -------
        dict
            Side inputs (see `nn.Sequential`): of the generator, and of the discriminator for the
            "real" and the "generated" rows.
        """
        rows = {"generator": batch.noise, "real": batch.real, "generated": batch.noise}
        networks: Any = self.generator, self.discriminator, self.discriminator
        return {
            name: network.draw(rng, len(x), x.dtype)
            for (name, x), network in zip(rows.items(), networks, strict=True)
            if is_random(network)
        }

    def generate(self, theta_g: PyTree, batch: AnyBatch) -> Any:
        """Return the generated samples, shape (B, d)."""
        side = side_of("generator", self.generator, batch, "generator")
        noise = self.with_labels(part(batch, "noise"), batch)
        return call("generator", self.generator, theta_g, noise, "batch.noise", side)

    def logits(self, theta_d: PyTree, x: Any, batch: AnyBatch, name: str = "generated") -> Any:
        """Return the discriminator's logits of rows x, which belong to the rows of a batch.

        Parameters
        ----------
        theta_d : pytree
        x : array, shape (B, d)
        batch : Batch
            Its labels go with the rows.
        name : str
            Whether they are seen with the random numbers of the "real" or the "generated" rows.
        """
        side = side_of("discriminator", self.discriminator, batch, name)
        place = "batch.real" if name == "real" else "samples"
        x = self.with_labels(x, batch)
        return call("discriminator", self.discriminator, theta_d, x, place, side)

    def with_labels(self, x: Any, batch: AnyBatch) -> Any:
        """Return the input of a network: x, and in a conditional game the labels beside it.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If the game is conditional, and the batch has no labels of its classes.
        """
        if not self.classes:
            return x
        labels = part(batch, "labels", "gan.FullBatch")
        return np.concatenate([x, one_hot(labels, self.classes, len(x), x.dtype)], axis=1)

    def inner_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `inner` as a function of the generated samples."""
        return self.objectives.inner(*self._logits(samples, theta_d, batch))

    def outer_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `outer` as a function of the generated samples."""
        return self.objectives.outer(*self._logits(samples, theta_d, batch))

    def _logits(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> tuple[Any, Any]:
        real = self.logits(theta_d, part(batch, "real"), batch, "real")
        return real, self.logits(theta_d, samples, batch, "generated")

    @states()
    def constants(self) -> Loss:
        """The functions behind the name of the loss."""
        return self.objectives

    @states("inner", "outer", "generate", "inner_on", "outer_on", "_logits", "logits",
            "with_labels", "objectives")  # fmt: skip
    def logit_form(self) -> LogitForm | str:
        """The objectives in the form of the kernels, or why there is none: `unroll.LogitForm`."""
        if self.classes:
            return "the networks see labels beside their input"
        loss = self.objectives
        inner, outer = TERMS.get(loss.inner), TERMS.get(loss.outer)
        if inner is None or outer is None:
            return "the loss is not one of those in ug.gan.LOSSES"
        return LogitForm(self.generator, self.discriminator, inner, outer)


@as_it_is
def one_hot(labels: Any, classes: int, rows: int, dtype: DTypeLike) -> Array:
    """Return the labels of a batch as rows of zeros with a one at the class.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If they are not one whole number for each row, from 0 to `classes` - 1.

    Examples
    --------
    >>> one_hot(np.array([2, 0]), 3, 2, np.float32)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    expected = f"whole numbers from 0 to {classes - 1}, one for each of {rows} rows"
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        given = "none" if labels is None else f"a {kind_of(labels)}"
        given += f" of {labels.dtype}" if isinstance(labels, np.ndarray) else ""
        hint = "data whose `sample` returns (samples, labels) have some"
        raise ArgumentTypeError("batch.labels", given, expected, hint)
    if labels.shape != (rows,):
        raise ArgumentError("batch.labels", f"shape {labels.shape}", expected)
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ArgumentError("batch.labels", f"{labels.min()} to {labels.max()}", expected)
    return np.eye(classes, dtype=dtype)[labels]
