"""The adjoint recursion by programs: for a step, for the outer gradients, and for a step back.

Each is recorded once, and all K steps run it: recording takes as long whatever K is. If kernels can
run all of them, they become one program of the executor (`scheduled`); otherwise each step is a
call, and states are all that is kept from step to step. Programs are kept under the form of what
they were recorded from (`compile.form_of`), that is, under what the game and the update rule are by
value: another game has other programs, and so has one that was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.compile import Compiled, UnknownFunctionError, form_of
from tinygrad_ugan.errors import NotCompilableError, kind_of
from tinygrad_ugan.kernels.fork_safety import cached_property
from tinygrad_ugan.kernels.program_cache import LRUCache
from tinygrad_ugan.stated import stated
from tinygrad_ugan.tree import add
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.adjoint import backstep, last_adjoint
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState, Optimized
from tinygrad_ugan.unroll.game import AnyGame, Game, SampleForm
from tinygrad_ugan.unroll.method import Method, through_samples
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.recorded import NeedsNumPyError, Recursion

if TYPE_CHECKING:
    from tinygrad_ugan.unroll.scheduled import ScheduledRecursion

MAX_BYTES = 2**29
"""Bound on what all programs hold between calls."""

_programs = LRUCache(MAX_BYTES, max_entries=2**12)

MOST_REFUSALS = 1_000

_refusals: dict[Hashable, str] = {}
"""Why games that were tried cannot be recorded, so that they are not tried again."""


class SharedPrograms(Compiled):
    """A compiled function that has its programs in common with all of equal form."""

    def __init__(self, name: str, f: Callable[..., Any], constants: Hashable) -> None:
        super().__init__(f, _programs)
        self._form = name, constants
        self._hash = hash(self._form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedPrograms) and self._form == other._form

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class CompiledProblem(Problem):
    """A problem whose steps run as programs, forwards and back.

    Attributes
    ----------
    constants : hashable
        The form of all that the programs hold.
    """

    constants: Hashable = None

    def step(self, k: int, theta_g: PyTree, state: InnerState) -> InnerState:
        """Take inner step k."""
        moved: InnerState = self._programs.step(theta_g, state, self.batches[k], self._etas(k))
        return moved

    def outer_gradients(self, final: InnerState) -> tuple[Any, PyTree, PyTree]:
        """Return f_K, the direct term and lambda_K, at s_K."""
        outer = self._programs.outer
        value, (direct, lam) = outer(self.theta_g, final.theta, self.batches[-1])
        return value, direct, lam

    def backstep(self, k: int, state: InnerState, after: InnerState) -> tuple[PyTree, InnerState]:
        """Return c_k and the adjoint of s_k, for that of s_{k+1}."""
        batch, etas = self.batches[k], self._etas(k)
        c, before = self._programs.backstep(self.theta_g, state, batch, etas, after)
        return c, before

    def generated(
        self, generate: Callable[[PyTree, Any], PyTree], batch: Any
    ) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """Return the samples, and the pullback from a gradient with respect to them."""

        def pull_back(theta_g: PyTree, batch: Any, cotangent: PyTree) -> PyTree:
            return autodiff.vjp(lambda g: generate(g, batch), theta_g)[1](cotangent)[0]

        samples = SharedPrograms("generate", generate, self.constants)(self.theta_g, batch)
        pull = SharedPrograms("pull_back", pull_back, self.constants)
        return samples, lambda cotangent: pull(self.theta_g, batch, cotangent)

    @cached_property
    def _programs(self) -> _Programs:
        optimizer = self.rule.optimizer if isinstance(self.rule, Optimized) else None
        return _Programs.of(self.game, optimizer, self.constants)

    def _etas(self, k: int) -> list[float]:
        """The numbers of the update rule at step k."""
        return [self.rule.etas[k]] if isinstance(self.rule, Ascent) else []


class _Programs(NamedTuple):
    """The programs of a game and an update rule; they hold on to nothing else."""

    step: Compiled
    outer: Compiled
    backstep: Compiled

    @classmethod
    def of(cls, game: AnyGame, optimizer: Any, constants: Hashable) -> _Programs:
        def problem(theta_g: PyTree, state: InnerState, batch: Any, etas: list[Any]) -> Problem:
            rule = Ascent(etas) if optimizer is None else Optimized(optimizer)
            return Problem(game, theta_g, state, [batch], rule)

        def step(theta_g: PyTree, state: InnerState, *given: Any) -> InnerState:
            return problem(theta_g, state, *given).step(0, theta_g, state)

        def outer(theta_g: PyTree, theta: PyTree, batch: Any) -> Any:
            return autodiff.value_and_grad(game.outer, argnums=(0, 1))(theta_g, theta, batch)

        def back(theta_g: PyTree, state: InnerState, batch: Any, etas: Any, after: Any) -> Any:
            _, c, before = backstep(problem(theta_g, state, batch, etas), 0, state, after)
            return c, before

        return cls(
            SharedPrograms("step", step, constants),
            SharedPrograms("outer", outer, constants),
            SharedPrograms("backstep", back, constants),
        )


def compiled(problem: Problem) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K, by programs.

    Raises
    ------
    NotCompilableError
        If there are none: the game or the update rule may look at what changes, or cannot be
        recorded.
    """
    functions = None if problem.is_fresh else stated(problem.game, "sample_form")
    results: tuple[Any, PyTree] = _run(_recursion, _with_programs(problem, functions))
    return results


