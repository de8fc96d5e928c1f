"""Decorators of methods, a method being any ``method(problem) -> (value, gradient)``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from tinygrad_ugan.autodiff.pytrees import is_known_non_finite
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.problem import Problem

Method: TypeAlias = Callable[[Problem], tuple[Any, PyTree]]
"""f_K and its gradient with respect to theta_G."""


def through_samples(method: Method) -> Method:
    """Let a method differentiate with respect to the generated samples, and go on from there.

    By the chain rule this is the same, and the generator runs once: see `Problem.on_samples`.
    """

    @functools.wraps(method)
    def wrapped(problem: Problem) -> tuple[Any, PyTree]:
        reduced, pull_back = problem.on_samples()
        value, cotangent = method(reduced)
        return value, pull_back(cotangent)

    return wrapped


def checked(method: Method) -> Method:
    """Check the arrays of a problem before a method, and its results afterwards."""

    @functools.wraps(method)
    def wrapped(problem: Problem) -> tuple[Any, PyTree]:
        problem.check_arrays()
        value, gradient = method(problem)
        check_finite(problem, (value, gradient))
        return value, gradient

    return wrapped


def check_finite(problem: Problem, results: PyTree) -> None:
    """Raise `NonFiniteError` if results hold a NaN or infinity; it names where that began."""
    if is_known_non_finite(results):
        raise explain_non_finite(problem)


def check_finite_parameters(problem: Problem) -> None:
    """Raise `NonFiniteError` if parameters hold a NaN or infinity."""
    check_finite(problem, (problem.theta_g, problem.state.theta))


def explain_non_finite(problem: Problem) -> NonFiniteError:
    """Find the first inner step that leaves the finite numbers; the error names it."""
    for name, params in (("theta_g", problem.theta_g), ("theta_d", problem.state.theta)):
        if is_known_non_finite(params):
            return NonFiniteError(name, "a NaN or infinity", "finite parameters")
    for k, state in enumerate(problem.states()):
        first = problem.gradient(0, problem.theta_g, problem.state.theta) if k == 1 else ()
        if is_known_non_finite(first):
            return NonFiniteError(
                "game.inner",
                "a NaN or infinity in its gradient at the theta_d given",
                "a derivative that is finite there",
                "no step size helps: sqrt and norms, say, have none at zero",
            )
        if is_known_non_finite(state.theta):
            return NonFiniteError(
                "theta_d",
                f"a NaN or infinity after step {k} of {problem.steps}",
                "an inner ascent that stays finite",
                "try a smaller lr or fewer steps",
            )
    return NonFiniteError("game", "a NaN or infinity in its value or gradient", "finite numbers")
