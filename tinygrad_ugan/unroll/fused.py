"""The exact gradient of games between multilayer perceptrons, in one call of compiled code.

The adjoint recursion of `tinygrad_ugan.unroll.adjoint`, run by
`tinygrad_ugan.kernels.sweep_program`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.kernels.schedule import schedule
from tinygrad_ugan.nn import ACTIVATIONS
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.dynamics import Ascent
from tinygrad_ugan.unroll.fusable import remembered
from tinygrad_ugan.unroll.game import LogitTerms
from tinygrad_ugan.unroll.method import check_finite, check_finite_parameters
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.stated_form import StatedForm
from tinygrad_ugan.unroll.terms import Terms

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program_cache import ProgramPool
    from tinygrad_ugan.kernels.sweep import Sweep, Term
    from tinygrad_ugan.kernels.sweep_program import SweepProgram, SweepResult

MOST_KEPT = 512 * 2**20
"""Bytes of activations that are kept for the way back, before steps are taken again instead."""


def fused(problem: Problem) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K.

    Where the kernels find a NaN or an infinity, other methods may find numbers: pads are zero, and
    zero times an infinity is NaN. It is left to `adjoint` then.
    """
    key = _key("gradient", problem)
    program = program_pool().acquire(key) or _build(lower(problem), problem)
    value, (gradient,), is_finite = _run(program, problem)
    program_pool().release(key, program)
    if is_finite:
        return value, _tree(gradient)
    problem.check_arrays()
    check_finite_parameters(problem)
    with np.errstate(all="ignore"):
        found = adjoint(problem)
    check_finite(problem, found)
    return found


def fused_ascent(problem: Problem) -> tuple[Any, PyTree] | None:
    """Value and gradient of the inner objective at theta_0, for a problem of no steps.

    None if they, or the batch, may not be finite.
    """
    from tinygrad_ugan.kernels.ascent_program import AscentProgram
    from tinygrad_ugan.kernels.target import host_target

    key, batch = _key("ascent", problem), problem.batches[0]
    players = _leaves(problem.theta_g), _leaves(problem.state.theta)
    program = program_pool().acquire(key)
    if program is None:
        program = AscentProgram(lower(problem), host_target(), batch.real.dtype)
    value, gradient, is_finite = program.ascent(*players, batch.real, batch.noise)
    program_pool().release(key, program)
    return (value, _tree(gradient)) if is_finite else None


def fused_terms(problem: Problem) -> Terms | None:
    """Take the gradient of f_K apart; None if a part, or the batch, may not be finite."""
    key = _key("terms", problem)
    program = program_pool().acquire(key) or _build(lower(problem, terms=True), problem)
    result = _run(program, problem)
    *per_step, direct = map(_tree, result.gradients)
    terms = Terms.of_parts(
        value=result.value,
        direct=direct,
        per_step=per_step,
        trajectory=tuple(
            _tree(program.parameters(program.theta, k)) for k in range(problem.steps + 1)
        ),
        inner_values=program.inner_values(),
        grad_theta_d=_tree(program.parameters(program.lam)),
        grad_lr=program.step_size_gradients(),
        adjoint_norms=program.adjoint_norms(),
    )
    program_pool().release(key, program)
    return terms if result.is_finite else None


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
    from tinygrad_ugan.kernels.sweep import Sweep, Term
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
        moves = schedule(some)
        sweep = Sweep(generator, discriminator, some, some, terms, terms, some, moves)
        SweepProgram(sweep, target, dtype)


# From a problem to a program


def lower(problem: Problem, *, terms: bool = False) -> Sweep:
    """Describe a problem to the kernels, but for its numbers."""
    from tinygrad_ugan.kernels.network import Network
    from tinygrad_ugan.kernels.sweep import Sweep

    form = cast("StatedForm", problem.form)  # `why_not_fused` was asked before
    return Sweep(
        Network(*form.generator),
        Network(*form.discriminator),
        len(problem.batches[0].real),
        len(problem.batches[0].noise),
        _terms(form.inner),
        _terms(form.outer),
        problem.steps,
        problem.schedule,
        form.rule,
        fresh=problem.is_fresh,
        keep=problem.snapshots is None and kept_bytes(problem) <= MOST_KEPT,
        terms=terms,
    )


def _terms(terms: LogitTerms) -> tuple[Term | None, Term | None]:
    from tinygrad_ugan.kernels.sweep import Term

    real, fake = terms
    return real and Term(*real), fake and Term(*fake)


def _key(name: str, problem: Problem) -> tuple[Any, ...]:
    """All that a program depends on, to be compared faster than a `Sweep` is made."""
    real, noise = problem.batches[0].real, problem.batches[0].noise
    return (
        name,
        problem.form,
        len(real),
        len(noise),
        real.dtype.char,
        problem.is_fresh,
        problem.steps,
        problem.snapshots,
        problem.constant_steps,
    )


def kept_bytes(problem: Problem) -> int:
    """Bytes that all steps keep for the way back: at most two matrices a layer, one of the last."""
    widths = cast("StatedForm", problem.form).discriminator.sizes[1:-1]
    real, noise = problem.batches[0].real, problem.batches[0].noise
    elements = (problem.steps + 1) * (len(real) + len(noise)) * (sum(widths) + sum(widths[:-1]))
    return elements * int(real.itemsize)


def _build(sweep: Sweep, problem: Problem) -> SweepProgram:
    from tinygrad_ugan.kernels.sweep_program import SweepProgram
    from tinygrad_ugan.kernels.target import host_target

    return SweepProgram(sweep, host_target(), problem.batches[0].real.dtype)


@functools.cache
def program_pool() -> ProgramPool:
    """The programs that wait to be used again."""
    from tinygrad_ugan.kernels.program_cache import ProgramPool

    return ProgramPool(2 * MOST_KEPT, max_entries=64)


def _run(program: SweepProgram, problem: Problem) -> SweepResult:
    batches = problem.batches if problem.is_fresh else problem.batches[:1]
    return program.run(
        _leaves(problem.theta_g),
        _leaves(problem.state.theta),
        [batch.real for batch in batches],
        [batch.noise for batch in batches],
        _scalars(problem),
        [array for tree in remembered(problem) for array in _leaves(tree)],
    )


def _scalars(problem: Problem) -> Array:
    """The numbers that the kernels read at every step; see `tinygrad_ugan.kernels.parameters`."""
    rule, steps = problem.rule, problem.steps
    if isinstance(rule, Ascent):
        return np.array(rule.etas, float).reshape(steps, 1)
    scalars = stated(rule.optimizer, "kernel_form").scalars
    taken = getattr(problem.state.memory, "steps", None) or 0
    return np.array([scalars(taken + k) for k in range(1, steps + 2)])[:steps]  # maybe none


def _leaves(theta: PyTree) -> list[Array]:
    """W and b of every layer, in the kernels' order."""
    return [layer[name] for layer in theta for name in ("w", "b")]


def _tree(arrays: Sequence[Array]) -> PyTree:
    """The way back from `_leaves`."""
    return [{"w": w, "b": b} for w, b in zip(arrays[::2], arrays[1::2], strict=True)]
