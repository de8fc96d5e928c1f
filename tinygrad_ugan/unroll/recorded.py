"""The parts of a compiled recursion: what is recorded of a game, once and whatever K is.

The generator, a step, and the outer gradients. Each is cut where its arguments come late, a step at
the adjoint of what it leads to, so that the way back finds all that the way there has computed::

    samples                       = generate(theta_G, batch)
    s_{k+1}                       = step(samples, s_k, batch_k)                 for k = 0 .. K-1
    f_K, total, adjoint of s_K    = outer(samples, s_K, batch_K)
    adjoint of s_k, total + c_k   = step back(adjoint of s_{k+1}, total)        for k = K-1 .. 0
    gradient                      = generate back(total)

Counts, and what follows from them alone, are computed by NumPy beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.compile.program import Symbol
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
    directs : tuple of Symbol
        The direct term; with respect to the samples, if there are any.
    numbers : list of Symbol
        What steps take that is computed beforehand.

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
            generate, pull_back = self._parts(_generator(form, x, problem))
            self.ends = generate, pull_back
        self.thetas, self.floats = len(optree.tree_leaves(problem.state.theta)), len(floats)
        (self.outer,) = self._parts([_outer(game, x, problem)])
        self.directs = self.outer.returned[1 : 1 + len(optree.tree_leaves(x))]
        self.step, self.numbers = None, list[Symbol]()
        if problem.steps:
            numbers, *stages = _step(game, x, problem)
            step, backstep = self.step, self._backstep = self._parts(stages)
            if not numbers.is_complete:
                raise NeedsNumPyError("an optimiser counts what depends on arrays")
            self._numbers, self._compute = numbers.program, Replay(numbers.program)
            known = {*self._numbers.inputs, *self._numbers.outputs}
            taken = dict.fromkeys((*step.program.inputs, *backstep.program.inputs))
            self.numbers = [each for each in taken if each in known]

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

    def numbers_of_steps(self, problem: Problem) -> Array:
        """The numbers that steps take: a row for each step."""
        shape = problem.steps, len(self.numbers)
        if isinstance(problem.rule, Ascent) and len(self.numbers) < 2:  # step sizes, or nothing
            return np.resize(np.array(problem.rule.etas, self.dtype), shape)
        counts, rows = split_counts(problem.state)[1], []
        for k in range(problem.steps):
            given = [*_etas(problem, k), *counts]
            found = self._compute(given)
            values = dict(zip(self._numbers.inputs, given, strict=True))
            values |= zip(self._numbers.outputs, found, strict=True)
            rows.append([values[x] for x in self.numbers])
            counts = found[: len(counts)]
        return np.array(rows, self.dtype).reshape(shape)


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
    leaves, treedef = optree.tree_flatten((problem.theta_g, problem.batches[0]))
    leaves_of_samples, samples_def = optree.tree_flatten(samples)

    def generate(given: list[Any], cotangents: list[Any]) -> list[list[Any]]:
        theta_g, batch = optree.tree_unflatten(treedef, given)
        out, pullback = autodiff.vjp(lambda g: form.generate(g, batch), theta_g)
        back = pullback(optree.tree_unflatten(samples_def, cotangents))
        return [optree.tree_leaves(out), optree.tree_leaves(back)]

    return record_stages("generate", generate, leaves, leaves_of_samples)


def _step(game: AnyGame, x: PyTree, problem: Problem) -> list[Stage]:
    """A step, its way back, and before both the numbers that need no arrays."""
    arrays, counts, rebuild = split_counts(problem.state)
    etas = [1.0] if isinstance(problem.rule, Ascent) else []
    leaves, treedef = optree.tree_flatten((x, problem.batches[0]))
    directs, x_def = optree.tree_flatten(x)

    def step(numbers: list[Any], given: list[Any], late: list[Any]) -> list[list[Any]]:
        etas_now, counts_now = numbers[: len(etas)], numbers[len(etas) :]
        x, batch = optree.tree_unflatten(treedef, given[len(arrays) :])
        rule = Ascent(etas_now) if etas else problem.rule
        here = Problem(game, x, rebuild(given[: len(arrays)], counts_now), [batch], rule)
        after = rebuild(late[: len(arrays)], [0 for _ in counts])
        total = optree.tree_unflatten(x_def, late[len(arrays) :])
        moved, moved_counts, _ = split_counts(here.step(0, x, here.state))
        _, c, before = backstep(here, 0, here.state, after)
        back = [*split_counts(before)[0], *optree.tree_leaves(add(total, c))]
        return [moved_counts, moved, back]

    return record_stages("step", step, [*etas, *counts], [*arrays, *leaves], [*arrays, *directs])


def _outer(game: AnyGame, x: PyTree, problem: Problem) -> Stage:
    place = x, problem.state.theta, problem.batches[-1]
    leaves, treedef = optree.tree_flatten(place)

    def outer(given: list[Any]) -> list[list[Any]]:
        gradients = autodiff.value_and_grad(game.outer, argnums=(0, 1))
        return [optree.tree_leaves(gradients(*optree.tree_unflatten(treedef, given)))]

    (stage,) = record_stages("outer", outer, leaves)
    return stage


def _etas(problem: Problem, k: int) -> list[Any]:
    """The numbers of the update rule at step k."""
    return [problem.rule.etas[k]] if isinstance(problem.rule, Ascent) else []
