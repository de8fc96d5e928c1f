"""The exact gradient of games between multilayer perceptrons, in one call of compiled code.

The adjoint recursion of `tinygrad_ugan.unroll.adjoint`, run by
`tinygrad_ugan.kernels.sweep_program`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.nn import ACTIVATIONS
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import Ascent, UpdateRule
from tinygrad_ugan.unroll.forms import Form
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.snapshots import reversed_states

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program_cache import ProgramPool
    from tinygrad_ugan.kernels.sweep import Move, Sweep, Term
    from tinygrad_ugan.kernels.sweep_program import Result, SweepProgram


MOST_KEPT = 512 * 2**20
"""Bytes of activations that are kept for the way back, before steps are taken again instead."""


class Found(NamedTuple):
    """What comes out; `is_sound` if all of it, and of the batches, is finite for sure.

    If not, other methods may find numbers where there is NaN here: pads are zero, and zero times an
    infinity is NaN.
    """

    value: Any
    gradient: PyTree
    is_sound: bool


def fused(problem: Problem, snapshots: int | None = None, constant_steps: int = 0) -> Found:
    """Value and exact gradient of f_K, with the first `held` steps held constant."""
    plan = _plan(problem, constant_steps=constant_steps, snapshots=snapshots)
    program = _programs().acquire(plan) or _build(plan)
    value, (gradient,), is_sound = _run(program, problem)
    _programs().release(plan, program)
    return Found(value, _tree(gradient), is_sound)


def fused_ascent(problem: Problem) -> Found:
    """Value and gradient of the inner objective at theta_0, for a problem of no steps."""
    from tinygrad_ugan.kernels.ascent_program import AscentProgram
    from tinygrad_ugan.kernels.target import host_target

    plan, batch = _plan(problem), problem.batches[0]
    players = _leaves(problem.theta_g), _leaves(problem.state.theta)
    key = ("ascent", plan)
    program = _programs().acquire(key) or AscentProgram(_sweep(plan), host_target(), plan.dtype)
    value, gradient, is_sound = program.ascent(*players, batch.real, batch.noise)
    _programs().release(key, program)
    return Found(value, _tree(gradient), is_sound)


class Parts(NamedTuple):
    """What `tinygrad_ugan.unroll.decompose` shows, computed in one call."""

    value: Any
    direct: PyTree
    per_step: tuple[PyTree, ...]
    trajectory: tuple[PyTree, ...]
    inner_values: NDArray
    grad_theta_d: PyTree
    grad_lr: NDArray
    adjoint_norms: NDArray


def parts(problem: Problem) -> Parts | None:
    """Take the gradient of f_K apart; see `tinygrad_ugan.unroll.Terms`. None if it is not sound."""
    plan = _plan(problem, terms=True)
    program = _programs().acquire(plan) or _build(plan)
    result = _run(program, problem)
    *per_step, direct = map(_tree, result.gradients)
    found = Parts(
        value=result.value,
        direct=direct,
        per_step=tuple(per_step),
        trajectory=tuple(
            _tree(program.parameters(program.theta, k)) for k in range(problem.steps + 1)
        ),
        inner_values=program.inner_values(),
        grad_theta_d=_tree(program.parameters(program.lam)),
        grad_lr=program.step_size_gradients(),
        adjoint_norms=program.adjoint_norms(),
    )
    _programs().release(plan, program)
    return found if result.is_sound else None


def warmup(activation: str = "tanh") -> None:
    """Compile, or read from the disk, what games between networks of this activation need.

    That is done when it is first needed in any case; this is to do it at a time of one's own
    choosing, such as before a measurement. It covers networks with one or more hidden layers, the
    minimax loss and plain inner ascent, in float32 and float64.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> ug.warmup()
    """
    from tinygrad_ugan.kernels import executor
    from tinygrad_ugan.kernels.network import Network
    from tinygrad_ugan.kernels.sweep import Sweep, Term, straight
    from tinygrad_ugan.kernels.sweep_program import SweepProgram
    from tinygrad_ugan.kernels.target import host_target

    check_choice("activation", activation, ACTIVATIONS)
    target = host_target()
    executor.runner(target)
    executor.server(target)
    some = 2  # a size or a factor that no kernel depends on
    terms = (Term("log_sigmoid", some), Term("log_sigmoid_of_minus", some))
    hidden, data = ((some,), (some, some)), (1, 2, 3, 4, 5)
    for dtype, widths, n in itertools.product((np.float32, np.float64), hidden, data):
        generator = Network((some, *widths, n), activation)
        discriminator = Network((n, *widths, 1), activation)
        moves = straight(some, some)
        sweep = Sweep(generator, discriminator, some, some, terms, terms, some, moves)
        SweepProgram(sweep, target, dtype)


def why_not_auto(problem: Problem) -> str | None:
    """Why "auto" does not take `fused`; None if it does."""
    reason = why_not_fused(problem)
    if reason is None and not _has_vectors():
        return "there are no vector kernels for this processor"
    return reason


@functools.cache
def _has_vectors() -> bool:
    from tinygrad_ugan.kernels.target import PLAIN, host_target

    return host_target() != PLAIN


def why_not_fused(problem: Problem) -> str | None:
    """Why `fused` cannot take a problem; None if it can."""
    form = problem.form
    if isinstance(form, str):
        return form
    if form.discriminator.sizes[-1] != 1:
        return f"the discriminator has {form.discriminator.sizes[-1]} outputs, not one logit"
    if form.generator.sizes[-1] != form.discriminator.sizes[0]:
        return "the generator's output does not fit the discriminator's input"
    return _why_not_arrays(form, problem)


def _why_not_arrays(form: Form, problem: Problem) -> str | None:
    arrays = _arrays_if_fit(problem.theta_g, form.generator.sizes)
    others = _arrays_if_fit(problem.state.theta, form.discriminator.sizes)
    if arrays is None or others is None:
        name = "theta_g" if arrays is None else "theta_d"
        return f"{name} is not a list of {{'w', 'b'}} with the shapes of its MLP"
    arrays += others
    dtype = arrays[0].dtype
    if dtype not in _DTYPES:
        return f"the parameters are of dtype {dtype}, neither float32 nor float64"
    d, z = form.discriminator.sizes[0], form.generator.sizes[0]
    rows = None
    for batch in problem.batches if problem.is_fresh else problem.batches[:1]:
        try:
            real, noise = batch.real, batch.noise
        except AttributeError:
            return "the batch has no real and noise, as ug.gan.Batch does"
        if not (_is_matrix(real, d) and _is_matrix(noise, z)):
            return "the batch does not hold two matrices with the networks' numbers of columns"
        rows = rows or (len(real), len(noise))
        if (len(real), len(noise)) != rows:
            return "the batches are not all of one size"
        arrays += (real, noise)
    if [x.dtype for x in arrays] != [dtype] * len(arrays):
        return "parameters and batch are not all of one dtype"
    return None


_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _arrays_if_fit(theta: Any, sizes: tuple[int, ...]) -> list[NDArray] | None:
    """W and b of every layer, if they are as a network of these sizes makes them."""
    if type(theta) is not list or len(theta) != len(sizes) - 1:
        return None
    arrays = []
    for layer, shapes in zip(theta, _shapes(sizes), strict=True):
        if type(layer) is not dict or len(layer) != 2:
            return None
        for name, shape in shapes:
            x = layer.get(name)
            if type(x) is not np.ndarray or x.shape != shape:
                return None
            arrays.append(x)
    return arrays


@functools.cache
def _shapes(sizes: tuple[int, ...]) -> list[tuple[tuple[str, tuple[int, ...]], ...]]:
    """Of w and b of every layer, by these names."""
    return [(("w", (m, n)), ("b", (n,))) for m, n in itertools.pairwise(sizes)]


def _is_matrix(x: Any, columns: int) -> bool:
    return type(x) is np.ndarray and x.ndim == 2 and x.shape[1] == columns and len(x) > 0


def _leaves(theta: PyTree) -> list[NDArray]:
    """W and b of every layer, in the kernels' order."""
    return [layer[name] for layer in theta for name in ("w", "b")]


