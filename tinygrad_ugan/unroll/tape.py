"""Reverse mode straight through the unrolled program: the definition, differentiated."""

from __future__ import annotations

from typing import Any

import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.tree import add
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import split_floats
from tinygrad_ugan.unroll.method import through_samples
from tinygrad_ugan.unroll.problem import Problem


@through_samples
def tape(problem: Problem) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K.

    The tape holds all K steps: memory grows with K. With snapshots it holds one step at a time,
    recorded again from a state that was kept; the result is the same to the bit.
    """
    if problem.snapshots is None:
        return autodiff.value_and_grad(problem.value)(problem.theta_g)
    return _step_by_step(problem)


def _step_by_step(problem: Problem) -> tuple[Any, PyTree]:
    states = problem.reversed_states()
    _, final = next(states)
    outer = autodiff.value_and_grad(problem.outer, argnums=(0, 1))
    value, (total, lam) = outer(problem.theta_g, final.theta)
    memory, _ = split_floats(final.memory)
    adjoint = [*optree.tree_leaves(lam), *(0 * m for m in memory)]
    for k, state in states:
        floats, rebuild = split_floats(state)

        def step(theta_g: PyTree, floats: list[Any], k: int = k, rebuild: Any = rebuild) -> Any:
            return split_floats(problem.step(k, theta_g, rebuild(floats)))[0]

        _, pullback = autodiff.vjp(step, problem.theta_g, floats)
        c_k, adjoint = pullback(adjoint)
        total = add(total, c_k)
    return value, total
