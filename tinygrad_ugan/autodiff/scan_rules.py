"""The derivatives of a scan, which are scans.

A scan here is a loop over flat lists::

    carry, y, terms = step(carry, x)       for every x of the columns

whose results are the last carry, the columns of the y, and the sums of the terms. Traced at some
level, it is a scan of the levels below:

**Forward.** The carry, the x, the y and the terms are joined by their tangents.

**Reverse.** A first scan keeps the carry before every step. The pullback is a second one, from the
last step to the first, that evaluates every step again on the carry that was kept:

    adjoint, x_bar, terms = pull(adjoint, (carry, x, y_bar))

Its terms are the cotangents of tensors that the step captured from around itself; a sum has one and
the same cotangent in every step. So at every level the derivative is again a scan of arrays, run by
`loop` once no level is left, and a reverse pass of any order keeps the carry of every step, and the
inner values of one step at a time.

A step itself puts its values at the level in question, on fresh nodes: there they meet the tensors
that it captured. None stands for zero, and for what has no derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any, TypeAlias

import numpy as np
import optree

from tinygrad_ugan.autodiff.checkpointing import differ, fingerprint
from tinygrad_ugan.autodiff.core import Node, Tangent, Tracer, backward, tape
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.pytrees import is_traced_at, zeros_of
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

Leaves: TypeAlias = list[Any]
Results: TypeAlias = tuple[Leaves, Leaves, Leaves]
Step: TypeAlias = Callable[[Leaves, Leaves], Results]
Levels: TypeAlias = Mapping[int, bool]
"""The levels at which something is traced, and whether each is one of forward mode."""


class UnforeseenTracerError(NotDifferentiableError):
    """A later step captures a tensor of a level that the first step knew nothing of."""


def levels_of(tree: Any) -> dict[int, bool]:
    """The levels at which the leaves of a tree, their values and their tangents are traced."""
    found: dict[int, bool] = {}
    stack = optree.tree_leaves(tree)
    while stack:
        x = stack.pop()
        if isinstance(x, Tracer) and x.level:
            found[x.level] = isinstance(x.node, Tangent)
            stack.append(x.value)
            if isinstance(x.node, Tangent):
                stack.append(x.node.tangent)
    return found


MOST_UNROLLED = 64
"""Steps that a compiled function writes down one by one; more of them are a loop in its program."""


def loop(step: Step, carry: Leaves, xs: Leaves, n: int, first: Results | None = None) -> Results:
    """Take n steps on bare arrays; the results of the first one may be known already."""
    if n > MOST_UNROLLED:
        first = first or step(carry, row(xs, 0))
        recording = _recording((carry, xs, first))
        found = recording and recording.record_loop(step, carry, xs, n, first)
        if found is not None:
            recorded: Results = found
            return recorded
    return unrolled(step, carry, xs, n, first)


def _recording(tree: Any) -> Any:
    """The recording of a compiled function that values are of; None under differentiation."""
    tracers = [x for x in optree.tree_leaves(tree) if isinstance(x, Tracer)]
    return tracers[0].node if tracers and not any(x.level for x in tracers) else None


def row(xs: Leaves, k: int) -> Leaves:
    """The x of a step; None stays."""
    return [None if x is None else x[k] for x in xs]


def unrolled(
    step: Step, carry: Leaves, xs: Leaves, n: int, first: Results | None = None
) -> Results:
    """Take n steps, one after the other."""
    columns: list[_Column] = []
    sums: Leaves = []
    for k in range(n):
        known = first if k == 0 else None
        carry, ys, terms = known or step(carry, row(xs, k))
        columns = columns or [_Column(n) for _ in ys]
        for column, y in zip(columns, ys, strict=True):
            column.put(k, y)
        sums = list(map(plus, sums, terms)) if k else terms
    return carry, [column.stacked() for column in columns], sums


class _Column:
    """The results of all steps in one place, written into one array as long as they are arrays."""

    __slots__ = ("array", "entries", "n")

    def __init__(self, n: int) -> None:
        self.n = n
        self.array: np.ndarray | None = None
        self.entries: list[Any] = []

    def put(self, k: int, y: Any) -> None:
        if k == 0 and isinstance(y, np.ndarray | np.generic):
            self.array = np.empty((self.n, *y.shape), y.dtype)
        if self.array is not None and isinstance(y, np.ndarray | np.generic):
            self.array[k] = y
            return
        if self.array is not None:  # such as a tensor, where the first steps had constants
            self.entries, self.array = list(self.array[:k]), None
        self.entries.append(y)

    def stacked(self) -> Any:
        """Return the array; what is no array stays in a list."""
        if self.array is not None:
            return self.array
        like = next((x for x in self.entries if hasattr(x, "dtype")), None)
        if like is not None:
            return np.stack([zeros_of(like) if x is None else x for x in self.entries])
        return None if all(x is None for x in self.entries) else self.entries


def scan_leaves(step: Step, carry: Leaves, xs: Leaves, n: int, levels: Levels) -> Results:
    """Take n steps, of arrays that are traced at some levels: peel off the highest of them."""
    if levels:
        return (_forward if levels[max(levels)] else _reverse)(step, carry, xs, n, levels)
    results = loop(step, carry, xs, n)
    if levels_of(results):
        raise UnforeseenTracerError(
            "f of scan uses a traced value in a later step that it does not use in the first; hand "
            "it in by init or xs, or cut its derivative with stop_gradient"
        )
    return results


def _forward(step: Step, carry: Leaves, xs: Leaves, n: int, levels: Levels) -> Results:
    level, below = _peeled(levels)

    def split(leaves: Leaves) -> Leaves:
        tangents = [x.node.tangent if is_traced_at(x, level) else None for x in leaves]
        return [*_values(leaves, level), *tangents]

    def join(leaves: Leaves) -> Leaves:
        half = len(leaves) // 2
        pairs = zip(leaves[:half], leaves[half:], strict=True)
        return [x if t is None else Tensor(x, level, Tangent(t)) for x, t in pairs]

    def push(carry: Leaves, x: Leaves) -> Results:
        new, y, terms = step(join(carry), join(x))
        return split(new), split(y), split(terms)

    new, ys, sums = scan_leaves(push, split(carry), split(xs), n, below)
    return join(new), join(ys), join(sums)


def _reverse(step: Step, carry: Leaves, xs: Leaves, n: int, levels: Levels) -> Results:
    level, below = _peeled(levels)
    taped = _StepOnTape(step, level, [is_traced_at(x, level) for x in xs])
    captured: dict[Node, None] = {}

    def forward(carry: Leaves, x: Leaves) -> Results:
        carry = list(map(_contiguous, carry))
        *_, outs = taped(carry, x)
        captured.update(dict.fromkeys(taped.captured(outs)))
        new, y, terms = (_values(leaves, level) for leaves in outs)
        return new, [*y, *carry, _marks(outs)], terms

    values = _values(xs, level)
    new, columns, sums = scan_leaves(forward, _values(carry, level), values, n, below)
    ys, kept = _cut(columns, len(columns) - len(carry) - 1)
    back = _Backwards(
        taped, [is_traced_at(x, level) for x in carry], list(captured), kept[:-1], values, kept[-1],
        len(ys), n, below,
    )  # fmt: skip
    outs = [*new, *ys, *sums]
    parents = [x.node for x in (*carry, *xs) if is_traced_at(x, level)]
    nodes = CopyingNode([*parents, *captured], back).results(len(outs))
    active = [node if _is_floating(y) else None for y, node in zip(outs, nodes, strict=True)]
    new, ys, sums = _cut(_at(level, outs, active), len(new), len(ys))
    return new, ys, sums


@dataclass(frozen=True, slots=True)
class _StepOnTape:
    """A step that is taken on fresh nodes, of a level of reverse mode.

    Attributes
    ----------
    step : callable
    level : int
    inputs : list of bool
        Which of the x are traced at this level; of the carry it is all that is floating.
    since : int
        Nodes before this one are those of tensors from around the step.
    """

    step: Step
    level: int
    inputs: list[bool]
    since: int = field(default_factory=lambda: Node().index)

    def __call__(self, carry: Leaves, x: Leaves) -> tuple[Leaves, Leaves, Results]:
        """Return the nodes of the carry and of the x, None for constants, and the results."""
        roots = [CopyingNode() if _is_floating(c) else None for c in carry]
        x_roots = [CopyingNode() if traced else None for traced in self.inputs]
        return (
            roots,
            x_roots,
            self.step(_at(self.level, carry, roots), _at(self.level, x, x_roots)),
        )

    def captured(self, outs: Results) -> list[Node]:
        """The nodes of tensors from around the step that its results were computed from."""
        ends = [x.node for x in chain(*outs) if is_traced_at(x, self.level)]
        parents = (parent for node in tape(ends, self.since) for parent in node.parents)
        return [node for node in (*ends, *parents) if node.index < self.since]

    def pull(self, outs: Results, cotangents: Sequence[Any]) -> dict[Node, Any]:
        """Pull the cotangents of the results back to the nodes of carry and x, and of captured."""
        seeds: dict[Node, Any] = {}
        for out, part in zip(chain(*outs), cotangents, strict=True):
            if part is not None and is_traced_at(out, self.level):
                seeds[out.node] = seeds[out.node] + part if out.node in seeds else part
        return backward(tape(seeds, self.since), seeds) | seeds


@dataclass(frozen=True, slots=True)
class _Backwards:
    """The pullback of a scan: another one, from the last step to the first.

    Attributes
    ----------
    taped : _StepOnTape
    carried : list of bool
        Which parts of the first carry are traced.
    captured : list of Node
        Of the tensors from around the step.
    states, xs : list
        Columns of the carry before every step, and of the x.
    marks : list
        What every step returned, to be recognised.
    n_y, n : int
        Number of the y, and of steps.
    levels : dict
        Those of the states and xs, and of the tensors from around the step.
    """

    taped: _StepOnTape
    carried: list[bool]
    captured: list[Node]
    states: Leaves
    xs: Leaves
    marks: list[Any]
    n_y: int
    n: int
    levels: Levels

    def __call__(self, cotangents: Sequence[Any]) -> Leaves:
        carry_bar, ys_bar, sums_bar = _cut(cotangents, len(self.states), self.n_y)

        def pull(adjoint: Leaves, x: Leaves) -> Results:
            state, x, y_bar, (mark,) = _cut(x, len(self.states), len(self.xs), self.n_y)
            roots, x_roots, outs = self.taped(state, x)
            if mark is not None and differ(_marks(outs), mark):
                raise _is_no_function()
            found = self.taped.pull(outs, [*adjoint, *y_bar, *sums_bar])
            back, x_bar, terms = (
                [found.get(node) for node in nodes] for nodes in (roots, x_roots, self.captured)
            )
            return back, x_bar, terms

        again = map(_flipped, [*self.states, *self.xs, *ys_bar, self.marks])
        levels = {**self.levels, **levels_of(cotangents)}
        back, xs_bar, found = scan_leaves(pull, carry_bar, list(again), self.n, levels)
        return [
            *compress(back, self.carried),
            *map(_flipped, compress(xs_bar, self.taped.inputs)),
            *found,
        ]


def _peeled(levels: Levels) -> tuple[int, Levels]:
    """The highest level, and the others."""
    highest = max(levels)
    return highest, {level: mode for level, mode in levels.items() if level < highest}


def _at(level: int, values: Leaves, nodes: Sequence[Node | None]) -> Leaves:
    """Trace the values that have a node."""
    pairs = zip(values, nodes, strict=True)
    return [x if node is None else Tensor(x, level, node) for x, node in pairs]


def _values(leaves: Leaves, level: int) -> Leaves:
    return [x.value if is_traced_at(x, level) else x for x in leaves]


def _cut(leaves: Sequence[Any], *sizes: int) -> list[Leaves]:
    """Cut a list into pieces of the given sizes, and the rest."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [list(leaves[i:j]) for i, j in zip(ends, [*ends[1:], None], strict=True)]


def _is_floating(x: Any) -> bool:
    return getattr(getattr(x, "dtype", None), "kind", "") == "f"


def _flipped(column: Any) -> Any:
    return None if column is None else column[::-1]


def _contiguous(x: Any) -> Any:
    """Lay an array out as in a column, where it is kept, so that a step rounds as it will again."""
    flags = getattr(untrace(x), "flags", None)
    return x if flags is None or flags.c_contiguous else np.reshape(np.ravel(x), x.shape)


def _marks(outs: Results) -> list[Any]:
    """By what to recognise results; None fits anything, as zero may be None or an array."""
    carry, y, _ = outs
    return [fingerprint(untrace(x)) if hasattr(x, "dtype") else None for x in (*carry, *y)]


def plus(total: Any, term: Any) -> Any:
    """Add two terms of a sum, None for zero."""
    if total is None or term is None:
        return term if total is None else total
    return total + term


def _is_no_function() -> ArgumentError:
    return ArgumentError(
        "f",
        "another result when a step was evaluated again",
        "a function that depends on carry, x and constants alone",
        "an array that it uses has been written to, a variable has changed, or it draws random "
        "numbers; hand these in by init or xs",
    )