def _tree(arrays: Sequence[NDArray]) -> PyTree:
    """The way back from `_leaves`."""
    return [{"w": w, "b": b} for w, b in zip(arrays[::2], arrays[1::2], strict=True)]


class _Plan(NamedTuple):
    """What a program depends on, in a form that is quickly compared."""

    form: Form
    real: int
    fake: int
    steps: int
    constant_steps: int
    snapshots: int | None
    fresh: bool
    terms: bool
    dtype: str


def _plan(
    problem: Problem, constant_steps: int = 0, snapshots: int | None = None, *, terms: bool = False
) -> _Plan:
    batch = problem.batches[0]
    return _Plan(
        form=cast("Form", problem.form),  # `why_not_fused` was asked before
        real=len(batch.real),
        fake=len(batch.noise),
        steps=problem.steps,
        constant_steps=constant_steps,
        snapshots=snapshots,
        fresh=problem.is_fresh,
        terms=terms,
        dtype=batch.real.dtype.char,
    )


def _term(term: tuple[str, float] | None) -> Term | None:
    from tinygrad_ugan.kernels.sweep import Term

    return None if term is None else Term(*term)


def _build(plan: _Plan) -> SweepProgram:
    from tinygrad_ugan.kernels.sweep_program import SweepProgram
    from tinygrad_ugan.kernels.target import host_target

    return SweepProgram(_sweep(plan), host_target(), plan.dtype)


