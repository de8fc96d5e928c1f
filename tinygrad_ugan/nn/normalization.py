"""Batch, layer, weight and spectral normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optree
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.mlp import MLP, Params
from tinygrad_ugan.nn.validation import check_features, check_width
from tinygrad_ugan.typing import Array


class Statistics(NamedTuple):
    """Mean and variance of every feature over a batch, each of shape (features,)."""

    mean: Any
    var: Any


def batch_statistics(x: Any) -> Statistics:
    """Mean and variance over the rows; the variance divides by n, not n - 1.

    Parameters
    ----------
    x : array, shape (n, features), or (n, ..., features)
        Places of images, too, count as rows: their features are channels.

    Returns
    -------
    Statistics

    Examples
    --------
    >>> batch_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    Statistics(mean=array([2., 5.]), var=array([1., 0.]))
    """
    rows = x if len(shape_of(x)) == 2 else np.reshape(x, (-1, shape_of(x)[-1]))
    mean = np.mean(rows, axis=0)
    return Statistics(mean, np.mean((rows - mean) ** 2, axis=0))


def batch_norm(
    x: Any, scale: Any, shift: Any, statistics: Statistics | None = None, *, eps: float = 1e-5
) -> Any:
    """Batch normalisation: Ioffe and Szegedy (2015), arXiv 1502.03167, algorithm 1.

    ``y = scale (x - mean) / sqrt(var + eps) + shift``. In training, mean and variance are those
    of the batch, and gradients pass through them; in evaluation they are constants, such as the
    `running_average` over training.

    Parameters
    ----------
    x : array, shape (n, features), or (n, ..., features)
        The features of images are their channels.
    scale, shift : array, shape (features,)
    statistics : Statistics, optional
        Mean and variance to normalise by; those of x by default.
    eps : float
        Added to the variance, to keep the root away from zero.

    Returns
    -------
    array of the shape of x

    Examples
    --------
    >>> x = np.array([[1.0], [3.0]])
    >>> batch_norm(x, np.array([2.0]), np.array([5.0]), eps=0.0)
    array([[3.],
           [7.]])
    >>> batch_norm(x, 1.0, 0.0, Statistics(mean=np.array([1.0]), var=np.array([4.0])), eps=0.0)
    array([[0.],
           [1.]])
    """
    mean, var = batch_statistics(x) if statistics is None else statistics
    return (x - mean) * (scale / np.sqrt(var + eps)) + shift


def running_average(old: Any, new: Any, momentum: float = 0.9) -> Any:
    """Return ``momentum old + (1 - momentum) new``, leaf by leaf: `Statistics`, or a tree of them.

    Raises
    ------
    ArgumentError
        If `momentum` is not in [0, 1].

    Examples
    --------
    >>> running_average(Statistics(0.0, 1.0), Statistics(1.0, 3.0), momentum=0.5)
    Statistics(mean=0.5, var=2.0)
    """
    if not 0 <= momentum <= 1:
        raise ArgumentError("momentum", momentum, "a number in [0, 1]")
    return optree.tree_map(lambda a, b: momentum * a + (1 - momentum) * b, old, new)


@dataclass(frozen=True)
class BatchNorm:
    """`batch_norm` as a layer: ``layer(params, x)``, or ``layer(params, x, statistics)``.

    Parameters
    ----------
    width : int
        Number of features; of images, channels.
    eps : float
        Added to the variance.

    Raises
    ------
    ArgumentError
        If `width` is not a positive integer.

    Examples
    --------
    >>> layer = BatchNorm(3)
    >>> params = layer.init(np.random.default_rng(0), np.float64)
    >>> x = np.random.default_rng(1).standard_normal((100, 3)) * 4 + 7
    >>> y = layer(params, x)
    >>> bool(np.allclose(y.mean(axis=0), 0)), bool(np.allclose(y.std(axis=0), 1))
    (True, True)
    >>> np.allclose(layer(params, x[:1], layer.statistics(x)), y[:1])
    True
    """

    width: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_width("width", self.width)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Return scale 1 and shift 0; nothing is drawn."""
        return {"scale": np.ones(self.width, dtype), "shift": np.zeros(self.width, dtype)}

    def __call__(self, params: Any, x: Any, statistics: Statistics | None = None) -> Any:
        """Normalise by the given statistics, or by those of the batch."""
        check_features(x, self.width)
        return batch_norm(x, params["scale"], params["shift"], statistics, eps=self.eps)

    def statistics(self, x: Any) -> Statistics:
        """Return `batch_statistics` of x."""
        check_features(x, self.width)
        return batch_statistics(x)


