"""Objectives: the references of `losses`."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Arguments are arrays and scalars, whose types numba infers.

import numpy as np

from tinygrad_ugan.kernels.reference.registry import helper, reference

FUNCTIONS = (
    "log_sigmoid",
    "log_sigmoid_of_minus",
    "exp",
    "half_square",
    "half_square_from_one",
    "hinge_below_one",
    "hinge_above_minus_one",
    "identity",
)
"""References take an index into this."""

(
    LOG_SIGMOID,
    LOG_SIGMOID_OF_MINUS,
    EXP,
    HALF_SQUARE,
    HALF_SQUARE_FROM_ONE,
    HINGE_BELOW_ONE,
    HINGE_ABOVE_MINUS_ONE,
    _,
) = range(len(FUNCTIONS))


@helper
def phi(function, t):
    """``phi(t)`` of a number."""
    if function == LOG_SIGMOID:
        return -np.logaddexp(0, -t)
    if function == LOG_SIGMOID_OF_MINUS:
        return -np.logaddexp(0, t)
    if function == EXP:
        return np.exp(t)
    if function == HALF_SQUARE:
        return t * t / 2
    if function == HALF_SQUARE_FROM_ONE:
        return (t - 1) * (t - 1) / 2
    if function == HINGE_BELOW_ONE:
        return 1 - t if t < 1 else 0 * t
    if function == HINGE_ABOVE_MINUS_ONE:
        return 1 + t if t > -1 else 0 * t
    return t


@helper
def phi_slope(function, t):
    """``phi'(t)``."""
    if function == LOG_SIGMOID:
        return np.exp(-np.logaddexp(0, t))
    if function == LOG_SIGMOID_OF_MINUS:
        return -np.exp(-np.logaddexp(0, -t))
    if function == EXP:
        return np.exp(t)
    if function == HALF_SQUARE:
        return t
    if function == HALF_SQUARE_FROM_ONE:
        return t - 1
    if function == HINGE_BELOW_ONE:
        return -1.0 if t < 1 else 0.0
    if function == HINGE_ABOVE_MINUS_ONE:
        return 1.0 if t > -1 else 0.0
    return 1.0


@helper
def phi_curvature(function, t):
    """``phi''(t)``."""
    if function in (LOG_SIGMOID, LOG_SIGMOID_OF_MINUS):
        return -np.exp(-np.logaddexp(0, t) - np.logaddexp(0, -t))
    if function == EXP:
        return np.exp(t)
    if function in (HALF_SQUARE, HALF_SQUARE_FROM_ONE):
        return 1.0
    return 0.0


@reference(t="rows", weight="rows", dt="rows", value="1")
def objective(function, t, weight, dt, value):
    """``value += sum_r weight phi(t)`` and ``dt = weight phi'(t)``, but for rows of weight 0."""
    for r in range(t.shape[0]):
        dt[r] = 0
        if weight[r] != 0:
            value[0] += weight[r] * phi(function, t[r])
            dt[r] = weight[r] * phi_slope(function, t[r])


@reference(t="rows", Rt="rows", weight="rows", dt="rows", Rdt="rows")
def objective_tangent(function, t, Rt, weight, dt, Rdt):
    """``dt = weight phi'(t)`` again, and ``Rdt = weight phi''(t) Rt``."""
    for r in range(t.shape[0]):
        dt[r] = 0
        Rdt[r] = 0
        if weight[r] != 0:
            dt[r] = weight[r] * phi_slope(function, t[r])
            Rdt[r] = weight[r] * phi_curvature(function, t[r]) * Rt[r]
