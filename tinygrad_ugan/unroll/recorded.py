"""The parts of a compiled recursion: what is recorded of a game, once and whatever K is.

The generator, a step, and the outer gradients. Each is cut where its arguments come late, a step at
the adjoint of what it leads to, so that the way back finds all that the way there has computed::

    samples                       = generate(theta_G, batch)
    s_{k+1}                       = step(samples, s_k, batch_k)                 for k = 0 .. K-1
    f_K, total, adjoint of s_K    = outer(samples, s_K, batch_K)
    adjoint of s_k, total + c_k   = step back(adjoint of s_{k+1}, total)        for k = K-1 .. 0
    gradient                      = generate back(total)

Counts, labels, and what follows from them alone are computed by NumPy beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.compile.entries import is_input
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.stages import Stage, record_stages
from tinygrad_ugan.errors import NotCompilableError
from tinygrad_ugan.kernels.fork_safety import cached_property
from tinygrad_ugan.tree import add
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.adjoint import backstep
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState
from tinygrad_ugan.unroll.game import AnyGame, Game, SampleForm
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.validation import is_floating


class NeedsNumPyError(NotCompilableError):
    """The kernels cannot run all of a program."""


class Part:
    """A stage of a recursion, and the piece that runs it in kernels.

    Attributes
    ----------
    program, arguments, returned, kept
        See `Stage`.
    piece : Piece

    Raises
    ------
    NeedsNumPyError
        If the kernels cannot run all of it.
    """

    def __init__(self, stage: Stage, dtype: np.dtype[Any]) -> None:
        self._stage = stage
        self.program, self.arguments = stage.program, stage.arguments
        self.returned, self.kept = stage.returned, stage.kept
        piece = stage.piece(dtype)
        if piece is None:
            raise NeedsNumPyError(f"{stage.program.name} takes calls of NumPy")
        self.piece = piece

    def only(self, results: slice) -> Part:
        """The same for some of the results."""
        return Part(self._stage.only(results), self.piece.dtype)


class Prologue:
    """The stage before a part, by NumPy: all that follows from counts, step sizes and labels alone.

    Attributes
    ----------
    numbers, arrays : list of Symbol
        What the parts after it take.
    """

    def __init__(self, stage: Stage, *parts: Part) -> None:
        if not stage.is_complete:
            raise NeedsNumPyError("an optimiser counts what depends on arrays")
        self._program, self._compute = stage.program, Replay(stage.program)
        self._results = stage.results
        known = {*self._program.inputs, *self._program.outputs}
        taken = dict.fromkeys(x for part in parts for x in part.program.inputs if x in known)
        self.numbers = [x for x in taken if x.kind != "array"]
        self.arrays = [x for x in taken if x.kind == "array"]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute, and at most one number to hand on."""
        return not (self._program.instructions or self.arrays or len(self.numbers) > 1)

    def __call__(self, given: Sequence[Any]) -> tuple[list[Any], list[Array], list[Any]]:
        """Return the numbers and arrays, and the results of the stage."""
        found = self._compute(given) if self._program.outputs else []
        known = dict(zip(self._program.inputs, given, strict=True))
        known |= zip(self._program.outputs, found, strict=True)
        numbers, arrays = ([known[x] for x in each] for each in (self.numbers, self.arrays))
        return numbers, arrays, found[: self._results]


