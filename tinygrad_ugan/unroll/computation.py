"""The computation of f_K as a graph, read off the tape: the picture of Metz et al., figure 1.

The unrolled program is traced with theta_G and theta_0 on the tape. Its stages, which are the
samples, each g_k, each theta_k and f_K, are marked as they come, and what leads from one to the
other is found on the tape: nothing is drawn that the engine did not record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.autodiff.core import Node, new_level
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import InnerState
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, make_problem

Edge = tuple[str, str]


@dataclass(frozen=True)
class ComputationGraph:
    """The stages of f_K and what leads from one to another: the result of `computation_graph`.

    Stages are named "theta_G", "samples" (where the players meet only through them), "theta_0" to
    "theta_K" with K in digits, "g_0" to "g_K-1", and "f".

    Attributes
    ----------
    steps : int
        K.
    operations : mapping of str to int
        For each stage, in the order of computation, the operations on the tape that lead to it from
        those before it.
    edges : frozenset of (str, str)
        Pairs of stages of which the second is computed from the first.
    direct : frozenset of (str, str)
        The edges along which the gradient flows back to theta_G where theta_K is held constant.
    indirect : frozenset of (str, str)
        The others along which it flows: what `detached` drops.
    """

    steps: int
    operations: Mapping[str, int]
    edges: frozenset[Edge]
    direct: frozenset[Edge]
    indirect: frozenset[Edge]


def computation_graph(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float],
) -> ComputationGraph:
    """Trace f_K, as it is and with its steps held constant; return the stages and their edges.

    `viz.computation_graph` draws it.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `value_and_grad`.

    Returns
    -------
    ComputationGraph

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y - y**2)
    >>> graph = ug.unroll.computation_graph(game, 2.0, 3.0, None, steps=1, lr=0.5)
    >>> sorted(graph.edges)
    [('g_0', 'theta_1'), ('theta_0', 'g_0'), ('theta_0', 'theta_1'), ('theta_1', 'f'), ('theta_G',
    'f'), ('theta_G', 'g_0')]
    >>> sorted(graph.direct), sorted(graph.indirect)
    ([('theta_G', 'f')], [('g_0', 'theta_1'), ('theta_1', 'f'), ('theta_G', 'g_0')])
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    operations, edges = _trace(problem, lambda g: g)
    _, without = _trace(problem, autodiff.stop_gradient)
    direct, whole = _between(without), _between(edges)
    return ComputationGraph(problem.steps, operations, edges, direct, whole - direct)


def _between(edges: frozenset[Edge]) -> frozenset[Edge]:
    """The edges on the ways from theta_G to f."""
    forwards = _reached("theta_G", edges)
    backwards = _reached("f", frozenset((target, source) for source, target in edges))
    return frozenset((s, t) for s, t in edges if s in forwards and t in backwards)


def _reached(start: str, edges: frozenset[Edge]) -> set[str]:
    found, stack = {start}, [start]
    while stack:
        here = stack.pop()
        following = {target for source, target in edges if source == here} - found
        found |= following
        stack.extend(following)
    return found


def _trace(
    problem: Problem, cut: Callable[[PyTree], PyTree]
) -> tuple[dict[str, int], frozenset[Edge]]:
    """Run the unrolled program, with `cut` applied to each g_k, and note its stages."""
    stages = _Stages()
    theta_g = players = stages.leaf("theta_G", problem.theta_g)
    state = InnerState(stages.leaf("theta_0", problem.state.theta), problem.state.memory)
    form = stated(problem.game, "sample_form")
    if form is not None and not problem.is_fresh:
        players = stages.mark("samples", form.generate(theta_g, problem.batches[0]))
        problem, _ = problem.on_samples()
    for k in range(problem.steps):
        g = stages.mark(f"g_{k}", problem.gradient(k, players, state.theta))
        state = problem.rule.advance(k, cut(g), state)
        stages.mark(f"theta_{k + 1}", state.theta)
    stages.mark("f", problem.outer(players, state.theta))
    return stages.operations, frozenset(stages.edges)


class _Stages:
    """The stages so far: the nodes of the tape that hold their results, and what leads to them."""

    def __init__(self) -> None:
        self._level = new_level()
        self._owners: dict[Node, str] = {}
        self.operations: dict[str, int] = {}
        self.edges: list[Edge] = []

    def leaf(self, name: str, tree: PyTree) -> PyTree:
        """Put arrays on the tape, where it begins."""
        traced = optree.tree_map(
            lambda x: Tensor(np.asarray(x)[()], self._level, CopyingNode()), tree
        )
        return self.mark(name, traced)

    def mark(self, name: str, tree: PyTree) -> PyTree:
        """Note that these are the results of a stage, and find those that it was computed from."""
        nodes = [x.node for x in optree.tree_leaves(tree) if self._is_traced(x)]
        self.operations[name] = 0
        seen: set[Node] = set()
        self._follow(name, nodes, seen)
        self._owners |= {node: name for node in nodes if node not in self._owners}
        return tree

    def _follow(self, name: str, nodes: Iterable[Node], seen: set[Node]) -> None:
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if (owner := self._owners.get(node)) is not None:
                if (owner, name) not in self.edges:
                    self.edges.append((owner, name))
                continue
            self.operations[name] += bool(node.parents)
            stack.extend(node.parents)

    def _is_traced(self, x: Any) -> bool:
        return isinstance(x, Tensor) and x.level == self._level
