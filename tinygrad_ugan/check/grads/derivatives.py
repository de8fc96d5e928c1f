"""A function of pytrees as one of a list of arrays, and its derivative by the engine in each mode.

The derivative is such a function again, so that it can be checked as the first one is. What a mode
says along a direction comes as numbers that an independent estimate of the rates can be compared
with: the rates themselves, or one weighted sum of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import optree

from tinygrad_ugan import tree
from tinygrad_ugan.autodiff import jvp, vjp
from tinygrad_ugan.check.grads.differences import Line
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class FlatFunction:
    """A function of a list of arrays, and the point at which it is checked.

    Attributes
    ----------
    call : callable
        From a list of arrays to one; it takes tensors too.
    inputs, outputs : list of arrays
        The point, and the values there.
    input_names, output_names : list of str
        Their names in reports, such as ``"args[0]['w']"``.
    """

    call: Callable[[Sequence[Any]], list[Any]]
    inputs: list[Any]
    outputs: list[Any]
    input_names: list[str]
    output_names: list[str]

    def split(self, vector: Array) -> list[Any]:
        """Cut a vector into arrays of the shapes of the inputs."""
        arrays: list[Any] = tree.ravel(self.inputs)[1](vector)
        return arrays

    def along(self, v: Array) -> Line:
        """The line ``t -> f(x + t v)``, in double precision whatever the inputs are."""
        start = join(self.inputs)
        return lambda t: join(self.call(self.split(start + t * v)))


def join(arrays: Sequence[Any]) -> Array:
    """All elements as one vector, in double precision."""
    vector = np.concatenate([np.ravel(x) for x in arrays])
    return vector.astype(np.result_type(vector, np.float64))


def flatten(f: Callable[..., Any], args: Sequence[Any]) -> FlatFunction:
    """Make of `f` a function of the floating-point arrays in its arguments; the rest is constant.

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        If there is nothing to differentiate.
    """
    if not isinstance(args, tuple | list):
        given = type(args).__name__
        raise ArgumentTypeError("args", given, "the tuple of arguments of f", "such as (x,)")
    leaves, treedef = optree.tree_flatten(tuple(args))
    places = [i for i, leaf in enumerate(leaves) if _is_floating(leaf)]
    accessors = optree.tree_accessors(tuple(args))
    names = [accessors[i].codify("args") for i in places]
    inputs = [np.array(leaves[i])[()] for i in places]
    if not any(np.size(x) for x in inputs):
        raise ArgumentError("args", "none", "a floating-point array to differentiate")
    _check_finite(names, inputs)

    def evaluate(arrays: Sequence[Any]) -> Any:
        full = list(leaves)
        for i, x in zip(places, arrays, strict=True):
            full[i] = x
        return f(*optree.tree_unflatten(treedef, full))

    def call(arrays: Sequence[Any]) -> list[Any]:
        return list(optree.tree_leaves(evaluate(arrays)))

    result = evaluate(inputs)
    output_names = [accessor.codify("result") for accessor in optree.tree_accessors(result)]
    outputs = [np.asarray(x) for x in optree.tree_leaves(result)]
    _check_results(output_names, outputs)
    return FlatFunction(call, inputs, outputs, names, output_names)


def _is_floating(x: Any) -> bool:
    return type(x) is float or getattr(getattr(x, "dtype", None), "kind", "") == "f"


def _check_finite(names: Sequence[str], arrays: Sequence[Any]) -> None:
    for name, x in zip(names, arrays, strict=True):
        if not np.all(np.isfinite(x)):
            raise NonFiniteError(name, "a NaN or infinity", "finite numbers")


def _check_results(names: Sequence[str], outputs: Sequence[Array]) -> None:
    for name, out in zip(names, outputs, strict=True):
        if not _is_floating(out):
            raise ArgumentTypeError("f", f"{name} of dtype {out.dtype}", "floating-point results")
    if not any(np.size(x) for x in outputs):
        raise ArgumentError("f", "no results", "a function that returns numbers")
    _check_finite(names, outputs)


class Mode(Protocol):
    """The derivative of a function in one mode.

    Attributes
    ----------
    derivative : FlatFunction
        The derivative as a function, whose derivatives are those of the next order.
    like : list of arrays
        The shapes and dtypes that the outputs of `derivative` are to have.
    """

    derivative: FlatFunction
    like: list[Any]

    def found(self, inputs: Sequence[Any], v: Array) -> Array:
        """The numbers that the engine computes along v."""
        ...

    def project(self, rates: Array) -> Array:
        """Turn the rates of the outputs along v into the same numbers."""
        ...

    def bound(self, errors: Array) -> Array:
        """Bound their errors by those of the rates."""
        ...

    def size(self, rates: Array, v: Array) -> Array:
        """The size of the terms that they are sums of, to which rounding is relative."""
        ...


class ForwardMode:
    """Pushes v forward: the rate of every output."""

    def __init__(self, flat: FlatFunction, rng: np.random.Generator) -> None:
        self.derivative = _pushed(flat, _normal_like(rng, flat.inputs))
        self.like = flat.outputs
        self._flat = flat

    def found(self, inputs: Sequence[Any], v: Array) -> Array:
        """The Jacobian times v."""
        return join(self.derivative.call([*inputs, *self._flat.split(v)]))

    def project(self, rates: Array) -> Array:
        """The rates themselves."""
        return rates

    bound = project

    def size(self, rates: Array, v: Array) -> Array:
        """The largest rate in the same array."""
        counts = [np.size(x) for x in self.like]
        parts = np.split(np.abs(rates), np.cumsum(counts)[:-1])
        return np.repeat([np.max(part, initial=0) for part in parts], counts)


class ReverseMode:
    """Pulls a random cotangent back, and multiplies the gradient by v."""

    def __init__(self, flat: FlatFunction, rng: np.random.Generator) -> None:
        self._cotangents = _normal_like(rng, flat.outputs)
        self.derivative = _pulled(flat, self._cotangents)
        self.like = flat.inputs
        self._weights = join(self._cotangents)

    def found(self, inputs: Sequence[Any], v: Array) -> Array:
        """The gradient times v."""
        is_known = inputs is self.like
        gradient = self.derivative.outputs if is_known else self._pull_back(inputs)
        return np.array([join(gradient) @ v])

    def project(self, rates: Array) -> Array:
        """The cotangent times the rates."""
        return np.array([self._weights @ rates])

    def bound(self, errors: Array) -> Array:
        """All errors may add up."""
        return np.array([np.abs(self._weights) @ errors])

    def size(self, rates: Array, v: Array) -> Array:
        """The terms of the cotangent times the rates, and of the gradient times v."""
        gradient = np.abs(join(self.derivative.outputs))
        size: Array = self.bound(np.abs(rates)) + gradient @ np.abs(v)
        return size

    def _pull_back(self, inputs: Sequence[Any]) -> list[Any]:
        return self.derivative.call([*inputs, *self._cotangents])


MODES: Mapping[str, Callable[[FlatFunction, np.random.Generator], Mode]] = MappingProxyType(
    {"forward": ForwardMode, "reverse": ReverseMode}
)


def _pushed(flat: FlatFunction, tangents: list[Any]) -> FlatFunction:
    """The rates of the outputs, a function of the inputs and their tangents: forward mode."""
    n = len(flat.inputs)

    def call(arrays: Sequence[Any]) -> list[Any]:
        return list(jvp(flat.call, (list(arrays[:n]),), (list(arrays[n:]),))[1])

    inputs = [*flat.inputs, *tangents]
    names = flat.input_names + [f"the tangent of {name}" for name in flat.input_names]
    output_names = [f"the rate of {name}" for name in flat.output_names]
    return FlatFunction(call, inputs, call(inputs), names, output_names)


def _pulled(flat: FlatFunction, cotangents: list[Any]) -> FlatFunction:
    """The gradients in the inputs, a function of the inputs and cotangents: reverse mode."""
    n = len(flat.inputs)

    def call(arrays: Sequence[Any]) -> list[Any]:
        return list(vjp(flat.call, list(arrays[:n]))[1](list(arrays[n:]))[0])

    inputs = [*flat.inputs, *cotangents]
    names = flat.input_names + [f"the cotangent of {name}" for name in flat.output_names]
    output_names = [f"the gradient in {name}" for name in flat.input_names]
    return FlatFunction(call, inputs, call(inputs), names, output_names)


def _normal_like(rng: np.random.Generator, arrays: Sequence[Any]) -> list[Any]:
    """Standard normal numbers in the shapes and dtypes of arrays."""
    return [np.asarray(rng.standard_normal(np.shape(x)), x.dtype)[()] for x in arrays]
