"""Every record of the table, in both modes, to third order: derived from the records."""

import zlib
from dataclasses import replace

import numpy as np
import optree
import pytest

from tests.autodiff.checks import check_modes
from tests.oracles import normal_like, subsets
from tinygrad_ugan import jvp, vjp
from tinygrad_ugan.autodiff.samples import Random
from tinygrad_ugan.check.strategies.samples import TABLE as ALL
from tinygrad_ugan.check.strategies.samples import call, drawn, joined, operands, samples_of
from tinygrad_ugan.nn import activations

# The point of these is another dtype than that of their argument.
CASTS = ("astype", "float_power")
# NumPy computes these in float64, whatever it is given.
IN_DOUBLE = (
    *("geomspace", "vander", "cov", "corrcoef", "polyint", "polyder", "polyfit", "bincount"),
    *("nanvar", "nanstd"),
)
CASES = [
    pytest.param(record, sample, id=f"{record.name}-{i}")
    for record in ALL
    for i, sample in enumerate(samples_of(record))
]


def realise(sample, rng):
    """Draw the operands of a sample call; return the places of those, and how to call with them."""
    arrays = drawn(sample, rng)

    def restrict(record, chosen):
        """The record as a function of the operands at the chosen places, and these operands."""

        def f(*operands):
            full = list(arrays)
            for i, x in zip(chosen, operands, strict=True):
                full[i] = x
            return joined(call(sample, full, record))

        return f, tuple(arrays[i] for i in chosen)

    return range(len(arrays)), restrict


@pytest.mark.parametrize("record", ALL, ids=lambda p: p.name)
def test_has_samples(record):
    assert samples_of(record)
    assert all(operands(sample) for sample in samples_of(record))


@pytest.mark.parametrize(
    ("record", "sample"),
    [case for case in CASES if case.values[0].function is not case.values[0].implementation],
)
def test_values_are_those_of_the_function_itself(record, sample):
    places, restrict = realise(sample, np.random.default_rng(0))
    f, operands = restrict(record, places)
    function, _ = restrict(record.function, places)
    value, expected = f(*operands), function(*operands)
    assert (value.shape, value.dtype) == (expected.shape, expected.dtype)
    # a few roundings, in terms of size up to 30
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_both_modes_to_third_order(record, sample):
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    places, restrict = realise(sample, rng)
    for chosen in subsets(places):
        f, operands = restrict(record, chosen)
        check_modes(f, operands, rng, order=3)


@pytest.mark.parametrize(
    ("record", "sample"),
    [case for case in CASES if case.values[0].name not in CASTS + IN_DOUBLE],
)
def test_float32_stays_float32_and_agrees_with_float64(record, sample):
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    places, restrict = realise(sample, rng)
    f, operands = restrict(record, places)
    singles = tuple(np.float32(x) for x in operands)

    cotangent = normal_like(rng, f(*operands))
    out, pullback = vjp(f, *singles)
    pulled = pullback(np.float32(cotangent))
    _, pushed = jvp(f, singles, singles)
    assert {np.asarray(x).dtype for x in (out, pushed, *pulled)} == {np.dtype(np.float32)}

    exact = vjp(f, *operands)[1](cotangent)
    for x, y in zip(pulled, exact, strict=True):
        # a few roundings of float32, eps 1.2e-7, in terms of size up to 30
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_mixed_precision_gives_every_derivative_its_own_dtype(record, sample):
    places, restrict = realise(sample, np.random.default_rng(0))
    for chosen in subsets(places):
        f, operands = restrict(record, chosen)
        for single in range(len(chosen)):
            mixed = [np.float32(x) if i == single else x for i, x in enumerate(operands)]
            out, pullback = vjp(f, *mixed)
            assert [g.dtype for g in pullback(np.ones_like(out))] == [x.dtype for x in mixed]
            assert jvp(f, mixed, mixed)[1].dtype == out.dtype


def mirrored(sample):
    """The sample with its operands right of zero moved to its left."""

    def mirror(x):
        if not isinstance(x, Random) or x.domain.low <= 0:
            return x
        return replace(x, domain=replace(x.domain, low=-x.domain.high, high=-x.domain.low))

    return replace(sample, args=optree.tree_map(mirror, sample.args))


@pytest.mark.parametrize(
    "record",
    [record for record in ALL if record.kind == "elementwise" and record.convention],
    ids=lambda record: record.name,
)
def test_the_other_side_of_a_kink_at_zero(record):
    rng = np.random.default_rng(0)
    for sample in map(mirrored, samples_of(record)):
        places, restrict = realise(sample, rng)
        f, operands = restrict(record, places)
        with np.errstate(invalid="ignore"):
            is_defined = np.all(np.isfinite(f(*operands)))
        if is_defined:
            check_modes(f, operands, rng, order=3)


def test_sharing_at_ties():
    ones = np.ones(2)
    for function in (np.maximum, np.minimum):
        _, pullback = vjp(function, ones, ones)
        assert [g.tolist() for g in pullback(ones)] == [[0.5, 0.5], [0.5, 0.5]]
    for function in (np.max, np.min):
        assert vjp(function, np.ones(4))[1](1.0)[0].tolist() == [0.25] * 4


def test_conventions_at_kinks():
    def slope(f):
        return float(vjp(f, 0.0)[1](1.0)[0])

    assert slope(np.absolute) == 0
    assert slope(activations.relu) == 0
    assert slope(activations.leaky_relu) == activations.LEAKY_SLOPE
    assert slope(activations.elu) == 1
    assert slope(lambda x: x**0) == 0
    assert slope(lambda x: np.where(x > 0, 1 / np.where(x > 0, x, 1), 0.0)) == 0


def test_logaddexp_is_finite_far_out():
    for x in (-1e300, -800.0, 800.0, 1e300):
        value, pullback = vjp(lambda x: np.logaddexp(x, 0), x)
        assert value == max(x, 0)
        assert pullback(1.0)[0] == (x > 0)
