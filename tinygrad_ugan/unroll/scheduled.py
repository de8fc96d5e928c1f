"""The compiled recursion as one program of the executor, whose schedule runs over k."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import optree
from numpy.typing import DTypeLike

from tinygrad_ugan.compile.assembly import Assembly
from tinygrad_ugan.compile.program import Symbol
from tinygrad_ugan.kernels.program import NOWHERE, Executable, Place, Program
from tinygrad_ugan.kernels.schedule import Advance, Outer, Reverse
from tinygrad_ugan.kernels.target import host_target
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.recorded import Part, Prologue, Recursion, split_counts
from tinygrad_ugan.unroll.validation import is_floating

MOST_KEPT = 2**29
"""Bytes that all steps keep for the way back, before steps are taken again instead."""

Places = list[Place]
Known = Mapping[Symbol, Place]
Kind = tuple[tuple[int, ...], np.dtype[Any]]


class ScheduledRecursion:
    """A recursion of K steps, ready to run; several threads may call it at once.

    Parameters
    ----------
    recursion : Recursion
    problem : Problem
        Any one of its kind.
    leaves : list
        Those of theta_G, s_0 and the batches, or the one batch of all steps.
    """

    def __init__(self, recursion: Recursion, problem: Problem, leaves: Sequence[Any]) -> None:
        self._recursion = recursion
        self._treedef = optree.tree_structure(problem.theta_g)
        self._places = [i for i, x in enumerate(leaves) if is_floating(x)]
        self._kinds = [list(map(_kind, each)) for each in self._given(problem, leaves)]
        self._idle = [_ScheduleWriter(recursion, problem, *self._kinds).executable()]

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls."""
        return sum(each.nbytes for each in self._idle)

    def __call__(self, problem: Problem, leaves: Sequence[Any]) -> tuple[Any, PyTree]:
        """Return f_K and its gradient."""
        arrays, before = self._given(problem, leaves)
        try:
            executable = self._idle.pop()
        except IndexError:
            executable = _ScheduleWriter(self._recursion, problem, *self._kinds).executable()
        value, *gradient = executable.run([*arrays, *before])
        self._idle.append(executable)
        return value[()], optree.tree_unflatten(self._treedef, gradient)

    def _given(self, problem: Problem, leaves: Sequence[Any]) -> tuple[list[Array], list[Array]]:
        """All floats of a problem, and what is computed of the rest beforehand."""
        dtype = self._recursion.dtype
        floats = (leaves[i] for i in self._places)
        arrays = [
            x if type(x) is np.ndarray else np.asarray(x, dtype if type(x) is float else None)
            for x in floats
        ]
        return arrays, self._recursion.before(problem)


def _kind(x: Array) -> Kind:
    return x.shape, x.dtype


