"""Optimiser steps and copies: the references of `parameters`.

The callers' arrays have no pads; the pads of all others are zero, and stay so.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# Arguments are arrays and scalars, whose types numba infers.

import numpy as np

from tinygrad_ugan.kernels.reference.registry import helper, reference


@helper
def add_up(partial, out):
    """``out = sum_p partial[p]``, in this order."""
    for r, j in np.ndindex(out.shape):
        out[r, j] = partial[0, r, j]
        for p in range(1, partial.shape[0]):
            out[r, j] += partial[p, r, j]


@helper
def assign(scale, x, out):
    """``out = scale x``."""
    for r, j in np.ndindex(out.shape):
        out[r, j] = scale * x[r, j]


@helper
def add(scale, x, out):
    """``out += scale x``."""
    for r, j in np.ndindex(out.shape):
        out[r, j] += scale * x[r, j]


@reference(out="rows")
def zero(out):
    """``out = 0``."""
    out[:] = 0


@reference(source="count n n", scale="1", out="rows n ldo")
def copy_in(first, source, scale, out):
    """``out = scale source``: rows from `first` on, as far as there are any."""
    here = source[first : first + out.shape[0]]
    assign(scale[0], here, out[: here.shape[0]])


@reference(source="rows n n", out="n rows ldo")
def copy_in_transposed(source, out):
    """``out[j, r] = source[r, j]``."""
    assign(1, source.T, out)


@reference(source="rows n lds", out="n rows ldo")
def transpose(source, out):
    """``out[j, r] = source[r, j]``."""
    assign(1, source.T, out)


@reference(partial="groups rows n stride ld", out="rows n ld")
def total(partial, out):
    """``out = sum_p partial[p]``."""
    add_up(partial, out)


@reference(
    partial="groups rows n stride ld",
    theta="rows n ld",
    eta="1",
    g="rows n ld",
    theta_next="rows n ld",
)
def ascend(partial, theta, eta, g, theta_next):
    """``g = sum_p partial[p]`` and ``theta_next = theta + eta g``."""
    add_up(partial, g)
    assign(1, theta, theta_next)
    add(eta[0], g, theta_next)


@reference(partial="groups rows n stride ld", lam="rows n ld", eta="1", v="rows n ld")
def pull_back_ascend(partial, lam, eta, v):
    """``lam += sum_p partial[p]`` and ``v = eta lam``."""
    add_up(partial, v)
    add(1, v, lam)
    assign(eta[0], lam, v)


@reference(
    partial="groups rows n stride ld",
    theta="rows n ld",
    velocity="rows n ld",
    scalars="2",
    g="rows n ld",
    theta_next="rows n ld",
    velocity_next="rows n ld",
)
def momentum(partial, theta, velocity, scalars, g, theta_next, velocity_next):
    """``velocity_next = mu velocity - g`` and ``theta_next = theta - eta velocity_next``."""
    add_up(partial, g)
    assign(scalars[1], velocity, velocity_next)
    add(-1, g, velocity_next)
    assign(1, theta, theta_next)
    add(-scalars[0], velocity_next, theta_next)


@reference(
    partial="groups rows n stride ld",
    lam="rows n ld",
    nu="rows n ld",
    scalars="2",
    v="rows n ld",
)
def pull_back_momentum(partial, lam, nu, scalars, v):
    """``lam += sum_p partial[p]``; then ``v = eta lam - nu`` and ``nu = -mu v``."""
    add_up(partial, v)
    add(1, v, lam)
    assign(scalars[0], lam, v)
    add(-1, nu, v)
    assign(-scalars[1], v, nu)


@helper
def moments(scalars, g, mean, square):
    """Adam's running means after the gradient g, which ascends, and the root of the second."""
    beta1, rest1, beta2, rest2, floor, _, scale = scalars
    mean = beta1 * mean - rest1 * g
    square = beta2 * square + rest2 * g * g
    return mean, square, np.sqrt(scale * square + floor)


@reference(
    partial="groups rows n stride ld",
    theta="rows n ld",
    mean="rows n ld",
    square="rows n ld",
    scalars="7",
    g="rows n ld",
    theta_next="rows n ld",
    mean_next="rows n ld",
    square_next="rows n ld",
)
def adam(partial, theta, mean, square, scalars, g, theta_next, mean_next, square_next):
    """One step of Adam up: ``theta_next = theta + step mean_next / root``."""
    add_up(partial, g)
    for r, j in np.ndindex(g.shape):
        m, s, root = moments(scalars, g[r, j], mean[r, j], square[r, j])
        mean_next[r, j], square_next[r, j] = m, s
        theta_next[r, j] = theta[r, j] + scalars[5] * m / root


@reference(
    partial="groups rows n stride ld",
    lam="rows n ld",
    nu="rows n ld",
    xi="rows n ld",
    scalars="7",
    g="rows n ld",
    mean="rows n ld",
    square="rows n ld",
    v="rows n ld",
)
def pull_back_adam(partial, lam, nu, xi, scalars, g, mean, square, v):
    """``lam += sum_p partial[p]``; then `adam` backwards: v, nu and xi belong to g, mean, square.

    With ``root^2 = scale square + eps^2``, the step ``step mean / root`` has the derivatives
    ``step / root`` and ``-step mean scale / (2 root^3)``.
    """
    beta1, rest1, beta2, rest2, _, step, scale = scalars
    add_up(partial, v)
    add(1, v, lam)
    for r, j in np.ndindex(g.shape):
        m, _, root = moments(scalars, g[r, j], mean[r, j], square[r, j])
        first = nu[r, j] + step / root * lam[r, j]
        second = xi[r, j] - step * m * scale / (2 * root * root * root) * lam[r, j]
        v[r, j] = 2 * rest2 * g[r, j] * second - rest1 * first
        nu[r, j] = beta1 * first
        xi[r, j] = beta2 * second


@reference(
    scalars="7",
    theta="first+rows",
    g="first+rows",
    mean="first+rows",
    square="first+rows",
    theta_next="first+rows",
    mean_next="first+rows",
    square_next="first+rows",
)
def descend_adam(first, scalars, theta, g, mean, square, theta_next, mean_next, square_next):
    """One step of Adam down, from element `first` on."""
    for i in range(first, g.size):
        m, s, root = moments(scalars, -g[i], mean[i], square[i])
        mean_next[i], square_next[i] = m, s
        theta_next[i] = theta[i] + scalars[5] * m / root


@reference(x="rows n ld", y="rows n ld", out="1")
def inner_product(x, y, out):
    """``out += sum x y``."""
    for r, j in np.ndindex(x.shape):
        out[0] += x[r, j] * y[r, j]


@reference(x="rows n ld", out="1")
def check_finite(x, out):
    """``out += sum 0 x``: nothing, or NaN if an element is not finite."""
    for r, j in np.ndindex(x.shape):
        out[0] += 0 * x[r, j]


@reference(x="rows n ld", scale="1", out="rows n ld")
def add_scaled(x, scale, out):
    """``out += scale x``."""
    add(scale[0], x, out)


@reference(x="rows n ld", scale="1", out="rows n ld")
def scaled(x, scale, out):
    """``out = scale x``."""
    assign(scale[0], x, out)


@reference(x="rows n ldx", out="first+rows n n")
def copy_out(first, x, out):
    """``out = x``, from row `first` on."""
    assign(1, x, out[first:])


@reference(x="n rows ldx", out="rows n n")
def copy_out_transposed(x, out):
    """``out[r, j] = x[j, r]``."""
    assign(1, x.T, out)