def layer_norm(x: Any, scale: Any, shift: Any, *, eps: float = 1e-5) -> Any:
    """Layer normalisation: Ba, Kiros and Hinton (2016), arXiv 1607.06450, equation 4.

    As `batch_norm`, with the mean and variance of each row over its features: of an image, those
    of each place over its channels. No sample knows of the others.

    Parameters
    ----------
    x : array, shape (..., features)
    scale, shift : array, shape (features,)
    eps : float
        Added to the variance.

    Returns
    -------
    array of the shape of x

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 50.0]]), 1.0, 0.0, eps=0.0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    centred = x - np.mean(x, axis=-1, keepdims=True)
    var = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(var + eps) * scale + shift


@dataclass(frozen=True)
class LayerNorm:
    """`layer_norm` as a layer.

    Parameters
    ----------
    width : int
        Number of features; of images, channels.
    eps : float
        Added to the variance.

    Raises
    ------
    ArgumentError
        If `width` is not a positive integer.

    Examples
    --------
    >>> layer = LayerNorm(3)
    >>> params = layer.init(np.random.default_rng(0), np.float64)
    >>> x = np.random.default_rng(1).standard_normal((100, 3)) * 4 + 7
    >>> np.allclose(layer(params, x).mean(axis=1), 0)
    True
    """

    width: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_width("width", self.width)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Return scale 1 and shift 0; nothing is drawn."""
        return {"scale": np.ones(self.width, dtype), "shift": np.zeros(self.width, dtype)}

    def __call__(self, params: Any, x: Any) -> Any:
        """Normalise every row."""
        check_features(x, self.width)
        return layer_norm(x, params["scale"], params["shift"], eps=self.eps)


def weight_norm(v: Any, g: Any) -> Any:
    """Weight normalisation: Salimans and Kingma (2016), arXiv 1602.07868, equation 2.

    ``w_j = g_j v_j / ||v_j||`` for every column j, which separates length from direction.

    Parameters
    ----------
    v : array, shape (n_in, n_out)
        Directions; no column is zero.
    g : array, shape (n_out,)
        Lengths.

    Returns
    -------
    array, shape (n_in, n_out)

    Examples
    --------
    >>> weight_norm(np.array([[3.0], [4.0]]), np.array([10.0]))
    array([[6.],
           [8.]])
    """
    return v * (g / np.sqrt(np.sum(v * v, axis=0)))


@dataclass(frozen=True)
class WeightNorm:
    """A multilayer perceptron whose weights are parametrised by direction v and length g.

    Parameters
    ----------
    mlp : MLP
        The network.

    Examples
    --------
    >>> mlp = MLP((2, 8, 1))
    >>> net = WeightNorm(mlp)
    >>> params = net.init(np.random.default_rng(0), np.float64)
    >>> x = np.ones((5, 2))
    >>> np.allclose(net(params, x), mlp(mlp.init(np.random.default_rng(0), np.float64), x))
    True
    """

    mlp: MLP

    def init(
        self, rng: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> list[dict[str, Array]]:
        """Draw the parameters of the network that ``mlp.init`` would draw.

        Returns
        -------
        list of dict
            ``{"v": (n_in, n_out), "g": (n_out,), "b": (n_out,)}`` for every layer.
        """
        return [
            {"v": layer["w"], "g": np.linalg.norm(layer["w"], axis=0), "b": layer["b"]}
            for layer in self.mlp.init(rng, dtype)
        ]

    def __call__(self, params: Any, x: Any) -> Any:
        """Apply the network, shape (n, sizes[0]) -> (n, sizes[-1])."""
        weights = [{"w": weight_norm(layer["v"], layer["g"]), "b": layer["b"]} for layer in params]
        return self.mlp(weights, x)


def spectral_norm(w: Any) -> Any:
    """Spectral normalisation: Miyato et al. (2018), arXiv 1802.05957, equation 8.

    ``w / sigma(w)``, with the largest singular value sigma by 16 steps of power iteration from a
    fixed vector. Derivatives go through all of them, so that they are exact, to any order, for the
    number that is computed, which is sigma or a little less; singular values may coincide.

    Parameters
    ----------
    w : array, shape (n_in, n_out)
        Not zero.

    Returns
    -------
    array, shape (n_in, n_out)

    Examples
    --------
    >>> w = np.array([[3.0, 0.0], [0.0, 1.0]])
    >>> spectral_norm(w).round(6)
    array([[1.      , 0.      ],
           [0.      , 0.333333]])
    """
    n_in, n_out = shape_of(w)
    return w / np.sqrt(_largest_eigenvalue(w @ w.T if n_in < n_out else w.T @ w))


def _largest_eigenvalue(A: Any) -> Any:
    """The Rayleigh quotient of ``A^16 v``, by repeated squaring; the trace keeps the scale."""
    power = A
    for _ in range(4):
        power = power / np.trace(power)
        power = power @ power
    v = power @ np.cos(np.arange(len(A))).astype(A.dtype)
    return (v @ A @ v) / (v @ v)


@dataclass(frozen=True)
class SpectralNorm:
    """A multilayer perceptron whose weights have the spectral norm 1: see `spectral_norm`.

    Its gain is lost: the parameters are those of the network, and their lengths do not matter.

    Parameters
    ----------
    mlp : MLP
        The network.

    Examples
    --------
    >>> net = SpectralNorm(MLP((2, 8, 1), "relu"))
    >>> params = net.init(np.random.default_rng(0), np.float64)
    >>> x, y = np.ones((1, 2)), np.zeros((1, 2))
    >>> bool(abs(net(params, x) - net(params, y)) <= np.linalg.norm(x - y))
    True
    """

    mlp: MLP

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
        """Draw the parameters of the network."""
        return self.mlp.init(rng, dtype)

    def __call__(self, params: Params, x: Any) -> Any:
        """Apply the network, shape (n, sizes[0]) -> (n, sizes[-1])."""
        return self.mlp([{"w": spectral_norm(p["w"]), "b": p["b"]} for p in params], x)
