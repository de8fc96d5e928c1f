"""Recurrent cells: one step of a network over time, for `ug.scan`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.activations import sigmoid
from tinygrad_ugan.nn.initializers import GlorotUniform, Initializer, Orthogonal
from tinygrad_ugan.nn.validation import check_rows, check_width
from tinygrad_ugan.typing import Array


class LSTMState(NamedTuple):
    """The output and the memory of an `LSTMCell`, each of shape (n, width)."""

    h: Any
    c: Any


class _Cell:
    """Weights of all gates side by side, and their checks."""

    gates: ClassVar[int]
    inputs: int
    width: int
    initializer: Initializer
    recurrent_initializer: Initializer

    def __post_init__(self) -> None:
        check_width("inputs", self.inputs)
        check_width("width", self.width)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Draw ``{"w": (inputs, gates * width), "u": (width, gates * width), "b": ...}``."""
        shapes = {"w": (self.inputs, self.width), "u": (self.width, self.width)}
        draws = {"w": self.initializer, "u": self.recurrent_initializer}
        params = {
            name: np.concatenate(
                [draws[name](rng, shapes[name], dtype) for _ in range(self.gates)], 1
            )
            for name in shapes
        }
        return {**params, "b": np.zeros(self.gates * self.width, dtype)}

    def _check(self, params: Any, h: Any, x: Any) -> None:
        check_rows(x, self.inputs)
        check_rows(h, self.width, "state")
        columns = self.gates * self.width
        given = tuple(shape_of(params[name]) for name in ("w", "u", "b"))
        expected = (self.inputs, columns), (self.width, columns), (columns,)
        if given != expected:
            raise ArgumentError("params", f"shapes (w, u, b) {given}", f"{expected}")

    def _parts(self, x: Any) -> list[Any]:
        """The columns of every gate."""
        return [x[:, i * self.width : (i + 1) * self.width] for i in range(self.gates)]


@dataclass(frozen=True)
class LSTMCell(_Cell):
    """Long short-term memory: Hochreiter and Schmidhuber (1997), gates of Gers et al. (2000).

    ::

        i, f, g, o = x w + h u + b
        c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    Parameters
    ----------
    inputs : int
        Number of features of x.
    width : int
        Number of features of h and c.
    initializer, recurrent_initializer : Initializer
        Draw w and u, gate by gate; b starts at 1 for f, so that the cell remembers, and else at 0.

    Raises
    ------
    ArgumentError
        If `inputs` or `width` is not a positive integer.

    Examples
    --------
    A sequence of 28 outputs without an input, as a generator has them:

    >>> import tinygrad_ugan as ug
    >>> cell = LSTMCell(inputs=1, width=16)
    >>> params = cell.init(np.random.default_rng(0))
    >>> zeros = np.zeros((28, 5, 1), np.float32)
    >>> state, h = ug.scan(lambda s, x: cell(params, s, x), cell.start(5), zeros)
    >>> h.shape
    (28, 5, 16)
    """

    gates: ClassVar[int] = 4
    inputs: int
    width: int
    initializer: Initializer = field(default_factory=GlorotUniform)
    recurrent_initializer: Initializer = field(default_factory=Orthogonal)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Draw ``{"w": (inputs, 4 width), "u": (width, 4 width), "b": (4 width,)}``."""
        params = super().init(rng, dtype)
        params["b"][self.width : 2 * self.width] = 1
        return params

    def start(self, n: int, dtype: DTypeLike = np.float32) -> LSTMState:
        """Return the state of n sequences before their first step, zero."""
        return LSTMState(np.zeros((n, self.width), dtype), np.zeros((n, self.width), dtype))

    def __call__(self, params: Any, state: LSTMState, x: Any) -> tuple[LSTMState, Any]:
        """Return the next state, and h of it, for x of shape (n, inputs)."""
        h, c = state
        self._check(params, h, x)
        i, f, g, o = self._parts(x @ params["w"] + h @ params["u"] + params["b"])
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        return LSTMState(h, c), h


@dataclass(frozen=True)
class GRUCell(_Cell):
    """Gated recurrent unit: Cho et al. (2014), arXiv 1406.1078, equations 5 to 8.

    ::

        r = sigmoid(x w_r + h u_r + b_r)
        z = sigmoid(x w_z + h u_z + b_z)
        h' = z h + (1 - z) tanh(x w + (r h) u + b)

    Parameters
    ----------
    inputs : int
        Number of features of x.
    width : int
        Number of features of h.
    initializer, recurrent_initializer : Initializer
        Draw w and u, gate by gate; b starts at 0.

    Raises
    ------
    ArgumentError
        If `inputs` or `width` is not a positive integer.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> cell = GRUCell(inputs=3, width=16)
    >>> params = cell.init(np.random.default_rng(0))
    >>> xs = np.ones((7, 5, 3), np.float32)
    >>> last, h = ug.scan(lambda h, x: cell(params, h, x), cell.start(5), xs)
    >>> last.shape, h.shape
    ((5, 16), (7, 5, 16))
    """

    gates: ClassVar[int] = 3
    inputs: int
    width: int
    initializer: Initializer = field(default_factory=GlorotUniform)
    recurrent_initializer: Initializer = field(default_factory=Orthogonal)

    def start(self, n: int, dtype: DTypeLike = np.float32) -> Array:
        """Return the state of n sequences before their first step, zero."""
        return np.zeros((n, self.width), dtype)

    def __call__(self, params: Any, state: Any, x: Any) -> tuple[Any, Any]:
        """Return the next state, twice, for x of shape (n, inputs)."""
        h, width = state, self.width
        self._check(params, h, x)
        of_x = x @ params["w"] + params["b"]
        both = sigmoid(of_x[:, : 2 * width] + h @ params["u"][:, : 2 * width])
        r, z = both[:, :width], both[:, width:]
        candidate = np.tanh(of_x[:, 2 * width :] + (r * h) @ params["u"][:, 2 * width :])
        h = z * h + (1 - z) * candidate
        return h, h
