"""The first-order gradient: theta_D^K treated as a constant.

This is what code computes that runs K discriminator steps, then one generator step, and never
differentiates through the K steps. It is the DIRECT term of the exact gradient, and no more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.compiled import compiled, if_possible
from tinygrad_ugan.unroll.fusable import why_not_fused
from tinygrad_ugan.unroll.fused import fused
from tinygrad_ugan.unroll.method import checked, through_samples
from tinygrad_ugan.unroll.problem import Problem


def detached(problem: Problem) -> tuple[Any, PyTree]:
    """Value of f_K and its gradient without the indirect term."""
    constant = replace(problem, constant_steps=problem.steps)
    if why_not_fused(constant) is None:  # the same, in the kernels
        return fused(constant)
    return _compiled_or_by_tape(constant)


@through_samples
def _by_tape(problem: Problem) -> tuple[Any, PyTree]:
    *_, final = problem.states()
    return autodiff.value_and_grad(problem.outer)(problem.theta_g, final.theta)


_compiled_or_by_tape = checked(if_possible(compiled, _by_tape))
