"""The multilayer perceptron as a pure function of its parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice, kind_of
from tinygrad_ugan.nn import network_primitive
from tinygrad_ugan.nn.activations import ACTIVATIONS
from tinygrad_ugan.nn.initializers import Initializer, Orthogonal
from tinygrad_ugan.nn.network_primitive import LayerForm
from tinygrad_ugan.nn.validation import check_array, check_rows
from tinygrad_ugan.stated import states
from tinygrad_ugan.typing import Array

Params = list[dict[str, Array]]


@dataclass(frozen=True)
class MLP:
    """Multilayer perceptron ``h_{l+1} = act(h_l w_l + b_l)`` whose last layer is linear.

    Parameters
    ----------
    sizes : tuple of int
        Widths, from the input to the output.
    activation : str
        One of "tanh", "relu", "softplus", "leaky_relu", "elu", "sigmoid", "identity".
    input_scale : float
        Factor of the input; the discriminator of Metz et al. (2016) sees ``x / 4``.
    initializer : Initializer
        Draws the weights; biases start at zero.

    Raises
    ------
    ArgumentError
        If `sizes` does not hold two or more positive integers, or `activation` is unknown.

    Examples
    --------
    >>> mlp = MLP(sizes=(2, 16, 1))
    >>> params = mlp.init(np.random.default_rng(0))
    >>> mlp(params, np.ones((5, 2), np.float32)).shape
    (5, 1)
    """

    sizes: tuple[int, ...] = (2, 128, 128, 1)
    activation: str = "tanh"
    input_scale: float = 1.0
    initializer: Initializer = field(default_factory=Orthogonal)

    def __post_init__(self) -> None:
        whole = all(isinstance(n, int | np.integer) and n > 0 for n in self.sizes)
        if len(self.sizes) < 2 or not whole:
            raise ArgumentError("sizes", self.sizes, "two or more positive integers")
        # The kernels compute addresses from the sizes, and need Python's integers.
        object.__setattr__(self, "sizes", tuple(map(int, self.sizes)))
        scale: Any = self.input_scale
        if isinstance(scale, Real):  # a NumPy scalar would turn float32 into float64
            object.__setattr__(self, "input_scale", float(scale))
        check_choice("activation", self.activation, ACTIVATIONS)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
        """Draw initial parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        dtype : dtype
            float32 for training, float64 for checking.

        Returns
        -------
        list of dict
            ``{"w": (n_in, n_out), "b": (n_out,)}`` for every layer.
        """
        return [
            {"w": self.initializer(rng, (n_in, n_out), dtype), "b": np.zeros(n_out, dtype)}
            for n_in, n_out in itertools.pairwise(self.sizes)
        ]

    def __call__(self, params: Params, x: Any) -> Any:
        """Apply the network: in compiled kernels (`nn.network_primitive`) where it is large enough.

        Parameters
        ----------
        params : list of dict
            As from `init`.
        x : array, shape (batch, sizes[0])
            One row for each sample.

        Returns
        -------
        array, shape (batch, sizes[-1])

        Raises
        ------
        ArgumentError
            If a shape does not match `sizes`.
        """
        self._check(params, x)
        theta = [layer[name] for layer in params for name in ("w", "b")]
        net = LayerForm(self.sizes, self.activation, self.input_scale)
        return network_primitive.apply(net, x, theta)

    @states("__call__", "_check")
    def layer_form(self) -> LayerForm | None:
        """The network in the form that kernels take; None if they cannot run it."""
        if type(self.input_scale) is not float:  # a tensor, to differentiate with respect to
            return None
        return LayerForm(self.sizes, self.activation, self.input_scale)

    def _check(self, params: Params, x: Any) -> None:
        check_rows(x, self.sizes[0])
        given = [(shape_of(w), shape_of(b)) for w, b in _layers(params)]
        expected = [((m, n), (n,)) for m, n in itertools.pairwise(self.sizes)]
        if given != expected:
            raise ArgumentError("params", f"shapes (w, b) {given}", f"{expected}")


def _layers(params: Any) -> list[tuple[Any, Any]]:
    """Check the structure of the parameters; return w and b of every layer."""
    if isinstance(params, dict) or hasattr(params, "dtype") or not isinstance(params, Iterable):
        raise _not_layers("params", params, "a list of {'w': ..., 'b': ...}")
    return [_arrays(f"params[{i}]", layer) for i, layer in enumerate(params)]


def _arrays(name: str, layer: Any) -> tuple[Any, Any]:
    try:
        w, b = layer["w"], layer["b"]
    except (TypeError, LookupError):
        raise _not_layers(name, layer, "{'w': ..., 'b': ...}") from None
    check_array(f"{name}['w']", w)
    check_array(f"{name}['b']", b)
    return w, b


def _not_layers(name: str, given: Any, expected: str) -> ArgumentTypeError:
    keys = f" of {sorted(map(str, given))}" if isinstance(given, dict) else ""
    hint = "as from init; a layer of Flax is {'w': kernel, 'b': bias}"
    return ArgumentTypeError(name, f"a {kind_of(given)}{keys}", expected, hint)
