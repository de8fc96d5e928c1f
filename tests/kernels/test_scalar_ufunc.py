"""Scalar functions over arrays, against the functions themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels import scalar_ufunc
from tinygrad_ugan.kernels.scalar_ufunc import ScalarUfunc

FACTOR = 3.0


def kinked(x):
    return 0.5 * x if x > 0 else -x / 8 - 1


def lopsided(x, y):
    return x * y if x > y else y - x * x


KINKED, LOPSIDED = ScalarUfunc(kinked), ScalarUfunc(lopsided)
EXACT = st.integers(-(2**10), 2**10).map(lambda i: i / 16)  # of which no product rounds


@given(st.lists(EXACT, max_size=9), st.sampled_from([np.float32, np.float64]))
def test_every_element(numbers, dtype):
    x = np.array(numbers, dtype)
    found = KINKED(x)
    assert (found.dtype, found.shape) == (x.dtype, x.shape)
    np.testing.assert_array_equal(found, [kinked(number) for number in numbers])


@given(st.lists(EXACT, min_size=1, max_size=5), st.lists(EXACT, min_size=1, max_size=5))
def test_broadcasting(xs, ys):
    found = LOPSIDED(np.array(xs)[:, None], np.array(ys))
    np.testing.assert_array_equal(found, [[lopsided(x, y) for y in ys] for x in xs])


@pytest.mark.parametrize(
    ("arguments", "dtype"),
    [
        ((1, 2), np.float64),
        ((1.5, True), np.float64),
        ((np.float32(1), 2.5), np.float32),
        ((np.ones(2, np.float32), 2), np.float32),
        ((np.ones(2, np.float32), np.ones(2)), np.float64),
        (([1, 2], np.arange(2, dtype=np.int8)), np.float64),
    ],
)
def test_dtypes(arguments, dtype):
    assert LOPSIDED(*arguments).dtype == dtype


def test_strides_and_nothing():
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(KINKED(x[:, ::-2, 1::2]), KINKED(x)[:, ::-2, 1::2])
    assert KINKED(x[:0]).shape == (0, 3, 4)
    assert math.isnan(KINKED(np.nan))


@pytest.mark.parametrize("dtype", [np.complex128, np.float16, np.longdouble, object])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ArgumentTypeError, match="kinked's arguments: expected float32, float64"):
        KINKED(np.ones(2, dtype))


def test_other_numbers_of_arguments_are_refused():
    with pytest.raises(ArgumentError, match="lopsided: expected 2, got 1 arguments"):
        LOPSIDED(1.0)


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (lambda x: (x, x), "No conversion from UniTuple"),
        (lambda x: None, "No conversion from none"),
        (lambda x: np.ones(2) * x, "No conversion from array"),
        (lambda x: x + 1j, "No conversion from complex128"),
        (lambda x: KINKED(x), "Untyped global name 'KINKED'"),
        (lambda x: undefined(x), "name 'undefined' is not defined"),  # noqa: F821
    ],
)
def test_what_numba_cannot_compile_is_refused_with_its_reason(f, reason):
    with pytest.raises(ArgumentTypeError, match=f"which numba cannot compile.*{reason}"):
        ScalarUfunc(f)(1.0)


def test_each_dtype_is_compiled_once(monkeypatch):
    f, found = ScalarUfunc(lambda x: 2 * x), []
    compile_really = scalar_ufunc.numba.vectorize
    monkeypatch.setattr(
        scalar_ufunc.numba, "vectorize", lambda kinds: found.append(kinds) or compile_really(kinds)
    )
    for dtype in (np.float32, np.float64, np.float32, np.int64, np.float64):
        f(np.ones(3, dtype))
    assert len(found) == 2


def test_constants_from_outside_are_those_of_the_first_call(monkeypatch):
    f = ScalarUfunc(lambda x: FACTOR * x)
    assert f(1.0) == 3
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert f(1.0) == 3
    assert ScalarUfunc(lambda x: FACTOR * x)(1.0) == 5
