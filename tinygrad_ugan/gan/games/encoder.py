"""An encoder: from a sample back to the noise that it may have been generated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.nn import MLP
from tinygrad_ugan.typing import Array, PyTree


@dataclass(frozen=True)
class Encoder:
    """A Gaussian approximation of p(z | x), whose mean and standard deviations a network computes.

    ``q(z | x) = N(z; mean(x), diag(deviation(x)^2))``. Maximum likelihood on fresh pairs
    z ~ N(0, I), x = G(z) minimises KL(p || q) over such Gaussians: the optimum has the mean and the
    deviations of p.

    Parameters
    ----------
    network : MLP
        From x to the mean and the logarithm of the deviation, side by side.

    Examples
    --------
    >>> encoder = Encoder(MLP((2, 8, 6)))
    >>> params = encoder.network.init(np.random.default_rng(0))
    >>> mean, log_deviation = encoder(params, np.ones((5, 2), np.float32))
    >>> mean.shape, log_deviation.shape
    ((5, 3), (5, 3))
    """

    network: MLP

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> PyTree:
        """Draw initial parameters."""
        return self.network.init(rng, dtype)

    def __call__(self, params: PyTree, x: Any) -> tuple[Any, Any]:
        """Return the mean and the logarithm of the deviation of z, each of shape (n, z)."""
        both = self.network(params, x)
        width = both.shape[1] // 2
        return both[:, :width], both[:, width:]

    def log_density(self, params: PyTree, z: Any, x: Any) -> Any:
        """Return ``log q(z | x)`` in nats, for each row, shape (n,)."""
        mean, log_deviation = self(params, x)
        standard = (z - mean) * np.exp(-log_deviation)
        constant = float(np.log(2 * np.pi)) / 2
        return -np.sum(standard * standard / 2 + log_deviation + constant, axis=1)

    def sample(self, params: PyTree, x: Any, rng: np.random.Generator) -> Array:
        """Draw one z from q(z | x) for each row of x."""
        mean, log_deviation = self(params, x)
        noise = rng.standard_normal(mean.shape).astype(mean.dtype)
        z: Array = mean + np.exp(log_deviation) * noise
        return z
