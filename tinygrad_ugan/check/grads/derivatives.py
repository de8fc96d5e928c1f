"""A function of pytrees as one of a list of arrays, and its derivatives as such functions again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.autodiff import jvp, vjp
from tinygrad_ugan.check.grads.differences import Line
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError


@dataclass(frozen=True)
class Flat:
    """A function with the point at which it is looked at.

    Attributes
    ----------
    call : callable
        From a list of arrays to one; it takes tensors too.
    inputs, outputs : list of arrays
        The point, and the values there.
    input_names, output_names : list of str
        What users know them by, such as ``"args[0]['w']"``.
    """

    call: Callable[[Sequence[Any]], list[Any]]
    inputs: list[Any]
    outputs: list[Any]
    input_names: list[str]
    output_names: list[str]

    def split(self, vector: NDArray) -> list[Any]:
        """Make of a vector arrays of the shapes of the inputs."""
        ends = np.cumsum([np.size(x) for x in self.inputs])
        parts = np.split(vector, ends[:-1])
        return [np.reshape(v, np.shape(x))[()] for v, x in zip(parts, self.inputs, strict=True)]

    def along(self, v: NDArray) -> Line:
        """The line ``t -> f(x + t v)``, in double precision whatever the inputs are."""
        start = join(self.inputs)
        return lambda t: join(self.call(self.split(start + t * v)))


def join(arrays: Sequence[Any]) -> NDArray:
    """All elements as one vector, in double precision."""
    vector = np.concatenate([np.ravel(x) for x in arrays])
    return vector.astype(np.result_type(vector, np.float64))


def flatten(f: Callable[..., Any], args: Sequence[Any]) -> Flat:
    """`f` as a function of the floating arrays in its arguments; everything else is held constant.

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
        return optree.tree_leaves(evaluate(arrays))

    result = evaluate(inputs)
    output_names = [accessor.codify("result") for accessor in optree.tree_accessors(result)]
    outputs = [np.asarray(x) for x in optree.tree_leaves(result)]
    _check_results(output_names, outputs)
    return Flat(call, inputs, outputs, names, output_names)


def pushed(flat: Flat, tangents: list[Any]) -> Flat:
    """The rates of the outputs, a function of the inputs and their tangents: forward mode."""
    n = len(flat.inputs)

    def call(arrays: Sequence[Any]) -> list[Any]:
        return jvp(flat.call, (list(arrays[:n]),), (list(arrays[n:]),))[1]

    inputs = [*flat.inputs, *tangents]
    names = flat.input_names + [f"the tangent of {name}" for name in flat.input_names]
    output_names = [f"the rate of {name}" for name in flat.output_names]
    return Flat(call, inputs, call(inputs), names, output_names)


def pulled(flat: Flat, cotangents: list[Any]) -> Flat:
    """The gradients in the inputs, a function of the inputs and cotangents: reverse mode."""
    n = len(flat.inputs)

    def call(arrays: Sequence[Any]) -> list[Any]:
        return vjp(flat.call, list(arrays[:n]))[1](list(arrays[n:]))[0]

    inputs = [*flat.inputs, *cotangents]
    names = flat.input_names + [f"the cotangent of {name}" for name in flat.output_names]
    output_names = [f"the gradient in {name}" for name in flat.input_names]
    return Flat(call, inputs, call(inputs), names, output_names)


def _is_floating(x: Any) -> bool:
    return type(x) is float or getattr(getattr(x, "dtype", None), "kind", "") == "f"


def _check_finite(names: Sequence[str], arrays: Sequence[Any]) -> None:
    for name, x in zip(names, arrays, strict=True):
        if not np.all(np.isfinite(x)):
            raise NonFiniteError(name, "a NaN or infinity", "finite numbers")


def _check_results(names: Sequence[str], outputs: Sequence[NDArray]) -> None:
    for name, out in zip(names, outputs, strict=True):
        if not _is_floating(out):
            raise ArgumentTypeError("f", f"{name} of dtype {out.dtype}", "floating-point results")
    if not any(np.size(x) for x in outputs):
        raise ArgumentError("f", "no results", "a function that returns numbers")
    _check_finite(names, outputs)
