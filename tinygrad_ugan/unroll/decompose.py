"""The exact gradient taken apart: the direct term, and the contribution of each inner step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan import autodiff
from tinygrad_ugan.tree import vdot
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.adjoint import backsteps, outer_gradients
from tinygrad_ugan.unroll.fusable import why_not_fused
from tinygrad_ugan.unroll.fused import fused_terms
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.method import check_finite, check_finite_parameters
from tinygrad_ugan.unroll.problem import Problem, make_problem
from tinygrad_ugan.unroll.terms import Terms
from tinygrad_ugan.unroll.trajectory import inner_values, own_thetas


def decompose(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float],
) -> Terms:
    """Take the exact gradient of f_K apart, term by term.

    d f_K/d theta_G = d outer/d theta_G + sum_k c_k, with c_k = eta_k d<g_k, lambda_{k+1}>/d
    theta_G and lambda_k = d f_K / d theta_k: the second term of equation 10 of Metz et al. (2016),
    step by step.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `value_and_grad`.

    Returns
    -------
    Terms

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    In the bilinear game V = x y every step contributes eta x, and the direct term y + K eta x.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> terms = ug.unroll.decompose(game, 2.0, 3.0, None, steps=2, lr=0.5)
    >>> float(terms.total), float(terms.direct), [float(c) for c in terms.per_step]
    (7.0, 5.0, [1.0, 1.0])
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    terms = None
    if why_not_fused(problem) is None and (terms := fused_terms(problem)) is None:
        check_finite_parameters(problem)
    terms = terms or _by_adjoint(problem)
    check_finite(problem, (terms.value, terms.total))
    return terms


def _by_adjoint(problem: Problem) -> Terms:
    reduced, pull_back = problem.on_samples()
    states = list(reduced.reversed_states())
    back = iter(states)
    value, direct, lam, final = outer_gradients(reduced, back)
    steps = list(backsteps(reduced, back, lam, final))[::-1]
    thetas = [state.theta for _, state in states[::-1]]
    lams = [*(step.lam for step in steps), lam]
    return Terms.of_parts(
        value=value,
        direct=pull_back(direct),
        per_step=[pull_back(step.c) for step in steps],
        trajectory=own_thetas(thetas),
        inner_values=inner_values(reduced, thetas),
        grad_theta_d=lams[0],
        grad_lr=autodiff.array([vdot(step.lam_next, step.g) for step in steps], float),
        adjoint_norms=autodiff.array([np.sqrt(vdot(lam, lam)) for lam in lams], float),
    )
