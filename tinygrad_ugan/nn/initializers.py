"""Initial weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.typing import Array


class Initializer(Protocol):
    """A function that draws a weight matrix of a given shape."""

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int], dtype: DTypeLike) -> Array:
        """Draw the matrix."""
        ...


@dataclass(frozen=True)
class Orthogonal:
    """Random matrices with orthonormal rows or columns, whichever are fewer, times `gain`.

    Saxe, McClelland and Ganguli (2013), arXiv 1312.6120. Metz et al. (2016) take gain 0.8.

    Examples
    --------
    >>> w = Orthogonal(gain=2.0)(np.random.default_rng(0), (3, 2), np.float64)
    >>> np.allclose(w.T @ w, 4 * np.eye(2))
    True
    """

    gain: float = 1.0

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int], dtype: DTypeLike) -> Array:
        """Draw the matrix."""
        tall = (max(shape), min(shape))
        q, r = np.linalg.qr(rng.standard_normal(tall))
        q = q * np.sign(np.diag(r))  # makes q uniform over the orthogonal matrices
        return (self.gain * (q if shape == tall else q.T)).astype(dtype, order="C")


@dataclass(frozen=True)
class GlorotUniform:
    """Uniform in +- sqrt(6 / (n_in + n_out)): Glorot and Bengio (2010).

    Examples
    --------
    >>> w = GlorotUniform()(np.random.default_rng(0), (3, 3), np.float32)
    >>> bool(np.abs(w).max() <= 1), w.dtype
    (True, dtype('float32'))
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int], dtype: DTypeLike) -> Array:
        """Draw the matrix."""
        bound = np.sqrt(6 / sum(shape))
        return rng.uniform(-bound, bound, shape).astype(dtype)


@dataclass(frozen=True)
class HeNormal:
    """Normal with variance 2 / n_in, for layers before a ReLU: He et al. (2015), arXiv 1502.01852.

    Examples
    --------
    >>> w = HeNormal()(np.random.default_rng(0), (200, 200), np.float32)
    >>> w.dtype, round(float(w.std()), 2)
    (dtype('float32'), 0.1)
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int], dtype: DTypeLike) -> Array:
        """Draw the matrix."""
        return (math.sqrt(2 / shape[0]) * rng.standard_normal(shape)).astype(dtype)