def compiled_ascent(problem: Problem) -> tuple[Any, PyTree]:
    """Value and gradient of `inner` on the first batch, by a program.

    Raises
    ------
    NotCompilableError
        As `compiled`.
    """
    results: tuple[Any, PyTree] = _run(_ascent, _with_programs(problem, None))
    return results


def if_possible(method: Method, otherwise: Method) -> Method:
    """Return a method that takes `otherwise` where a compiled one does not come to its end.

    A game may do by the tape what no program can, and its own errors are best told there.
    """

    def tried(problem: Problem) -> tuple[Any, PyTree]:
        try:
            return method(problem)
        except Exception:
            return otherwise(problem)

    return tried


def _recursion(problem: CompiledProblem) -> tuple[Any, PyTree]:
    """The recursion of `adjoint`: in one call, if the kernels can run all of it."""
    batches = problem.batches if problem.is_fresh else problem.batches[0]
    leaves, treedef = optree.tree_flatten((problem.theta_g, problem.state, batches))
    length = problem.is_fresh, problem.steps, problem.snapshots, problem.constant_steps
    kinds = tuple(map(_kind_of, leaves))

    def write(*_: Any) -> ScheduledRecursion | _NotScheduled:
        from tinygrad_ugan.unroll.scheduled import ScheduledRecursion  # LLVM is slow to import

        recursion = _recorded(problem)
        if isinstance(recursion, _NotScheduled):
            return recursion
        return ScheduledRecursion(recursion, problem, leaves)

    sweep = _programs.get(("sweep", problem.constants, treedef, kinds, *length), write)
    if isinstance(sweep, _NotScheduled):
        return _step_by_step(problem)
    results: tuple[Any, PyTree] = sweep(problem, leaves)
    return results


def _recorded(problem: CompiledProblem) -> Recursion | _NotScheduled:
    """The recursion as it is recorded for any number of steps, if it can be."""
    first, *others = [optree.tree_flatten(batch) for batch in problem.batches]
    if any(_kinds(each) != _kinds(first) for each in others):
        return _NotScheduled()
    kinds = _kinds(first), _kinds(optree.tree_flatten((problem.theta_g, problem.state)))

    def record(*_: Any) -> Recursion | _NotScheduled:
        form = None if problem.is_fresh else stated(problem.game, "sample_form")
        try:
            return Recursion(problem, form)
        except NeedsNumPyError:
            return _NotScheduled()

    key = problem.constants, kinds, problem.is_fresh, problem.steps > 0
    recursion: Recursion | _NotScheduled = _programs.get(("recursion", *key), record)
    return recursion