def _sweep(plan: _Plan) -> Sweep:
    from tinygrad_ugan.kernels.network import Network
    from tinygrad_ugan.kernels.sweep import Sweep, straight

    if plan.snapshots is None:
        moves = straight(plan.steps, plan.steps - plan.constant_steps)
    else:
        moves = _moves(plan.steps, plan.constant_steps, plan.snapshots)
    (inner_r, inner_s), (outer_r, outer_s) = plan.form.inner, plan.form.outer
    return Sweep(
        Network(*plan.form.generator),
        Network(*plan.form.discriminator),
        plan.real,
        plan.fake,
        (_term(inner_r), _term(inner_s)),
        (_term(outer_r), _term(outer_s)),
        plan.steps,
        moves,
        rule=plan.form.rule,
        fresh=plan.fresh,
        keep=plan.snapshots is None and _kept_bytes(plan) <= MOST_KEPT,
        terms=plan.terms,
    )


@functools.cache
def _programs() -> ProgramPool:
    from tinygrad_ugan.kernels.program_cache import ProgramPool

    return ProgramPool(2 * MOST_KEPT, max_entries=64)


def _run(program: SweepProgram, problem: Problem) -> Result:
    batches = problem.batches if problem.is_fresh else problem.batches[:1]
    return program.run(
        _leaves(problem.theta_g),
        _leaves(problem.state.theta),
        [batch.real for batch in batches],
        [batch.noise for batch in batches],
        _scalars(problem.rule, problem.steps),
    )


def _scalars(rule: UpdateRule, steps: int) -> NDArray:
    """What the kernels of a rule read at every step; see `tinygrad_ugan.kernels.parameters`."""
    if isinstance(rule, Ascent):
        return np.array(rule.etas, float).reshape(steps, 1)
    scalars = stated(rule.optimizer, "kernel_form").scalars
    return np.array([scalars(count) for count in range(1, steps + 2)])[:steps]  # maybe none


def _kept_bytes(plan: _Plan) -> int:
    """What all steps keep for the way back: at most two matrices a layer, one of the last."""
    widths = plan.form.discriminator.sizes[1:-1]
    elements = (plan.steps + 1) * (plan.real + plan.fake) * (sum(widths) + sum(widths[:-1]))
    return elements * np.dtype(plan.dtype).itemsize


# Snapshots: the same plan as for the other methods, written down instead of carried out.


def _moves(steps: int, constant_steps: int, snapshots: int) -> tuple[Move, ...]:
    """Moves that keep so many states at a time, and as few slots as that takes."""
    moves = _recorded(steps, constant_steps, snapshots)
    last_use = {state: t for t, move in enumerate(moves) for state in _states(move)}
    slots, placed = {0: 0}, []
    free: list[int] = []
    for t, move in enumerate(moves):
        if move.up:
            slots[move.target] = free.pop() if free else len(slots)
        target = slots[move.target] if move.up else move.target
        placed.append(move._replace(source=slots[move.source], target=target))
        free += [slots.pop(state) for state in _states(move) if last_use[state] == t]
    return tuple(placed)


def _recorded(steps: int, constant_steps: int, snapshots: int) -> list[Move]:
    """The moves of `reversed_states`, every state having a number of its own."""
    from tinygrad_ugan.kernels.sweep import Move

    moves: list[Move] = []
    numbers = itertools.count(1)

    def step(k: int, theta_g: None, state: int) -> int:
        moves.append(Move(True, k + constant_steps, state, next(numbers)))
        return moves[-1].target

    state = 0
    for k in range(-constant_steps, 0):
        state = step(k, None, state)
    plan = SimpleNamespace(steps=steps - constant_steps, state=state, theta_g=None, step=step)
    for k, state in reversed_states(plan, snapshots):
        if k < plan.steps:
            moves.append(Move(False, k + constant_steps, state))
    return moves


def _states(move: Move) -> tuple[int, ...]:
    return (move.source, move.target) if move.up else (move.source,)
