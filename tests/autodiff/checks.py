"""Checks of both modes of differentiation against each other and against differences."""

import numpy as np

from tests.oracles import directional_derivative, dot, normal_like
from tinygrad_ugan import jvp, vjp

# Rounding in a dot product of a few dozen terms of size one.
DUALITY_TOLERANCE = 1e-12

# What Richardson extrapolation in float64 leaves, relative to the size of the derivative.
DIFFERENCE_TOLERANCE = 1e-8

# Twenty roundings of float32, relative to the terms that a derivative is the sum of.
SINGLE_TOLERANCE = 20 * np.finfo(np.float32).eps


def check_modes(f, args, rng, *, order):
    """Check jvp and vjp of f at `args` up to `order`, along random directions.

    Order 2 is order 1 of the pullback, as a function of the arguments and of the cotangent.
    """
    # No element moves by more than 0.1, the longest step of the differences: samples keep at least
    # that distance from where their function ends.
    tangents = tuple(np.asarray(rng.uniform(-1, 1, np.shape(x)))[()] for x in args)
    out, pushed = jvp(f, args, tangents)
    _, pullback = vjp(f, *args)
    cotangent = normal_like(rng, out)
    pulled = pullback(cotangent)

    label = f"{order - 1} orders below the highest"
    assert np.shape(pushed) == np.shape(out), label
    assert [np.shape(x) for x in pulled] == [np.shape(x) for x in args], label
    scale = 1 + abs(dot(cotangent, pushed)) + dot_abs(pulled, tangents)
    assert abs(dot(cotangent, pushed) - dot(pulled, tangents)) <= DUALITY_TOLERANCE * scale, (
        f"jvp and vjp are not transposed to each other ({label})"
    )
    numeric = directional_derivative(lambda xs: f(*xs), args, tangents)
    atol = DIFFERENCE_TOLERANCE * (1 + np.max(np.abs(numeric), initial=0))
    np.testing.assert_allclose(pushed, numeric, rtol=0, atol=atol, err_msg=label)
    if order > 1:
        check_modes(_pulled_back(f, len(args)), (*args, cotangent), rng, order=order - 1)


def _pulled_back(f, n):
    """The pullback of f along a random direction, a function of the arguments and the cotangent."""

    def g(*args_and_cotangent):
        args, cotangent = args_and_cotangent[:n], args_and_cotangent[n]
        pulled = vjp(f, *args)[1](cotangent)
        weights = [np.cos(np.arange(np.size(x)) + 1.0).reshape(np.shape(x)) for x in pulled]
        return sum(np.sum(w * x) for w, x in zip(weights, pulled, strict=True))

    return g


def dot_abs(x, y):
    """Sum of the sizes of the terms of a dot product: what its rounding error is relative to."""
    return sum(float(np.sum(np.abs(a * b))) for a, b in zip(x, y, strict=True))


def check_single_precision(f, operands, rng):
    """Check both modes of an elementwise f in float32, as to dtypes and against float64."""
    singles = tuple(np.float32(x) for x in operands)
    doubles = tuple(np.float64(x) for x in singles)
    tangents = tuple(np.float32(rng.uniform(-1, 1, np.shape(x))) for x in operands)
    out, pushed = jvp(f, singles, tangents)
    cotangent = np.float32(rng.uniform(-1, 1, np.shape(out)))
    pulled = vjp(f, *singles)[1](cotangent)
    assert out.dtype == pushed.dtype == f(*singles).dtype
    assert {x.dtype for x in pulled} == {np.dtype(np.float32)}

    # The largest partial derivative: that of f where nothing is broadcast.
    full = [np.broadcast_to(x, np.shape(out)) for x in doubles]
    partials = vjp(f, *full)[1](np.ones(np.shape(out)))
    tolerance = SINGLE_TOLERANCE * (1 + max(np.max(np.abs(d), initial=0) for d in partials))
    exact = vjp(f, *doubles)[1](cotangent)
    for x, y in zip(pulled, exact, strict=True):
        terms = np.size(out) / max(np.size(x), 1)
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * terms)
    exact = jvp(f, doubles, tangents)[1]
    np.testing.assert_allclose(pushed, exact, rtol=0, atol=tolerance * len(doubles))
