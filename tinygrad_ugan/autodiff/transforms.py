"""Transforms: from a function to its derivatives.

Everything is made of two of them, `vjp` (reverse mode) and `jvp` (forward mode); each opens a
level, calls the function on tensors of that level, and unwraps what comes out. Arguments and
results are pytrees: arrays, or lists, tuples, dicts and named tuples of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Node, Tangent, Tracer, backward, new_level, tape
from tinygrad_ugan.autodiff.primitive import shape_of, strip
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Evaluate `f` and return its pullback, the vector-Jacobian product.

    The pullback maps a cotangent u of the result to u^T df/dx for every primal x. It may be called
    any number of times.

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
    return out, pullback


def _vjp(
    f: Callable[..., Any], primals: Sequence[Any], names: Sequence[str], has_aux: bool = False
) -> tuple[Any, Callable[[Any], tuple[Any, ...]], Any]:
    leaves, treedef = _flatten(primals, names)
    level = new_level()
    inputs = [Node() for _ in leaves]
    traced = [Tensor(x, level, node) for x, node in zip(leaves, inputs, strict=True)]
    out = f(*optree.tree_unflatten(treedef, traced))
    aux = None
    if has_aux:
        out, aux = _split_aux(out)
        aux = optree.tree_map(lambda x: x.value if _is_at(x, level) else x, aux)

    outputs, out_treedef = optree.tree_flatten(out)
    nodes = [x.node if _is_at(x, level) else None for x in outputs]
    values = [_value(x, level) for x in outputs]
    order = tape(node for node in nodes if node is not None)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        seeds = _like("cotangent", cotangent, values, out_treedef)
        cotangents: dict[Node, Any] = {}
        for node, seed in zip(nodes, seeds, strict=True):
            if node is not None:
                cotangents[node] = cotangents[node] + seed if node in cotangents else seed
        gradients = backward(order, cotangents)
        found = [gradients.get(node) for node in inputs]
        return optree.tree_unflatten(treedef, _own(found, leaves, seeds))

    return optree.tree_unflatten(out_treedef, values), pullback, aux


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
    leaves, treedef = _flatten(primals, [f"primals[{i}]" for i in range(len(primals))])
    directions = _like("tangents", tuple(tangents), leaves, treedef)
    level = new_level()
    traced = [Tensor(x, level, Tangent(t)) for x, t in zip(leaves, directions, strict=True)]
    out = f(*optree.tree_unflatten(treedef, traced))
    outputs, out_treedef = optree.tree_flatten(out)
    values = [_value(x, level) for x in outputs]
    pushed = [
        x.node.tangent if _is_at(x, level) else _zeros(y)
        for x, y in zip(outputs, values, strict=True)
    ]
    unflatten = functools.partial(optree.tree_unflatten, out_treedef)
    return unflatten(values), unflatten(pushed)


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
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
    single = isinstance(argnums, int)
    places = [argnums] if isinstance(argnums, int) else list(argnums)
    names = [f"argument {i}" for i in places]

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        of_chosen, chosen = _restrict(f, places, args, kwargs)
        value, pullback, aux = _vjp(of_chosen, chosen, names, has_aux)
        gradients = pullback(_unit(value, getattr(f, "__name__", "f")))
        gradient = gradients[0] if single else gradients
        return ((value, aux), gradient) if has_aux else (value, gradient)

    return wrapped


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
    with_value = value_and_grad(f, argnums, has_aux)

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


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, mode: str = "reverse"
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of `f`.

    Parameters
    ----------
    f : callable
        Returns a pytree of arrays.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to.
    mode : {"reverse", "forward"}
        One pullback for each element of the result, or one pushforward for each element of the
        arguments: choose the smaller number.

    Returns
    -------
    callable
        Takes what `f` takes; returns a pytree like the result of `f`, each leaf replaced by a
        pytree like the argument (a tuple of such if `argnums` is a sequence) with leaves of shape
        ``out.shape + x.shape``.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    check_choice("mode", mode, ("reverse", "forward"))
    single = isinstance(argnums, int)
    places = [argnums] if isinstance(argnums, int) else list(argnums)
    matrix = _jacobian_reverse if mode == "reverse" else _jacobian_forward

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        of_chosen, chosen = _restrict(f, places, args, kwargs)
        blocks, out_treedef = matrix(of_chosen, chosen)
        chosen_treedef = optree.tree_structure(chosen)
        rows = [optree.tree_unflatten(chosen_treedef, row) for row in blocks]
        return optree.tree_unflatten(out_treedef, [row[0] for row in rows] if single else rows)

    return wrapped


def _jacobian_reverse(f: Callable[..., Any], primals: tuple) -> tuple[list[list[Any]], Any]:
    """Jacobian blocks [output leaf][input leaf], row by row."""
    out, pullback = vjp(f, *primals)
    outputs, out_treedef = optree.tree_flatten(out)
    inputs = optree.tree_leaves(primals)
    blocks = []
    for i, y in enumerate(outputs):
        rows = []
        for unit in _basis(y):
            cotangent = [unit if j == i else _zeros(z) for j, z in enumerate(outputs)]
            gradient = pullback(optree.tree_unflatten(out_treedef, cotangent))
            rows.append(optree.tree_leaves(gradient))
        blocks.append(
            [
                np.reshape(_stack([row[j] for row in rows], x), shape_of(y) + shape_of(x))
                for j, x in enumerate(inputs)
            ]
        )
    return blocks, out_treedef


def _jacobian_forward(f: Callable[..., Any], primals: tuple) -> tuple[list[list[Any]], Any]:
    """Jacobian blocks [output leaf][input leaf], column by column."""
    leaves, treedef = optree.tree_flatten(primals)
    inputs = [_value(x, level=0) for x in leaves]
    outputs, out_treedef = optree.tree_flatten(f(*primals))
    outputs = [_value(y, level=0) for y in outputs]
    blocks: list[list[Any]] = [[] for _ in outputs]
    for j, x in enumerate(inputs):
        columns = []
        for unit in _basis(x):
            tangent = [unit if i == j else _zeros(z) for i, z in enumerate(inputs)]
            _, pushed = jvp(f, primals, optree.tree_unflatten(treedef, tangent))
            columns.append(optree.tree_leaves(pushed))
        for i, y in enumerate(outputs):
            stacked = _stack([column[i] for column in columns], y)
            last = np.moveaxis(stacked, 0, -1)
            blocks[i].append(np.reshape(last, shape_of(y) + shape_of(x)))
    return blocks, out_treedef


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Make a function that returns the matrix of second derivatives, forward over reverse.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def stop_gradient(x: Any) -> Any:
    """Return `x`, a pytree, as a constant: nothing is differentiated through it.

    Examples
    --------
    >>> grad(lambda x: x * stop_gradient(x))(3.0).item()
    3.0
    """
    return optree.tree_map(strip, x)


def _restrict(
    f: Callable[..., Any], places: Sequence[int], args: tuple, kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple]:
    """`f` as a function of the arguments at `places` alone, and these arguments."""
    for i in places:
        if not -len(args) <= i < len(args):
            raise ArgumentError("argnums", i, f"one of the {len(args)} positional arguments")

    def of_chosen(*chosen: Any) -> Any:
        full = list(args)
        for i, x in zip(places, chosen, strict=True):
            full[i] = x
        return f(*full, **kwargs)

    return of_chosen, tuple(args[i] for i in places)


def _is_at(x: Any, level: int) -> bool:
    return isinstance(x, Tracer) and x.level == level


def _value(x: Any, level: int) -> Any:
    """The value of an output beneath `level`; Python numbers become NumPy scalars."""
    if _is_at(x, level):
        return x.value
    return x if hasattr(x, "dtype") else np.asarray(x)[()]


def _flatten(primals: Sequence[Any], names: Sequence[str]) -> tuple[list[Any], Any]:
    leaves, treedef = optree.tree_flatten(tuple(primals))
    for i, leaf in enumerate(leaves):
        if type(leaf) is float:
            leaves[i] = np.float64(leaf)
        elif getattr(getattr(leaf, "dtype", None), "kind", None) != "f":
            place, *path = optree.tree_paths(tuple(primals))[i]
            where = names[place] + "".join(f"[{key!r}]" for key in path)
            kind = f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else type(leaf).__name__
            raise ArgumentTypeError(
                where, kind, "a floating-point array", "convert it with np.asarray(x, float)"
            )
    return leaves, treedef


def _like(name: str, tree: Any, leaves: Sequence[Any], treedef: Any) -> list[Any]:
    """Flatten a cotangent or tangent and give its leaves the dtypes of `leaves`."""
    try:
        given = treedef.flatten_up_to(tree)
    except ValueError as error:
        raise ArgumentError(
            name, str(optree.tree_structure(tree)), f"the structure {treedef}"
        ) from error
    for i, (x, leaf) in enumerate(zip(given, leaves, strict=True)):
        if not isinstance(x, Tracer):
            x = np.asarray(x, leaf.dtype) if shape_of(leaf) else leaf.dtype.type(x)
            given[i] = x
        if shape_of(x) != shape_of(leaf):
            raise ArgumentError(
                name, f"shape {shape_of(x)} for leaf {i}", f"shape {shape_of(leaf)}"
            )
    return given


def _own(gradients: Sequence[Any], primals: Sequence[Any], seeds: Sequence[Any]) -> list[Any]:
    """Make every gradient an array of its own: no views, nothing shared, zeros where None."""
    taken = {id(seed) for seed in seeds}
    owned = []
    for gradient, primal in zip(gradients, primals, strict=True):
        if gradient is None:
            gradient = _zeros(primal)
        elif isinstance(gradient, np.ndarray) and (
            gradient.base is not None or id(gradient) in taken
        ):
            gradient = gradient.copy()
        taken.add(id(gradient))
        owned.append(gradient)
    return owned


def _zeros(x: Any) -> Any:
    return np.zeros(shape_of(x), x.dtype)[()]


def _unit(value: Any, name: str) -> Any:
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


def _basis(x: Any) -> Iterable[Any]:
    """The unit arrays of the shape and dtype of x, one by one."""
    for i in range(math.prod(shape_of(x))):
        unit = np.zeros(shape_of(x), x.dtype)
        unit.flat[i] = 1
        yield unit[()]


def _stack(rows: Sequence[Any], x: Any) -> Any:
    """Stack along a new first axis; arrays like x tell the shape where there are none."""
    return np.stack(rows) if rows else np.zeros((0, *shape_of(x)), x.dtype)


def _split_aux(out: Any) -> tuple[Any, Any]:
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentTypeError("has_aux", type(out).__name__, "a function that returns (out, aux)")
    return out
