"""Random programs against Taylor series in ball arithmetic: first and second derivatives.

The oracle's balls (`tests.jets`) bound what rounding every operation to 53 bits can do. The engine
rounds as often, in another order and with functions that are good to a few units in the last place:
it must come to within ten radii, so that no tolerance has to be guessed.
"""

import os
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests import jets
from tests.jet_functions import function_of
from tests.oracles import derivative
from tinygrad_ugan.check.strategies.programs import evaluate, programs
from tinygrad_ugan.check.strategies.samples import TABLE as ALL
from tinygrad_ugan.check.strategies.samples import drawn, samples_of

EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 40
RADII = 10

# The scalar products that gradients are compared by round too, relative to their terms.
ROUNDING = 1e-15

# Beyond this, relative to the same terms, a ball says too little.
ILL_CONDITIONED = 1e-6

# At a kink, or what NumPy raises for objects that it cannot work on.
NOT_KNOWN = (
    jets.UndecidedError,
    TypeError,
    ValueError,
    AttributeError,
    NotImplementedError,
    DeprecationWarning,
)


def along_a_line(record, call):
    """A sample call along a random line: by NumPy, a function of t; and as jets."""
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    start = drawn(call, rng)
    direction = [0.1 * rng.standard_normal(x.shape) for x in start]

    def at(t):
        moved = [x + t * v for x, v in zip(start, direction, strict=True)]
        return evaluate(call, moved, record.function)

    lines = [jets.line(x, v) for x, v in zip(start, direction, strict=True)]
    return at, evaluate(call, lines, function_of(record))


def is_known_to_the_oracle(record, call):
    try:
        at, _ = along_a_line(record, call)
    except NOT_KNOWN:
        return False
    values = at(0.0)
    return bool(values) and all(x.dtype == np.float64 for x in values)


CALLS = [(r, call) for r in ALL for call in samples_of(r) if is_known_to_the_oracle(r, call)]


def test_the_oracle_knows_nearly_every_record():
    missing = {record.name for record in ALL} - {record.name for record, _ in CALLS}
    assert len(missing) <= len(ALL) / 10, f"tests/jet_functions.py lacks {sorted(missing)}"


@pytest.mark.parametrize("record", {r: None for r, _ in CALLS}, ids=lambda record: record.name)
def test_the_oracle_agrees_with_differences(record):
    for call in [call for r, call in CALLS if r is record]:
        at, series = along_a_line(record, call)
        value, slope, half_curvature = (
            np.concatenate([np.ravel(jets.coefficient(jet, k)[0]) for jet in series])
            for k in range(3)
        )
        check_against_differences(at, value, slope, half_curvature)


def check_against_differences(at, value, slope, half_curvature):
    def f(t):
        return np.concatenate([np.ravel(x) for x in at(t)])

    np.testing.assert_allclose(value, f(0.0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(derivative(f), slope, rtol=1e-8, atol=1e-9)
    curved = derivative(lambda h: (f(h) - value) / h)
    np.testing.assert_allclose(curved, half_curvature, rtol=1e-6, atol=1e-7)


@settings(
    max_examples=EXAMPLES,
    phases=set(Phase) - {Phase.explain},  # slow, and says no more than the program does
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs(CALLS), seed=st.integers(0, 2**32 - 1))
def test_random_programs(program, seed):
    check(program, seed)


def check(program, seed=0):
    """Compare the gradient along p and q, and the Hessian between p + q and p - q."""
    # Odd and even eighths: sums and differences are exact, and never zero.
    rng = np.random.default_rng(seed)
    p = rng.choice([-7, -5, -3, -1, 1, 3, 5, 7], program.x.shape) / 8
    q = rng.choice([-6, -4, -2, 2, 4, 6], program.x.shape) / 8
    along_p, along_q = taylor(program, p), taylor(program, q)

    value, gradient = ug.value_and_grad(program)(program.x)
    compare("value", value, *along_p[0])
    compare("gradient", gradient * p, *along_p[1])
    compare("gradient", gradient * q, *along_q[1])

    # <p - q, H (p + q)> = <p, H p> - <q, H q>, and the series has half of each.
    (pp, radius_p), (qq, radius_q) = along_p[2], along_q[2]
    expected, radius = 2 * (pp - qq), 2 * (radius_p + radius_q)
    forward = ug.hvp(program, program.x, p + q)
    compare("hvp", forward * (p - q), expected, radius)
    reverse = ug.grad(lambda x: np.sum(ug.grad(program)(x) * (p + q)))(program.x)
    compare("grad of grad", reverse * (p - q), expected, radius)


def taylor(program, direction):
    """The midpoints and radii of the three coefficients along a direction."""
    try:
        out = program.run(jets.line(program.x, direction), function_of)
    except NOT_KNOWN:
        assume(False)
    return [tuple(map(float, jets.coefficient(out, i))) for i in range(3)]


def compare(what, terms, middle, radius):
    """The sum of `terms` against a ball."""
    size = np.sum(np.abs(terms)) + abs(middle)
    assume(radius <= ILL_CONDITIONED * size)
    difference = abs(np.sum(terms) - middle)
    assert difference <= RADII * radius + ROUNDING * size, (
        f"{what}: {np.sum(terms)} is {difference / (radius or 1):.3g} radii from {middle}"
    )
