"""Transforms: from a function to its derivatives.

All of them are built on two, `vjp` (reverse mode) and `jvp` (forward mode); each opens a
level, calls the function on tensors of that level, and unwraps what comes out. Arguments and
results are pytrees: arrays, or lists, tuples, dicts, named tuples and dataclasses of them, the
last registered with optree (`optree.dataclasses.dataclass`, in its global namespace).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff.core import Node, Tangent, backward, new_level, tape
from tinygrad_ugan.autodiff.defensive_copies import (
    CopyingNode,
    private_copy,
    unaliased,
    writable_copy,
)
from tinygrad_ugan.autodiff.operands import shape_of, untrace
from tinygrad_ugan.autodiff.pytrees import (
    flatten_floating,
    is_traced_at,
    match_leaves,
    restrict,
    value_below,
    zeros_of,
)
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NotDifferentiableError
from tinygrad_ugan.stated import Statement


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Evaluate `f` and return its pullback, the vector-Jacobian product.

    The pullback maps a cotangent u of the result to u^T df/dx for every primal x. It may be called
    any number of times, and is that of the numbers which `f` has seen: arrays may be written to as
    soon as `f` has used them, also `primals`, `out`, and arrays that `f` uses besides.

    Parameters
    ----------
    f : callable
        ``f(*primals)``, a pytree of arrays.
    *primals : pytree of float arrays
        The point.

    Returns
    -------
    out : pytree
        ``f(*primals)``.
    pullback : callable
        ``pullback(cotangent) -> tuple`` of gradients, one like each primal; `cotangent` is like
        `out`.

    Raises
    ------
    ArgumentTypeError
        If a primal holds anything but floating-point arrays.

    Examples
    --------
    >>> import numpy as np
    >>> out, pullback = vjp(lambda x, y: x * np.sin(y), 2.0, 0.0)
    >>> [float(g) for g in pullback(1.0)]
    [0.0, 2.0]
    """
    out, pullback, _ = _vjp(f, primals, [f"primals[{i}]" for i in range(len(primals))])
    return optree.tree_map(writable_copy, out), pullback


def _vjp(
    f: Callable[..., Any], primals: Sequence[Any], names: Sequence[str], has_aux: bool = False
) -> tuple[Any, Callable[[Any], tuple[Any, ...]], Any]:
    leaves, treedef = flatten_floating(primals, names)
    level = new_level()
    inputs = [CopyingNode() for _ in leaves]
    traced = [Tensor(private_copy(x), level, node) for x, node in zip(leaves, inputs, strict=True)]
    out = _run(f, optree.tree_unflatten(treedef, traced))
    aux = None
    if has_aux:
        out, aux = _split_aux(out)
        aux = optree.tree_map(
            lambda x: unaliased([x.value])[0] if is_traced_at(x, level) else x, aux
        )

    outputs, out_treedef = optree.tree_flatten(out)
    nodes = [x.node if is_traced_at(x, level) else None for x in outputs]
    values = [value_below(x, level) for x in outputs]
    order = tape(node for node in nodes if node is not None)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        seeds = [private_copy(x) for x in match_leaves("cotangent", cotangent, values, out_treedef)]
        cotangents: dict[Node, Any] = {}
        for node, seed in zip(nodes, seeds, strict=True):
            if node is not None:
                cotangents[node] = cotangents[node] + seed if node in cotangents else seed
        gradients = backward(order, cotangents)
        found = [gradients.get(node) for node in inputs]
        full = [zeros_of(x) if g is None else g for g, x in zip(found, leaves, strict=True)]
        primals: tuple[Any, ...] = optree.tree_unflatten(treedef, unaliased(full))
        return primals

    return optree.tree_unflatten(out_treedef, values), pullback, aux


