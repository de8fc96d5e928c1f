"""The first-order gradient: theta_D^K treated as a constant.

This is what code computes that runs K discriminator steps, then one generator step, and never
differentiates through the K steps. It is the DIRECT term of the exact gradient, and no more.
"""

from __future__ import annotations

from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.problem import Problem


def detached(problem: Problem) -> tuple[Any, PyTree]:
    """Value of f_K and its gradient without the indirect term."""
    final = problem.after(problem.steps)
    return autodiff.value_and_grad(final.outer)(final.theta_g, final.state.theta)
