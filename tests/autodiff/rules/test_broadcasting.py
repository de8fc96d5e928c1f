"""Elementwise records on random shapes that broadcast, empty ones among them."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, find, given

from tests.autodiff.checks import check_modes, check_single_precision
from tests.autodiff.rules.test_table import ALL, CASTS, realise
from tests.oracles import subsets
from tinygrad_ugan.autodiff.samples import Random, sample
from tinygrad_ugan.check.strategies.programs import reshaped
from tinygrad_ugan.check.strategies.samples import broadcasts, samples_of

ELEMENTWISE = [
    record
    for record in ALL
    if broadcasts(record, samples_of(record)[0]) and getattr(record.function, "nout", 1) == 1
]

# Differences do not tell the derivative across the corner where the two arguments are equal.
CORNERED = ("maximum", "minimum", "fmax", "fmin")
LIMITS = {"min_side": 0, "max_side": 3, "max_dims": 3}


@pytest.mark.parametrize("record", ELEMENTWISE, ids=lambda record: record.name)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_shapes_that_broadcast(record, data, seed):
    call = data.draw(reshaped(samples_of(record)[0], **LIMITS))
    rng = np.random.default_rng(seed)
    places, restrict = realise(call, rng)
    if record.name in CORNERED:
        x, y = restrict(record, places)[1]
        assume(np.all(np.abs(x - y) > 0.1))
    for chosen in subsets(places):
        check_modes(*restrict(record, chosen), rng, order=2)
    if record.name not in CASTS:
        check_single_precision(*restrict(record, places), rng)


SHAPES = {
    "one has more axes": lambda a, b: len(a) != len(b),
    "both are stretched": lambda a, b: (a[:1], b[:1], a[-1:], b[-1:]) == ((1,), (3,), (3,), (1,)),
    "one is a number": lambda a, b: () in (a, b) and a != b,
    "one is empty": lambda a, b: 0 in a and 0 not in b,
}


@pytest.mark.parametrize("what", SHAPES)
def test_shapes_of_every_kind_are_drawn(what):
    strategy = reshaped(sample(Random(()), Random(())), **LIMITS)
    find(strategy, lambda call: SHAPES[what](*(x.shape for x in call.args)))
