"""`array` and `at`: against what NumPy's constructor and in-place writes leave behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import ArgumentTypeError

SHAPE = (3, 2, 4)
X = np.arange(24.0).reshape(SHAPE)


@st.composite
def keys(draw):
    """Anything that indexes an array of SHAPE: basic, integer arrays with repeats, masks."""
    integers = npst.integer_array_indices(SHAPE, result_shape=npst.array_shapes(max_dims=2))
    some_axes = st.integers(1, 2).flatmap(
        lambda n: st.tuples(
            *[npst.arrays(int, draw(st.integers(0, 3)), elements=st.integers(-2, 1))] * n
        ).filter(lambda key: len({x.shape for x in key}) == 1)
    )
    mixed = st.tuples(
        st.one_of(st.integers(-3, 2), st.slices(3)),
        npst.arrays(int, st.integers(0, 3), elements=st.integers(-2, 1)),
        st.one_of(st.just(slice(None, None, -2)), st.just(Ellipsis), st.just(None)),
    )
    masks = st.integers(1, 3).flatmap(lambda n: npst.arrays(bool, SHAPE[:n]))
    basic = npst.basic_indices(SHAPE, allow_newaxis=True, allow_ellipsis=True)
    return draw(st.one_of(basic, integers, some_axes, mixed, masks))


@given(keys())
def test_indexing_agrees_with_numpy_in_value_and_derivative(key):
    value, pullback = ug.vjp(lambda x: x[key], X)
    np.testing.assert_array_equal(value, X[key])
    cotangent = np.cos(np.arange(np.size(value)) + 1.0).reshape(np.shape(value))
    expected = np.zeros(SHAPE)
    np.add.at(expected, key, cotangent)
    np.testing.assert_allclose(pullback(cotangent)[0], expected, rtol=1e-15)


@given(keys())
def test_set_and_add_leave_what_writing_in_place_leaves(key):
    values = np.sin(np.arange(np.size(X[key])) + 1.0).reshape(np.shape(X[key]))
    written, added = X.copy(), X.copy()
    written[key] = values
    np.add.at(added, key, values)
    np.testing.assert_array_equal(ug.at(X)[key].set(values), written)
    # NumPy adds up in another order
    np.testing.assert_allclose(ug.at(X)[key].add(values), added, rtol=1e-14, atol=1e-14)


@given(keys())
def test_the_derivative_of_set_follows_the_last_write(key):
    """Set is linear in both arguments: its derivative along (x, v) is itself."""
    values = np.sin(np.arange(np.size(X[key])) + 1.0).reshape(np.shape(X[key]))
    out, pushed = ug.jvp(lambda x, v: ug.at(x)[key].set(v), (X, values), (X, values))
    np.testing.assert_array_equal(out, pushed)
    _, pullback = ug.vjp(lambda x, v: ug.at(x)[key].set(v), X, values)
    of_x, of_values = pullback(np.ones(SHAPE))
    assert np.sum(of_x * X) + np.sum(of_values * values) == pytest.approx(np.sum(out), rel=1e-12)


@pytest.mark.parametrize("method", ["set", "add"])
@pytest.mark.parametrize("key", [0, (slice(None), [1, 1]), X[..., 0] > 4])
@pytest.mark.parametrize("broadcast", [False, True])
def test_both_modes(method, key, broadcast, rng):
    shape = X[key].shape
    values = rng.standard_normal(shape[1:] if broadcast else shape)
    check_modes(
        lambda x, v: getattr(ug.at(x * x)[key], method)(v * v), (X / 10, values), rng, order=3
    )


def test_the_dtype_stays():
    single = np.float32([1, 2, 3])
    for method in ("set", "add"):
        out, pullback = ug.vjp(lambda x, v: getattr(ug.at(x)[0], method)(v), single, 5.0)  # noqa: B023
        assert out.dtype == np.float32
        assert [g.dtype for g in pullback(single)] == [np.float32, np.float64]
        assert getattr(ug.at(single)[0], method)(1.5).dtype == np.float32


def test_lists_are_taken_for_arrays():
    assert ug.at([1.0, 2.0])[0].set(3.0).tolist() == [3.0, 2.0]
    assert ug.at([1, 2])[0].add(3).tolist() == [4, 2]


def test_tensors_do_not_go_into_integers():
    with pytest.raises(ArgumentTypeError, match="floating-point"):
        ug.grad(lambda v: ug.at(np.arange(3))[0].set(v).sum())(1.0)
