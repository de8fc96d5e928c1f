"""Minibatch discrimination: the discriminator sees how close samples of a batch are together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of, untrace
from tinygrad_ugan.autodiff.primitive import Primitive, linear
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.initializers import GlorotUniform, Initializer
from tinygrad_ugan.nn.validation import check_rows, check_width
from tinygrad_ugan.typing import Array


def closeness(M: Any) -> Any:
    """Closeness of each row's points to those of all rows: Salimans et al. (2016), section 3.2.

    ``o_ib = sum_j exp(-||M_ib - M_jb||_1)``; the term j = i is always 1.

    Parameters
    ----------
    M : array, shape (n, B, C)
        For each of n rows, B points of C coordinates.

    Returns
    -------
    array, shape (n, B)

    Examples
    --------
    >>> closeness(np.zeros((5, 1, 2))).T
    array([[5., 5., 5., 5., 5.]])
    """
    points = np.moveaxis(M, 0, 2).swapaxes(0, 1)
    distances = signed_differences(points, untrace(points))
    return np.sum(np.exp(-distances), axis=2).T


# Between its kinks the distance is linear in the points, with signs as coefficients, so its
# derivatives go through `kernels.pairwise_l1` too, which never forms all n x n x B x C differences.


def _signed_differences(v: Any, p: Any) -> Any:
    from tinygrad_ugan.kernels import pairwise_l1  # compiles with numba, which is slow to import

    return pairwise_l1.signed_differences(v, p)


def _signed_sums(g: Any, p: Any) -> Any:
    from tinygrad_ugan.kernels import pairwise_l1

    return pairwise_l1.signed_sums(g, p)


signed_differences: Primitive = linear(_signed_differences, lambda g, v, p: signed_sums(g, p))
signed_sums: Primitive = linear(_signed_sums, lambda v, g, p: signed_differences(v, p))
PRIMITIVES = (signed_differences, signed_sums)


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """Append to each row its closeness to the rows of its batch.

    ``M_i = x_i T``, and the output is x_i followed by `closeness` (M)_i: Salimans et al. (2016),
    arXiv 1606.03498, section 3.2. It exposes a generator that collapses to a single sample. Pass
    real and generated samples in separate batches, as `gan.Game` does, and of equal size, since the
    closeness grows with the number of rows.

    Parameters
    ----------
    width : int
        Number of features of x.
    kernels : int
        B, the number of appended features.
    dimension : int
        C, the number of coordinates in which each of them measures distance.
    initializer : Initializer
        Draws T.

    Raises
    ------
    ArgumentError
        If `width`, `kernels` or `dimension` is not a positive integer.

    Examples
    --------
    >>> layer = MinibatchDiscrimination(width=4, kernels=3, dimension=2)
    >>> params = layer.init(np.random.default_rng(0))
    >>> layer(params, np.ones((6, 4), np.float32))[0]
    array([1., 1., 1., 1., 6., 6., 6.], dtype=float32)
    """

    width: int
    kernels: int
    dimension: int
    initializer: Initializer = field(default_factory=GlorotUniform)

    def __post_init__(self) -> None:
        for name in ("width", "kernels", "dimension"):
            check_width(name, getattr(self, name))

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Draw ``{"T": (width, kernels * dimension)}``."""
        shape = (self.width, self.kernels * self.dimension)
        return {"T": self.initializer(rng, shape, dtype)}

    def __call__(self, params: Any, x: Any) -> Any:
        """Return shape (n, width + kernels) for x of shape (n, width)."""
        check_rows(x, self.width)
        expected = (self.width, self.kernels * self.dimension)
        if shape_of(params["T"]) != expected:
            raise ArgumentError("params", f"T of shape {shape_of(params['T'])}", f"{expected}")
        M = np.reshape(x @ params["T"], (-1, self.kernels, self.dimension))
        return np.concatenate([x, closeness(M)], axis=1)


_POINTS = np.cos(np.arange(12.0)).reshape(2, 2, 3)

SAMPLES: Samples = {
    _signed_differences: [sample(Random((2, 2, 3)), _POINTS)],
    _signed_sums: [sample(Random((2, 3, 3)), _POINTS)],
}
