"""Reverse and forward mode in one page: levels, tracers, the tape, the backward pass.

**Tracers.** To differentiate ``f(x)`` we call ``f`` with a `Tracer` in place of ``x``. A tracer
holds a value and, beside it, a node: what the derivative needs to know about how that value came
to be. Every primitive operation that meets a tracer computes its value and makes a new node.

**Levels.** Derivatives nest: inside ``grad(f)`` the function may itself call ``grad``. Each
transform opens a level of its own, a number greater than that of every level opened before it, and
its tracers carry that number. A primitive called on tracers of several levels unwraps the highest
one, calls itself on what is beneath (arrays, or tracers of an outer level) and records one node.
What a rule sees therefore always belongs to the levels below, so that no derivative can leak into
another (no perturbation confusion), nesting goes to any order, and the innermost arithmetic runs
on bare arrays. Numbers are never given back: nothing has to be undone when a function raises, and
threads and generators cannot disturb each other.

**Level 0** is that of bare arrays. A tracer there stands for an array while the arithmetic beneath
all levels is written down as a program (`tinygrad_ugan.compile`); to every rule it is one.

**The tape.** In reverse mode a node is a `Node`: its parents and its pullback, which maps the
cotangent of the result to the cotangents of the parents. In forward mode it is a `Tangent`: the
derivative itself, carried along. An operation with several results has one node, and a node for
each of its results besides: their cotangents wait until all of them can be pulled back at once.

Nothing here knows of NumPy; plain Python floats will do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, TypeAlias

Params: TypeAlias = dict[str, Any]
"""The constants that an operation was given by keyword."""

_level_numbers = itertools.count(1)
_node_numbers = itertools.count()


def new_level() -> int:
    """Open a level: a number greater than all numbers given out before."""
    return next(_level_numbers)


class Tracer:
    """A value of the level below, the level it is traced at, and its node."""

    __slots__ = ("level", "node", "value")

    def __init__(self, value: Any, level: int, node: Any) -> None:
        self.value = value
        self.level = level
        self.node = node


class Operation(Protocol):
    """The part of a primitive that `bind` uses; `primitive.Primitive` is one."""

    @property
    def implementation(self) -> Callable[..., Any]:
        """The function itself, which runs where nothing is traced."""

    @property
    def jvp(self) -> Callable[..., Any]:
        """``jvp(traced, ans, args, params, tangents) -> tangent``."""

    @property
    def vjp(self) -> Callable[..., Sequence[Any]]:
        """``vjp(traced, ans, args, params, cotangent) -> cotangents``, None where there is none."""

    @property
    def multiple_results(self) -> bool:
        """Whether results, tangents and cotangents are sequences, of one for each result."""


def bind(primitive: Operation, args: Sequence[Any], params: Params) -> Any:
    """Apply a primitive, recording it at the highest level among its arguments."""
    level = -1
    for arg in args:
        if isinstance(arg, Tracer) and arg.level > level:
            level = arg.level
            tracer = arg
    if level <= 0:
        if level < 0:
            return primitive.implementation(*args, **params)
        return tracer.node.record_call(primitive, args, params)

    values: list[Any] = []
    traced, nodes = [], []
    for arg in args:
        if isinstance(arg, Tracer) and arg.level == level:
            traced.append(len(values))
            nodes.append(arg.node)
            values.append(arg.value)
        else:
            values.append(arg)
    ans = bind(primitive, values, params)
    node = tracer.node.record(primitive, nodes, traced, ans, values, params)
    if primitive.multiple_results:
        several: Sequence[Node | Tangent] = node.results(len(ans))
        return tuple(map(tracer.__class__, ans, itertools.repeat(level), several))
    return tracer.__class__(ans, level, node)


class Node:
    """One operation on the tape of reverse mode: its parents and its pullback.

    The index grows with time, so that a node's parents always have smaller ones; sorting by it is
    all the topological order that the backward pass needs. A leaf has neither parents nor pullback;
    the i-th of n results of an operation has a `place` ``(i, n)`` in it instead of a pullback.
    """

    __slots__ = ("index", "parents", "place", "pullback")

    place: tuple[int, int]

    def __init__(
        self, parents: Sequence[Node] = (), pullback: Callable[[Any], Sequence[Any]] | None = None
    ) -> None:
        self.index = next(_node_numbers)
        self.parents = parents
        self.pullback = pullback

    @staticmethod
    def record(
        primitive: Operation,
        parents: Sequence[Any],
        traced: Sequence[int],
        ans: Any,
        args: list[Any],
        params: Params,
    ) -> Node:
        """Put an operation on the tape; `traced` holds the positions of `parents` among `args`."""
        return Node(parents, partial(primitive.vjp, traced, ans, args, params))

    def results(self, n: int) -> list[Node]:
        """Nodes for the n results of this operation, whose pullback takes a list of cotangents."""
        nodes: list[Node] = [self.__class__((self,)) for _ in range(n)]
        for i, node in enumerate(nodes):
            node.place = i, n
        return nodes


class Tangent:
    """The node of forward mode: the derivative along the direction that `jvp` was given."""

    __slots__ = ("tangent",)

    def __init__(self, tangent: Any) -> None:
        self.tangent = tangent

    @staticmethod
    def record(
        primitive: Operation,
        parents: Sequence[Any],
        traced: Sequence[int],
        ans: Any,
        args: list[Any],
        params: Params,
    ) -> Tangent:
        """Push the parents' tangents through an operation."""
        tangents = [parent.tangent for parent in parents]
        return Tangent(primitive.jvp(traced, ans, args, params, tangents))

    def results(self, n: int) -> list[Tangent]:
        """The tangents of n results, one by one."""
        return [Tangent(tangent) for tangent in self.tangent]


def tape(nodes: Iterable[Node], since: int = 0) -> list[Node]:
    """All nodes that `nodes` were computed from, themselves included, the newest first.

    Nodes with an index below `since` are left out, and so are their ancestors.
    """
    seen = {node for node in nodes if node.index >= since}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent not in seen and parent.index >= since:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("index"), reverse=True)


def backward(tape: Iterable[Node], cotangents: dict[Node, Any]) -> dict[Node, Any]:
    """Pull cotangents back along the tape, dropping each as soon as it has been used.

    Parameters
    ----------
    tape : iterable of Node
        The newest first, as `tape` gives it.
    cotangents : dict
        The cotangents of the outputs. It is used up, but for what nodes outside the tape get.

    Returns
    -------
    dict
        The cotangents of the leaves (nodes without parents) that the outputs depend on.
    """
    leaves: dict[Node, Any] = {}
    for node in tape:
        cotangent = cotangents.pop(node, None)
        if cotangent is None:
            continue
        if node.pullback is None:
            if not node.parents:
                leaves[node] = cotangent
            else:
                i, n = node.place
                cotangents.setdefault(node.parents[0], [None] * n)[i] = cotangent
            continue
        for parent, part in zip(node.parents, node.pullback(cotangent), strict=True):
            if part is not None:
                known = cotangents.get(parent)
                cotangents[parent] = part if known is None else known + part
    return leaves
