"""Rematerialisation: the tape stores a function's inputs and recomputes everything else."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.call_tracing import TracedCall
from tinygrad_ugan.autodiff.core import Node, Tangent, Tracer, backward, tape
from tinygrad_ugan.autodiff.defensive_copies import private_copy
from tinygrad_ugan.autodiff.operands import is_differentiated, untrace
from tinygrad_ugan.autodiff.pytrees import is_traced_at, restrict
from tinygrad_ugan.autodiff.transforms import jvp, vjp
from tinygrad_ugan.errors import ArgumentError


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function equal to `f` whose pullback evaluates `f` again instead of remembering it.

    Reverse mode keeps every intermediate value until the pullback has used it. Of a checkpointed
    function it keeps the arguments alone: a chain of n steps cut into sqrt(n) checkpointed pieces
    needs the memory of about 2 sqrt(n) steps, for one more evaluation. Checkpointed functions may
    be nested, and derivatives of any order and mode are checkpointed in the same way.

    Parameters
    ----------
    f : callable
        ``f(*args, **kwargs)`` of pytrees, without side effects: it runs more than once, and has to
        return the same each time. It may use tensors from around itself as well as its arguments.

    Returns
    -------
    callable
        Takes what `f` takes and returns what it returns.

    Raises
    ------
    ArgumentError
        From the pullback: if `f` returns something else when it is evaluated again, because an
        array, a loop's variable or a generator of random numbers that it looks at has changed.

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
        positions = [i for i, x in enumerate(leaves) if is_differentiated(x)]
        first: list[list[Any]] = []

        def of_leaves(*leaves: Any) -> Any:
            args, kwargs = optree.tree_unflatten(treedef, leaves)
            out = f(*args, **kwargs)
            first.append([fingerprint(untrace(x)) for x in optree.tree_leaves(out)])
            if differ(first[0], first[-1]):
                raise _is_no_function(name)
            del first[1:]
            return out

        def forward(*leaves: Any) -> Any:
            """Evaluate for the first time, traced as later on: the results agree to the bit."""
            g, primals = restrict(of_leaves, positions, leaves, {})
            return vjp(g, *primals)[0]

        name = getattr(f, "__name__", "f")
        if not positions:
            return _checkpointed(of_leaves, leaves)
        return _checkpointed(of_leaves, [private_copy(x) for x in leaves], forward)

    return wrapped


def fingerprint(x: Any) -> tuple[Any, ...] | None:
    """A key that differs for results that differ in any bit; None for a recorded one."""
    if isinstance(x, Tracer):
        return None
    if not isinstance(x, np.ndarray | np.generic):
        return (x,)
    return x.shape, x.dtype, hash(x.tobytes())


def differ(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether any of two lists of fingerprints are known to be different."""
    pairs = zip(first, second, strict=False)
    return len(first) != len(second) or any(None not in p and p[0] != p[1] for p in pairs)


def _is_no_function(name: str) -> ArgumentError:
    return ArgumentError(
        name,
        "another result when it was evaluated again",
        "a checkpointed function that depends on its arguments alone",
        "an array that it uses has been written to, a variable has changed, or it draws random "
        "numbers; hand these in as arguments",
    )


def _checkpointed(
    f: Callable[..., Any], leaves: Sequence[Any], first: Callable[..., Any] | None = None
) -> Any:
    """Evaluate ``f(*leaves)`` as one checkpointed operation on every level of tracing.

    Once no leaf is traced any more, `first` runs in place of f, if it is given.
    """
    traced, since, n = TracedCall(leaves), Node().index, len(leaves)
    if traced.level == 0:
        return _of_captured(f, leaves, (first or f)(*leaves), since)

    def push(*values_and_tangents: Any) -> Any:
        g, primals = restrict(f, traced.positions, values_and_tangents[:n], {})
        return jvp(g, primals, values_and_tangents[n:])

    def pull(*values_and_cotangents: Any) -> Any:
        g, primals = restrict(f, traced.positions, values_and_cotangents[:n], {})
        cotangent = optree.tree_unflatten(out_treedef, values_and_cotangents[n:])
        return vjp(g, *primals)[1](cotangent)

    if traced.is_forward:
        tangents = [node.tangent for node in traced.nodes]
        out, pushed = _checkpointed(push, [*traced.values, *tangents])
    else:
        out = _checkpointed(f, traced.values, first)
    highest = _highest(out)
    if highest is not None and highest.level >= traced.level:
        is_complete = highest.level == traced.level and not traced.is_forward
        return _of_captured(f, leaves, out if is_complete else f(*leaves), since)
    if traced.is_forward:
        return traced.push(out, pushed)
    out_treedef = optree.tree_structure(out)
    return traced.record(out, lambda cotangents: _checkpointed(pull, [*traced.values, *cotangents]))


def _of_captured(f: Callable[..., Any], leaves: Sequence[Any], out: Any, since: int) -> Any:
    """Checkpoint `out`, computed by f from `leaves` and from tensors captured by its closure.

    Only the ends of its tape are kept: the nodes of the captured tensors, which are those older
    than the call. In the backward pass f runs again, on leaves with fresh nodes, and the tape of
    that run ends at the same captured nodes.
    """
    highest = _highest(out)
    if highest is None or isinstance(highest.node, Tangent):
        return out
    traced = TracedCall(leaves, highest)
    ends = [x.node for x in optree.tree_leaves(out) if is_traced_at(x, traced.level)]
    parents = (parent for node in tape(ends, since) for parent in node.parents)
    captured = list(dict.fromkeys(x for x in (*ends, *parents) if x.index < since))

    def pullback(cotangents: list[Any]) -> Sequence[Any]:
        since = Node().index
        fresh, roots = traced.with_own_nodes()
        again = optree.tree_leaves(f(*fresh))
        seeds: dict[Node, Any] = {}
        for x, cotangent in zip(again, cotangents, strict=True):
            if cotangent is not None and is_traced_at(x, traced.level):
                seeds[x.node] = seeds[x.node] + cotangent if x.node in seeds else cotangent
        found = backward(tape(seeds, since), seeds)
        return [(found | seeds).get(node) for node in (*roots, *captured)]

    traced.nodes += captured
    return traced.record(out, pullback, sparse=True)


def _highest(out: Any) -> Tracer | None:
    """Return the result of the highest level, if any is traced."""
    tracers = (x for x in optree.tree_leaves(out) if is_differentiated(x))
    return max(tracers, key=attrgetter("level"), default=None)
