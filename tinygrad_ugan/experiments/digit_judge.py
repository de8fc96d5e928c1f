"""A classifier of digits, trained by this engine, that says what generated digits are like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_ugan import autodiff, nn, optim
from tinygrad_ugan.autodiff import log_softmax
from tinygrad_ugan.data.digits import Labelled
from tinygrad_ugan.typing import Array

WIDTH, STEPS, BATCH, LEARNING_RATE = 128, 600, 256, 3e-3
NEAREST = 2_000  # digits of which the nearest real ones are looked for


@dataclass(frozen=True)
class DigitJudge:
    """A perceptron that names digits, and the real digits themselves.

    Attributes
    ----------
    digits : array, shape (n, pixels)
        Pixels from -1 to 1.
    theta : list of dict
        Parameters of the perceptron.
    accuracy : float
        The fraction of right names of digits that it has not seen in training.
    """

    digits: Array
    theta: Any
    accuracy: float

    @classmethod
    def trained(cls, data: Labelled) -> DigitJudge:
        """Train on four fifths of some digits, and judge by the others.

        Examples
        --------
        >>> from tinygrad_ugan.data import digits
        >>> DigitJudge.trained(digits()).accuracy > 0.95
        True
        """
        rng, digits, labels = np.random.default_rng(0), 2 * data.images - 1, data.labels
        train, test = np.split(rng.permutation(len(labels)), [4 * len(labels) // 5])
        network, adam = _network(digits.shape[1]), optim.Adam(LEARNING_RATE)
        theta = network.init(rng)
        memory = adam.init(theta)

        def loss(theta: Any, chosen: Array) -> Any:
            scores = log_softmax(network(theta, digits[chosen]), axis=1)
            return -np.mean(scores[np.arange(len(chosen)), labels[chosen]])

        for step in range(STEPS):
            gradient = autodiff.grad(loss)(theta, rng.choice(train, BATCH))
            updates, memory = adam.update(gradient, memory, theta)
            theta = optim.apply_updates(theta, updates, 1 - step / STEPS)
        found = np.argmax(network(theta, digits[test]), axis=1)
        return cls(digits, theta, float(np.mean(found == labels[test])))

    def named(self, digits: Array) -> Array:
        """The names of some digits, from 0 to 9."""
        found: Array = np.argmax(_network(digits.shape[1])(self.theta, digits), axis=1)
        return found

    def distance(self, digits: Array) -> float:
        """Root of the mean square from pixels to those of the nearest real digit, on average.

        A real digit is not taken for its own neighbour.
        """
        x, pixels = digits[:NEAREST], digits.shape[1]
        squares = np.sum(x**2, axis=1)[:, None] + np.sum(self.digits**2, axis=1)
        squares = (squares - 2 * x @ self.digits.T) / pixels
        nearest = np.min(np.where(squares > 1e-4, squares, np.inf), axis=1)
        return float(np.mean(np.sqrt(nearest)))


def _network(pixels: int) -> nn.MLP:
    return nn.MLP((pixels, WIDTH, 10), "relu")