class _ScheduleWriter:
    """Writes the calls of a sweep: of the generator, the schedule, and the generator's pullback."""

    def __init__(
        self,
        recursion: Recursion,
        problem: Problem,
        arrays: Sequence[Kind],
        before: Sequence[Kind],
    ) -> None:
        self._recursion, self._problem = recursion, problem
        reversals = sum(type(move) is Reverse for move in problem.schedule)
        self._backsteps = recursion.backsteps(reversals)
        self._outer = recursion.outer if reversals else recursion.outer_alone
        parts = [*(recursion.ends or ()), *filter(None, [recursion.step]), self._outer]
        pieces = dict.fromkeys(each.piece for each in (*parts, *self._backsteps))
        self._program = Program(host_target(), recursion.dtype)
        self._assembly = Assembly(self._program, list(pieces))
        theta_g = optree.tree_leaves(problem.theta_g)
        given = iter([self._input(*kind) for kind in arrays])
        self._theta_g = list(itertools.islice(given, len(theta_g)))
        self.start = list(itertools.islice(given, recursion.floats))
        self._batches = list(given)
        self._before = self._places_of(recursion.prologues(problem.steps), before)
        self._value = self._result(())
        self._gradient = [self._result(x.shape) for x in theta_g]

    def executable(self) -> Executable:
        """Write all calls, and build the tables."""
        if self._recursion.ends is None:
            self._write(self._theta_g, self._gradient)
        else:
            generate, pull_back = self._recursion.ends
            samples, total = self.rooms(generate.returned), self.rooms(generate.returned)
            known = self.run(generate, [*self._theta_g, *self.batch(0)], samples, self._before[0])
            self._write(samples, total)
            self.run(pull_back, total, self._gradient, known)
        return self._program.compile()

    def _write(self, x: Places, gradient: Places) -> None:
        """Write all moves of the schedule; the gradient is that with respect to x."""
        steps = _Steps(self, self._recursion, self._problem, x)
        pair = itertools.cycle([self._cotangent(), self._cotangent()])
        backsteps = iter(self._backsteps)
        late: Places = []
        for move in self._problem.schedule:
            match move:
                case Advance(k, source, target):
                    steps.take(k, source, target)
                case Outer(source):
                    late = self._write_outer(x, steps.states[source], next(pair), gradient)
                case Reverse(k, source):
                    backstep, known = next(backsteps), steps.known(k, source)
                    into = gradient if backstep is self._backsteps[-1] else next(pair)
                    self.run(backstep, late, into, known)
                    late = into

    def _write_outer(self, x: Places, state: Places, late: Places, gradient: Places) -> Places:
        """Write the outer gradients, which do not depend on what an optimiser remembers."""
        thetas, floats = self._recursion.thetas, self._recursion.floats
        arguments = [*x, *state[:thetas], *self.batch(-1)]
        before = self._before[len(self._before) - self._problem.steps - 1]
        if not self._backsteps:
            self.run(self._outer, arguments, [self._value, *gradient], before)
            return []
        lam, total = late[:thetas], late[floats:]
        self.run(self._outer, arguments, [self._value, *total, *lam], before)
        memory = split_counts(self._problem.state)[0][thetas:]
        zeros = [Place(NOWHERE, constant=np.zeros_like(each, order="C")) for each in memory]
        return [*lam, *zeros, *total]

    def _cotangent(self) -> Places:
        """Room for the adjoint of a state, and for the total."""
        floats, _, _ = split_counts(self._problem.state)
        return self.rooms([*floats, *self._recursion.directs])

    # What every part needs

    def run(
        self,
        part: Part,
        arguments: Places,
        results: Places,
        known: Known = MappingProxyType({}),
        kept: Places | None = None,
    ) -> Known:
        """Write a part; return where all is that later ones may take."""
        outputs = [*results, *(self.rooms(part.kept) if kept is None else kept)]
        places = {**known, **dict(zip(part.arguments, arguments, strict=True))}
        self._assembly.add(part.piece, [places[x] for x in part.program.inputs], outputs)
        made = zip(part.program.outputs, outputs, strict=True)
        return places | {x: place for x, place in made if isinstance(x, Symbol)}

    def rooms(self, values: Iterable[Any]) -> Places:
        """Room for some values, in whole cache lines."""
        return [self._program.memory(-(-x.nbytes // _LINE) * _LINE) for x in values]

    def batch(self, k: int) -> Places:
        """The places of b_k."""
        if not self._problem.is_fresh:
            return self._batches
        batches = len(self._problem.batches)
        size = len(self._batches) // batches
        return self._batches[k % batches * size :][:size]

    def before_step(self, k: int) -> Known:
        """The places of what step k takes from before."""
        return self._before[len(self._before) - self._problem.steps + k]

    def _places_of(self, prologues: Sequence[Prologue], before: Sequence[Kind]) -> list[Known]:
        """The places of what every prologue computes: `before`, where all numbers come first."""
        numbers, *arrays = (self._input(*kind) for kind in before)
        places = iter(arrays)
        found, first = list[Known](), 0
        for each in prologues:
            known = {x: next(places) for x in each.arrays}
            for x in each.numbers:
                known[x] = numbers.after(first)
                first += self._recursion.dtype.itemsize
            found.append(known)
        return found

    def _input(self, shape: tuple[int, ...], dtype: DTypeLike) -> Place:
        return Place(NOWHERE, self._program.input("input", shape, dtype=dtype))

    def _result(self, shape: tuple[int, ...]) -> Place:
        return Place(NOWHERE, self._program.result(shape))


class _Steps:
    """The steps of a sweep that have been written: the state in every slot, and what they keep.

    They are taken once more on the way back if only some states are to be kept, or if all would
    keep too much.
    """

    def __init__(
        self, writer: _ScheduleWriter, recursion: Recursion, problem: Problem, x: Places
    ) -> None:
        self._writer, self._step, self._x = writer, recursion.step, x
        self.states = {0: writer.start}
        kept = problem.steps * sum(each.nbytes for each in self._step.kept) if self._step else 0
        self._takes_again = problem.snapshots is not None or kept > MOST_KEPT
        self._slots = dict[int, Places]()
        self._kept = dict[int, Places]()
        self._known = dict[int, Known]()

    def take(self, k: int, source: int, target: int) -> None:
        """Write step k, from slot to slot."""
        assert self._step
        place = 0 if self._takes_again else k
        if target not in self._slots:
            self._slots[target] = self._writer.rooms(self._step.returned)
        if place not in self._kept:
            self._kept[place] = self._writer.rooms(self._step.kept)
        arguments = [*self.states[source], *self._x, *self._writer.batch(k)]
        known, results, kept = self._writer.before_step(k), self._slots[target], self._kept[place]
        self._known[k] = self._writer.run(self._step, arguments, results, known, kept)
        self.states[target] = self._slots[target]

    def known(self, k: int, source: int) -> Known:
        """The places of all that step k computes."""
        if self._takes_again:
            self.take(k, source, _NO_SLOT)
        return self._known[k]


_NO_SLOT = -1
_LINE = 64  # bytes of a cache line
