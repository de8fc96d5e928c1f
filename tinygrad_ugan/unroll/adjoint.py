"""The exact gradient by the adjoint recursion.

With theta_0 ... theta_K known, and lambda_k = d f_K / d theta_k::

    lambda_K = d outer / d theta_D   at (theta_G, theta_K)
    total    = d outer / d theta_G                                 the DIRECT term
    for k = K-1 .. 0:
        c_k      = eta_k d<g_k, lambda_{k+1}> / d theta_G          mixed second derivative
        lambda_k = lambda_{k+1} + eta_k H_k lambda_{k+1}           Hessian-vector product
        total   += c_k                                             the INDIRECT term, step by step

An optimiser in place of plain ascent changes one thing: what stands beside g_k is not eta_k
lambda_{k+1} but the adjoint of g_k, pulled back through the optimiser's update
(`Optimized.pull_back`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.tree import add
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import InnerState
from tinygrad_ugan.unroll.method import through_samples
from tinygrad_ugan.unroll.problem import Problem


class Backstep(NamedTuple):
    """One step of the recursion, backwards.

    Attributes
    ----------
    g : pytree
        g_k.
    c : pytree like theta_G
        Contribution of step k to the indirect term.
    lam_next, lam : pytree
        lambda_{k+1} and lambda_k.
    """

    g: PyTree
    c: PyTree
    lam_next: PyTree
    lam: PyTree


@through_samples
def adjoint(problem: Problem) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K.

    Only the states theta_0 ... theta_K are kept, or a few snapshots of them, and never a tape of
    more than one step.
    """
    states = problem.reversed_states()
    value, total, lam, final = outer_gradients(problem, states)
    for back in backsteps(problem, states, lam, final):
        total = add(total, back.c)
    return value, total


def outer_gradients(
    problem: Problem, states: Iterator[tuple[int, InnerState]]
) -> tuple[Any, PyTree, PyTree, InnerState]:
    """Take s_K from `states`; return f_K, the direct term, lambda_K and s_K."""
    _, final = next(states)
    outer = autodiff.value_and_grad(problem.outer, argnums=(0, 1))
    value, (direct, lam) = outer(problem.theta_g, final.theta)
    return value, direct, lam, final


def backsteps(
    problem: Problem, states: Iterator[tuple[int, InnerState]], lam: PyTree, final: InnerState
) -> Iterator[Backstep]:
    """Run the recursion for k = K-1 .. 0 over the states s_{K-1} ... s_0."""
    after = last_adjoint(lam, final)
    for k, state in states:
        g, c, before = backstep(problem, k, state, after)
        yield Backstep(g, c, after.theta, before.theta)
        after = before


def last_adjoint(lam: PyTree, final: InnerState) -> InnerState:
    """The adjoint of s_K: `outer` does not see what the optimiser remembers."""
    return InnerState(lam, optree.tree_map(lambda m: 0 * m, final.memory))


def backstep(
    problem: Problem, k: int, state: InnerState, after: InnerState
) -> tuple[PyTree, PyTree, InnerState]:
    """Return g_k, c_k and the adjoint of s_k, for that of s_{k+1}."""
    g_bar, before = problem.rule.pull_back(k, _gradient(problem, k, state), state, after)
    g, mixed, curvature = second_order(problem, k, state.theta, g_bar)
    return g, mixed, InnerState(add(before.theta, curvature), before.memory)


def second_order(
    problem: Problem, k: int, theta: PyTree, v: PyTree
) -> tuple[PyTree, PyTree, PyTree]:
    """Return g_k, ``d<g_k, v>/d theta_G`` and ``d<g_k, v>/d theta_D = H_k v``.

    Second derivatives commute: both are the rate of change of a first derivative of `inner` as
    theta_D moves along v, so that one sweep of forward mode over reverse mode gives them.
    """

    def gradients(theta: PyTree) -> tuple[PyTree, PyTree]:
        inner = autodiff.grad(problem.game.inner, argnums=(0, 1))
        by_g, by_d = inner(problem.theta_g, theta, problem.batches[k])
        return by_g, by_d

    (_, g), (mixed, curvature) = autodiff.jvp(gradients, (theta,), (v,))
    return g, mixed, curvature


def _gradient(problem: Problem, k: int, state: InnerState) -> Any:
    return lambda: problem.gradient(k, problem.theta_g, state.theta)
