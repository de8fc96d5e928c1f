"""Rematerialisation: the tape keeps a function's inputs and computes the rest again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import optree

from tinygrad_ugan.autodiff.calls import Traced
from tinygrad_ugan.autodiff.core import Node, Tangent, Tracer, backward, tape
from tinygrad_ugan.autodiff.leaves import is_at, restrict
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
        ``f(*args, **kwargs)`` of pytrees, without side effects: it runs more than once. It may use
        tensors from around itself as well as its arguments.

    Returns
    -------
    callable
        Takes what `f` takes and returns what it returns.

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

        return _checkpointed(of_leaves, leaves)

    return wrapped


def _checkpointed(f: Callable[..., Any], leaves: Sequence[Any]) -> Any:
    """``f(*leaves)``; what it is to the levels below is checkpointed in its turn."""
    traced, since, n = Traced(leaves), Node().index, len(leaves)
    if traced.level == 0:
        return _of_captured(f, leaves, f(*leaves), since)

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
    highest = _highest(out)
    if highest is not None and highest.level >= traced.level:
        is_complete = highest.level == traced.level and not traced.is_forward
        return _of_captured(f, leaves, out if is_complete else f(*leaves), since)
    if traced.is_forward:
        return traced.push(out, pushed)
    out_treedef = optree.tree_structure(out)
    return traced.record(out, lambda cotangents: _checkpointed(pull, [*traced.values, *cotangents]))


def _of_captured(f: Callable[..., Any], leaves: Sequence[Any], out: Any, since: int) -> Any:
    """`out`, which f computed from `leaves` and from tensors that it found around itself.

    Of its tape only the beginnings are kept: the nodes of the captured tensors, which are those
    older than the call. On the way back f runs again, on leaves with nodes of their own, and the
    tape of that run ends at the very same captured nodes.
    """
    highest = _highest(out)
    if highest is None or isinstance(highest.node, Tangent):
        return out
    traced = Traced(leaves, highest)
    ends = [x.node for x in optree.tree_leaves(out) if is_at(x, traced.level)]
    parents = (parent for node in tape(ends, since) for parent in node.parents)
    captured = list(dict.fromkeys(x for x in (*ends, *parents) if x.index < since))

    def pullback(cotangents: list[Any]) -> Sequence[Any]:
        since = Node().index
        fresh, roots = traced.with_own_nodes()
        again = optree.tree_leaves(f(*fresh))
        seeds: dict[Node, Any] = {}
        for x, cotangent in zip(again, cotangents, strict=True):
            if cotangent is not None and is_at(x, traced.level):
                seeds[x.node] = seeds[x.node] + cotangent if x.node in seeds else cotangent
        found = backward(tape(seeds, since), seeds)
        return [(found | seeds).get(node) for node in (*roots, *captured)]

    traced.nodes += captured
    return traced.record(out, pullback, sparse=True)


def _highest(out: Any) -> Tracer | None:
    """The result of the highest level."""
    tracers = (x for x in optree.tree_leaves(out) if isinstance(x, Tracer))
    return max(tracers, key=attrgetter("level"), default=None)
