"""Rematerialisation: the tape keeps a function's inputs and computes the rest again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff.calls import Traced, uses_traced_value
from tinygrad_ugan.autodiff.leaves import restrict
from tinygrad_ugan.autodiff.transforms import jvp, vjp


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function equal to `f` whose pullback evaluates `f` again instead of remembering it.

    Reverse mode keeps every intermediate value until the pullback has used it. Of a checkpointed
    function it keeps the arguments alone: a chain of n steps cut into sqrt(n) checkpointed pieces
    needs the memory of about 2 sqrt(n) steps, for one more evaluation. Checkpointed functions may
    be nested, and derivatives of any order and mode are checkpointed in the same way.

    Parameters
    ----------
    f : callable
        ``f(*args, **kwargs)`` of pytrees, without side effects: it runs more than once. What is
        differentiated has to come in as an argument.

    Returns
    -------
    callable
        Takes what `f` takes and returns what it returns.

    Raises
    ------
    NotDifferentiableError
        When called: if `f` uses a traced value that is not among its arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> layer = ug.checkpoint(lambda w, h: np.tanh(h @ w))
    >>> def loss(w):
    ...     h = np.ones(2)
    ...     for _ in range(100):
    ...         h = layer(w, h)  # the tape holds w and a hundred h, and no h @ w
    ...     return np.sum(h)
    >>> ug.grad(loss)(np.eye(2) / 2).shape
    (2, 2)
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = optree.tree_flatten((args, kwargs))

        def of_leaves(*leaves: Any) -> Any:
            args, kwargs = optree.tree_unflatten(treedef, leaves)
            return f(*args, **kwargs)

        return _checkpointed(of_leaves, leaves, getattr(f, "__name__", "f"))

    return wrapped


def _checkpointed(f: Callable[..., Any], leaves: Sequence[Any], name: str = "") -> Any:
    """``f(*leaves)``; what it is to the levels below is checkpointed in its turn.

    The caller's own function, which has a name, must not use values traced around it. That they
    are traced below, in a derivative of a derivative, is no fault: there they are remembered.
    """
    traced = Traced(leaves)
    if traced.level == 0:
        return f(*leaves)
    n = len(leaves)

    def push(*values_and_tangents: Any) -> Any:
        g, primals = restrict(f, traced.places, values_and_tangents[:n], {})
        return jvp(g, primals, values_and_tangents[n:])

    def pull(*values_and_cotangents: Any) -> Any:
        g, primals = restrict(f, traced.places, values_and_cotangents[:n], {})
        cotangent = optree.tree_unflatten(out_treedef, values_and_cotangents[n:])
        return vjp(g, *primals)[1](cotangent)

    if traced.is_forward:
        tangents = [node.tangent for node in traced.nodes]
        out, pushed = _checkpointed(push, [*traced.values, *tangents])
    else:
        out = _checkpointed(f, traced.values)
    if traced.reaches(out):
        if name:
            raise uses_traced_value(name)
        return f(*leaves)
    if traced.is_forward:
        return traced.push(out, pushed)
    out_treedef = optree.tree_structure(out)
    return traced.record(out, lambda cotangents: _checkpointed(pull, [*traced.values, *cotangents]))