class _NotScheduled:
    """A recursion that takes calls of NumPy, remembered as such."""

    nbytes = 2**10


def _kinds(flat: tuple[list[Any], Any]) -> Hashable:
    leaves, treedef = flat
    return treedef, tuple(map(_kind_of, leaves))


def _kind_of(x: Any) -> Any:
    """All of a leaf that programs depend on."""
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype
    return type(x) if type(x) is float or isinstance(x, np.generic) else (type(x), x)


@through_samples
def _step_by_step(problem: Any) -> tuple[Any, PyTree]:
    """The recursion of `adjoint`, each step by a call."""
    states = problem.reversed_states()
    _, final = next(states)
    value, total, lam = problem.outer_gradients(final)
    after = last_adjoint(lam, final)
    for k, state in states:
        c, after = problem.backstep(k, state, after)
        total = add(total, c)
    return value, total


def _ascent(problem: CompiledProblem) -> tuple[Any, PyTree]:
    ascend = autodiff.value_and_grad(problem.game.inner, argnums=1)
    program = SharedPrograms("ascent", ascend, problem.constants)
    results: tuple[Any, PyTree] = program(problem.theta_g, problem.state.theta, problem.batches[0])
    return results


def _run(method: Any, problem: CompiledProblem) -> Any:
    """Run a method, unless its game was tried before, in vain."""
    if (refusal := _refusals.get(problem.constants)) is not None:
        raise NotCompilableError(refusal)
    try:
        return method(problem)
    except NotCompilableError as error:
        if len(_refusals) == MOST_REFUSALS:
            _refusals.clear()
        _refusals[problem.constants] = str(error)
        raise


# From a problem to programs


def _with_programs(problem: Problem, functions: SampleForm | None) -> CompiledProblem:
    """Return the same problem as one of programs, which call no other functions than these.

    They are the game's own where none are given.
    """
    rule, state = problem.rule, problem.state
    optimizer = rule.optimizer if isinstance(rule, Optimized) else None
    if optimizer is not None:
        state = state._replace(memory=optree.tree_map(_counted, state.memory))
    _check(problem, state)
    game = problem.game if functions else Game(problem.game.inner, problem.game.outer)
    besides = optimizer, type(problem.batches[0])
    try:
        constants = form_of((problem.game, *besides))
    except UnknownFunctionError:  # a game of any kind, but with functions that are known
        constants = _form_of_functions((game.inner, game.outer), *besides)
    return CompiledProblem(
        game,
        problem.theta_g,
        state,
        problem.batches,
        rule,
        problem.constant_steps,
        problem.snapshots,
        constants,
    )


def _form_of_functions(*things: Any) -> Hashable:
    try:
        return form_of(things)
    except UnknownFunctionError as error:
        raise NotCompilableError(f"{error}; ug.compile(f) says that f does not") from None


def _counted(x: Any) -> Any:
    """A count of steps as a number that a program takes: else each would have its own program."""
    return np.int64(x) if type(x) is int else x


def _check(problem: Problem, state: InnerState) -> None:
    """Refuse what programs do not take; the error says where it is."""
    trees = {
        "theta_g": problem.theta_g,
        "theta_d": state.theta,
        "state": state.memory,
        "batch": problem.batches if problem.is_fresh else problem.batches[0],
        "lr": problem.rule.etas if isinstance(problem.rule, Ascent) else (),
    }
    if _INPUTS.issuperset(map(type, optree.tree_leaves(list(trees.values())))):
        return
    for name, tree in trees.items():
        for x in optree.tree_leaves(tree):
            if type(x) not in _INPUTS and not isinstance(x, np.generic):
                if isinstance(x, Tracer):
                    raise NotCompilableError(f"{name} is traced, to be differentiated")
                raise NotCompilableError(f"{name} holds a {kind_of(x)}, and programs take arrays")


_INPUTS = frozenset({np.ndarray, np.memmap, float, bool, str})