class Recursion:
    """The parts of a recursion of some steps, however many, or of none.

    Parameters
    ----------
    problem : Problem
    form : SampleForm or None
        The factorisation through samples, if it is to be used.

    Attributes
    ----------
    dtype : dtype
        That of all numbers.
    ends : tuple of two Part, or None
        The generator and its pullback, if theta_G acts through samples.
    step : Part or None
        None if there are no steps.
    outer : Part
    thetas, floats : int
        Number of the arrays of theta_D, and of those of a state.
    directs : tuple of Symbol or ndarray
        The direct term; with respect to the samples, if there are any.

    Raises
    ------
    NeedsNumPyError
        If a part of it cannot run in kernels.
    """

    def __init__(self, problem: Problem, form: SampleForm | None) -> None:
        floats, _, _ = split_counts(problem.state)
        leaves = optree.tree_leaves((problem.theta_g, floats))
        self.dtype = np.result_type(*leaves)
        if not all(isinstance(x, np.ndarray) and x.dtype == self.dtype for x in leaves):
            raise NeedsNumPyError("parameters that are no arrays of one dtype")
        game: AnyGame = problem.game
        x, self.ends = problem.theta_g, None
        if form is not None:
            game, x = Game(form.inner_on, form.outer_on), form.generate(x, problem.batches[0])
            early, *stages = _generator(form, x, problem)
            generate, pull_back = self._parts(stages)
            self.ends = generate, pull_back
            self._before_ends = Prologue(early, generate, pull_back)
        self.thetas, self.floats = len(optree.tree_leaves(problem.state.theta)), len(floats)
        early, *stages = _outer(game, x, problem)
        (self.outer,) = self._parts(stages)
        self._before_outer = Prologue(early, self.outer)
        self.directs = self.outer.returned[1 : 1 + len(optree.tree_leaves(x))]
        self.step = None
        if problem.steps:
            early, *stages = _step(game, x, problem)
            step, backstep = self.step, self._backstep = self._parts(stages)
            self._before_step = Prologue(early, step, backstep)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in Python, roughly."""
        parts = [*(self.ends or ()), self.outer]
        if self.step:
            parts += self.step, self._backstep
        return sum(_BYTES_AN_INSTRUCTION * len(each.program.instructions) for each in parts)

    @cached_property
    def outer_alone(self) -> Part:
        """The value and the direct term."""
        return self.outer.only(slice(1 + len(self.directs)))

    @cached_property
    def _last_backstep(self) -> Part:
        """The way back from the first step: nobody asks for the adjoint of s_0."""
        return self._backstep.only(slice(self.floats, None))

    def backsteps(self, count: int) -> list[Part]:
        """The way back, so many steps of it."""
        return [*[self._backstep] * (count - 1), self._last_backstep] if count else []

    def _parts(self, stages: Sequence[Stage]) -> list[Part]:
        return [Part(each, self.dtype) for each in stages]

    # What is computed beforehand

    def prologues(self, steps: int) -> list[Prologue]:
        """Return the prologues of the generator, of the outer gradients and of every step."""
        ends = [self._before_ends] if self.ends else []
        return [*ends, self._before_outer, *([self._before_step] * steps if steps else [])]

    @cached_property
    def _are_etas(self) -> bool:
        """Whether the step sizes, one for each step, are all that there is."""
        others = self.prologues(0)
        is_alone = all(each.is_empty and not each.numbers for each in others)
        step = self._before_step if self.step else None
        return is_alone and (step is None or (step.is_empty and len(step.numbers) == 1))

    def before(self, problem: Problem) -> list[Array]:
        """Return the numbers of all prologues, in their order, and the arrays of each."""
        if isinstance(problem.rule, Ascent) and self._are_etas:
            return [np.array(problem.rule.etas, self.dtype)]
        first, last = labels_of(problem.batches[0]), labels_of(problem.batches[-1])
        counts = split_counts(problem.state)[1]
        given = [first, last] if self.ends else [last]
        numbers, arrays = list[Any](), list[Array]()
        for prologue, labels in zip(self.prologues(0), given, strict=True):
            more, others, _ = prologue(labels)
            numbers, arrays = numbers + more, arrays + others
        for k in range(problem.steps):
            labels = labels_of(problem.batches[k]) if problem.is_fresh else first
            more, others, counts = self._before_step([*_etas(problem, k), *counts, *labels])
            numbers, arrays = numbers + more, arrays + others
        return [np.array(numbers, self.dtype), *arrays]


def labels_of(batch: Any) -> list[Any]:
    """The inputs of programs among the leaves of a batch that are no floats."""
    return [x for x in optree.tree_leaves(batch) if is_input(x) and not is_floating(x)]


def split_counts(
    state: InnerState,
) -> tuple[list[Any], list[Any], Callable[[Sequence[Any], Sequence[Any]], InnerState]]:
    """The floats of a state, its counts, and a function that puts others in their places."""
    leaves, treedef = optree.tree_flatten(state)
    are_counts = [not is_floating(x) for x in leaves]

    def rebuild(floats: Sequence[Any], counts: Sequence[Any]) -> InnerState:
        two = iter(floats), iter(counts)
        state: InnerState = optree.tree_unflatten(treedef, [next(two[i]) for i in are_counts])
        return state

    floats = [x for x, is_count in zip(leaves, are_counts, strict=True) if not is_count]
    counts = [x for x, is_count in zip(leaves, are_counts, strict=True) if is_count]
    return floats, counts, rebuild


_BYTES_AN_INSTRUCTION = 2**13


# Recording


def _generator(form: SampleForm, samples: PyTree, problem: Problem) -> list[Stage]:
    batch = _SplitBatch(problem.batches[0])
    leaves, treedef = optree.tree_flatten(problem.theta_g)
    leaves_of_samples, samples_def = optree.tree_flatten(samples)

    def generate(early: list[Any], given: list[Any], late: list[Any]) -> list[list[Any]]:
        theta_g = optree.tree_unflatten(treedef, given[: len(leaves)])
        whole = batch.joined(early, given[len(leaves) :])
        out, pullback = autodiff.vjp(lambda g: form.generate(g, whole), theta_g)
        back = pullback(optree.tree_unflatten(samples_def, late))
        return [[], optree.tree_leaves(out), optree.tree_leaves(back)]

    groups = batch.labels, [*leaves, *batch.floats], leaves_of_samples
    return record_stages("generate", generate, *groups)


def _step(game: AnyGame, x: PyTree, problem: Problem) -> list[Stage]:
    """A step, its way back, and before both what needs no arrays of floats."""
    batch = _SplitBatch(problem.batches[0])
    arrays, counts, rebuild = split_counts(problem.state)
    etas = [1.0] if isinstance(problem.rule, Ascent) else []
    directs, x_def = optree.tree_flatten(x)
    n, m = len(arrays), len(directs)

    def step(early: list[Any], given: list[Any], late: list[Any]) -> list[list[Any]]:
        etas_now, early = early[: len(etas)], early[len(etas) :]
        x = optree.tree_unflatten(x_def, given[n : n + m])
        whole = batch.joined(early[len(counts) :], given[n + m :])
        rule = Ascent(etas_now) if etas else problem.rule
        here = Problem(game, x, rebuild(given[:n], early[: len(counts)]), [whole], rule)
        after = rebuild(late[:n], [0 for _ in counts])
        total = optree.tree_unflatten(x_def, late[n:])
        moved, moved_counts, _ = split_counts(here.step(0, x, here.state))
        _, c, before = backstep(here, 0, here.state, after)
        back = [*split_counts(before)[0], *optree.tree_leaves(add(total, c))]
        return [moved_counts, moved, back]

    groups = [*etas, *counts, *batch.labels], [*arrays, *directs, *batch.floats]
    return record_stages("step", step, *groups, [*arrays, *directs])


def _outer(game: AnyGame, x: PyTree, problem: Problem) -> list[Stage]:
    batch = _SplitBatch(problem.batches[-1])
    leaves, treedef = optree.tree_flatten((x, problem.state.theta))

    def outer(early: list[Any], given: list[Any]) -> list[list[Any]]:
        players = optree.tree_unflatten(treedef, given[: len(leaves)])
        whole = batch.joined(early, given[len(leaves) :])
        gradients = autodiff.value_and_grad(game.outer, argnums=(0, 1))(*players, whole)
        return [[], optree.tree_leaves(gradients)]

    return record_stages("outer", outer, batch.labels, [*leaves, *batch.floats])


class _SplitBatch:
    """The leaves of a batch, by when programs take them; constants stay.

    Attributes
    ----------
    labels, floats : list
    """

    def __init__(self, batch: Any) -> None:
        self._leaves, self._treedef = optree.tree_flatten(batch)
        self.labels = labels_of(batch)
        self.floats = [x for x in self._leaves if is_floating(x)]

    def joined(self, labels: Sequence[Any], floats: Sequence[Any]) -> Any:
        """A batch of the same kind."""
        early, late = iter(labels), iter(floats)
        leaves = [
            next(late) if is_floating(x) else next(early) if is_input(x) else x
            for x in self._leaves
        ]
        return optree.tree_unflatten(self._treedef, leaves)


def _etas(problem: Problem, k: int) -> list[Any]:
    """The numbers of the update rule at step k."""
    return [problem.rule.etas[k]] if isinstance(problem.rule, Ascent) else []