def _run(f: Callable[..., Any], args: Any) -> Any:
    """Call ``f(*args)``; NumPy hides our error if a tensor is written to an element of an array."""
    try:
        return f(*args)
    except ValueError as error:
        if not isinstance(error.__cause__, NotDifferentiableError):
            raise
        raise NotDifferentiableError(
            "a traced value cannot be written into a plain array (a[i] = x, or initial=x): collect "
            "the elements in a list and make it an array with ug.array, or use a = "
            "ug.at(a)[i].set(x); what is initial, add to the result"
        ) from error


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Evaluate `f` and its derivative along a direction, the Jacobian-vector product.

    Parameters
    ----------
    f : callable
        ``f(*primals)``, a pytree of arrays.
    primals, tangents : sequence of pytrees of float arrays
        The point and the direction, of the same structure.

    Returns
    -------
    out, tangent_out : pytree
        ``f(*primals)`` and ``sum_i df/dx_i tangents[i]``.

    Raises
    ------
    ArgumentTypeError
        If a primal holds anything but floating-point arrays.
    ArgumentError
        If a tangent does not have the structure and shape of its primal.

    Examples
    --------
    >>> import numpy as np
    >>> out, tangent = jvp(np.exp, (0.0,), (2.0,))
    >>> float(out), float(tangent)
    (1.0, 2.0)
    """
    leaves, treedef = flatten_floating(primals, [f"primals[{i}]" for i in range(len(primals))])
    directions = match_leaves("tangents", tuple(tangents), leaves, treedef)
    level = new_level()
    traced = [
        Tensor(private_copy(x), level, Tangent(private_copy(t)))
        for x, t in zip(leaves, directions, strict=True)
    ]
    out = _run(f, optree.tree_unflatten(treedef, traced))
    outputs, out_treedef = optree.tree_flatten(out)
    values = [value_below(x, level) for x in outputs]
    pushed = [
        x.node.tangent if is_traced_at(x, level) else zeros_of(y)
        for x, y in zip(outputs, values, strict=True)
    ]
    found = unaliased([*values, *pushed])
    unflatten = functools.partial(optree.tree_unflatten, out_treedef)
    return unflatten(found[: len(values)]), unflatten(found[len(values) :])


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Make a function that returns both ``f(...)`` and its gradient.

    Parameters
    ----------
    f : callable
        Returns a scalar, or ``(scalar, aux)`` with `has_aux`.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    has_aux : bool
        Whether `f` returns something beside the scalar that is to be passed through.

    Returns
    -------
    callable
        Takes what `f` takes; returns ``(value, gradient)``, or ``((value, aux), gradient)``. The
        gradient is a pytree like the argument, or a tuple of such if `argnums` is a sequence.

    Raises
    ------
    ArgumentError
        When called: if the value is not a scalar, or there is no such argument.
    ArgumentTypeError
        When called: if an argument to differentiate holds anything but floating-point arrays.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    if (transformed := _transformed(f, value_and_grad, argnums, has_aux)) is not None:
        return transformed
    return functools.wraps(f)(_with_value(f, argnums, has_aux))


def _transformed(
    f: Callable[..., Any],
    transform: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
) -> Callable[..., Any] | None:
    """A derivative of f as f itself makes it, such as a compiled function; None of any other."""
    statement = getattr(type(f), "transformed", None)
    make = statement.of(f) if isinstance(statement, Statement) else None
    if make is None:
        return None
    transformed: Callable[..., Any] = make(
        transform, argnums if isinstance(argnums, int) else tuple(argnums), has_aux
    )
    return transformed


def _with_value(
    f: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool
) -> Callable[..., Any]:
    single = isinstance(argnums, int)
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    names = [f"argument {i}" for i in positions]

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        of_chosen, chosen = restrict(f, positions, args, kwargs)
        value, pullback, aux = _vjp(of_chosen, chosen, names, has_aux)
        gradients = pullback(_unit(value, getattr(f, "__name__", "f")))
        gradient = gradients[0] if single else gradients
        return ((value, aux), gradient) if has_aux else (value, gradient)

    return value_and_gradient


def grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that returns the gradient of `f`; see `value_and_grad`.

    With `has_aux` it returns ``(gradient, aux)``.

    Examples
    --------
    >>> grad(lambda x: x**3)(2.0).item()
    12.0
    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    if (transformed := _transformed(f, grad, argnums, has_aux)) is not None:
        return transformed
    with_value = _with_value(f, argnums, has_aux)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = with_value(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def hvp(f: Callable[[Any], Any], x: Any, v: Any) -> Any:
    """Hessian-vector product ``(d2f/dx2) v``, by forward mode over reverse mode.

    Parameters
    ----------
    f : callable
        A scalar function of one pytree.
    x, v : pytree of float arrays
        The point and the vector, of the same structure.

    Returns
    -------
    pytree
        Like `x`. The cost is a small multiple of that of `f`; no matrix is formed.

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    return jvp(grad(f), (x,), (v,))[1]


def stop_gradient(x: Any) -> Any:
    """Return `x`, a pytree, as a constant: nothing is differentiated through it.

    Examples
    --------
    >>> grad(lambda x: x * stop_gradient(x))(3.0).item()
    3.0
    """
    return optree.tree_map(lambda x: writable_copy(untrace(x)) if isinstance(x, Tensor) else x, x)


def _unit(value: Any, name: str) -> Any:
    if not hasattr(value, "dtype"):
        raise ArgumentTypeError(
            name,
            type(value).__name__,
            "a function that returns a scalar",
            "use has_aux=True for (scalar, aux), or vjp or jacobian for other results",
        )
    if shape_of(value) != ():
        raise ArgumentError(
            name,
            f"shape {shape_of(value)}",
            "a function that returns a scalar",
            "reduce it with np.sum or np.mean, or use jacobian",
        )
    if value.dtype.kind != "f":
        raise ArgumentTypeError(
            name, f"dtype {value.dtype}", "a function that returns a floating-point number"
        )
    return value.dtype.type(1)


def _split_aux(out: Any) -> tuple[Any, Any]:
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentTypeError("has_aux", type(out).__name__, "a function that returns (out, aux)")
    return out
