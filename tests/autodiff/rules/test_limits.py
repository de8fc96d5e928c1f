"""Infinity, 0 and the ends of domains: limits where they exist, else NaN or what the table says.

A derivative at an edge is held against the same derivative at points that approach it from every
side; those are ordinary points, which the other tests check. Which points are edges of which
functions follows from the table.
"""

import itertools

import numpy as np
import pytest

import tinygrad_ugan as ug
from docs.edges import derivatives, edges, has_value, of_numbers
from docs.make_primitives import is_called, public_name
from tinygrad_ugan.check.strategies.samples import TABLE
from tinygrad_ugan.nn import activations

RECORDS = [record for record in TABLE if of_numbers(record) and is_called(record)]
CASES = [pytest.param(r, p, id=f"{r.name} {p}") for r in RECORDS for p in edges(of_numbers(r))]
DISTANCES = 10.0 ** -np.array([4, 8, 16, 32, 64, 128])


def paths(f, point):
    """Sequences of points that approach an edge, from every side and at several slants."""
    ways = []
    for x in point:
        if np.isinf(x):
            ways.append([np.sign(x) * slant / DISTANCES for slant in (1, 3)])
        elif abs(x) == 1:
            ways.append([x * (1 + side * DISTANCES ** (1 / 10)) for side in (1, -1)])
        else:
            ways.append([side * slant * DISTANCES for side in (1, -1) for slant in (1, 3)])
    every = [np.stack(way, axis=-1) for way in itertools.product(*ways)]
    return [path for path in every if all(has_value(f, x) for x in path)]


def limit(values):
    """What a sequence tends to: a number, an infinity, or NaN where it does neither."""
    a, b, c = values[-3:]
    if np.isinf(c) or (abs(c) > 1.4 * abs(b) > 1.9 * abs(a) and abs(c) > 5):
        return float(np.copysign(np.inf, c))
    if abs(c) < 1e-3 and abs(c) <= abs(b):
        return 0.0
    return float(f"{c:.6g}") if abs(c - b) <= 1e-6 * abs(c) else np.nan


def all_derivatives(f, point):
    gradient, hessian = derivatives(f, point)
    return np.concatenate([gradient, np.ravel(hessian)])


def limits(f, point):
    """For every first and second derivative, its limits along all paths; NaN if one has none."""
    along = [[all_derivatives(f, x) for x in path] for path in paths(f, point)]
    for sequences in zip(*(np.transpose(path) for path in along), strict=True):
        found = {limit(sequence) for sequence in sequences if not np.isnan(sequence[-1])}
        yield {np.nan} if any(map(np.isnan, found)) else found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the values themselves overflow
@pytest.mark.parametrize(("record", "point"), CASES)
def test_a_derivative_is_its_limit_or_nan_or_what_the_table_says(record, point):
    f = of_numbers(record)
    for value, sides in zip(all_derivatives(f, point), limits(f, point), strict=False):
        if np.isnan(value) or record.convention:
            continue
        # of different infinities on either side, the sign of the zero chooses one
        assert any(value == pytest.approx(side, rel=1e-5) for side in sides), sides


def is_simple(record, point):
    """Whether a function of NumPy or an activation takes one number."""
    return len(point) == 1 and "scipy" not in public_name(record.function)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("record", "point"), [c for c in CASES if is_simple(*c.values)])
def test_a_simple_function_has_its_limits(record, point):
    """NaN only where there is no limit, or where the table says so."""
    f = of_numbers(record)
    for value, sides in zip(all_derivatives(f, point), limits(f, point), strict=False):
        if not record.convention and len(sides) == 1:
            assert not np.isnan(value) or np.isnan(sides.pop())


INF, NAN = np.inf, np.nan


def pair(x, other):
    """Two numbers, of which only the first varies."""
    return np.stack([x, np.float64(other)])


SIBLINGS = [
    (
        [
            lambda x: np.logaddexp(x, -INF),
            lambda x: np.logaddexp2(x, -INF),
            lambda x: ug.logsumexp(pair(x, -INF)),
        ],
        -INF,
        [0, 0],
    ),
    (
        [
            lambda x: np.logaddexp(x, 0),
            activations.softplus,
            lambda x: ug.logsumexp(pair(x, 0)),
            lambda x: np.maximum(x, 0),
        ],
        INF,
        [1, 0],
    ),
    ([np.sqrt, lambda x: x**0.5, lambda x: x ** np.array(0.5)], 0.0, [INF, -INF]),
    ([np.square, lambda x: x**2, lambda x: x * x, lambda x: x ** np.array(2)], 0.0, [0, 2]),
    ([np.tanh, activations.sigmoid, np.arctan, activations.log_sigmoid], INF, [0, 0]),
    ([np.tanh, activations.sigmoid, activations.elu, np.exp, np.expm1, np.exp2], -INF, [0, 0]),
    ([np.log, lambda x: np.log1p(x - 1)], 0.0, [INF, -INF]),
    ([np.log, np.log1p, np.log2, np.log10, np.sqrt, np.cbrt], INF, [0, 0]),
    (
        [
            np.abs,
            np.fabs,
            lambda x: np.hypot(x, 0.0),
            lambda x: np.linalg.norm(pair(x, 0)),
            lambda x: np.linalg.vector_norm(pair(x, 0)),
            lambda x: np.std(pair(x, 0)),
        ],
        0.0,
        [0, NAN],
    ),
    (
        [
            lambda x: np.maximum(x, 0.0),
            lambda x: np.minimum(x, 0.0),
            lambda x: np.fmax(x, 0.0),
            lambda x: np.clip(x, 0.0, 1.0),
            lambda x: np.max(pair(x, 0)),
            lambda x: np.min(pair(x, 0)),
        ],
        0.0,
        [0.5, 0],
    ),
    ([lambda x: np.maximum(x, INF), lambda x: np.max(pair(x, INF))], INF, [0.5, 0]),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("siblings", "x", "expected"), SIBLINGS)
def test_siblings_agree(siblings, x, expected):
    for i, f in enumerate(siblings):
        found = [ug.grad(f)(x), ug.grad(ug.grad(f))(x)]
        np.testing.assert_array_equal(found, expected, err_msg=f"number {i}")
