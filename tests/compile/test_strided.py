"""Strided views against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_ugan.compile.strided import Storage, View, c_strides, squeezed

SHAPES = st.lists(st.integers(1, 4), max_size=4).map(tuple)
FUNCTIONS = {
    "turned": np.transpose,
    "backwards": lambda x: x[::-1] if x.ndim else x,
    "every second": lambda x: x[..., ::2] if x.ndim else x,
    "first": lambda x: x[0, ...] if x.ndim else x,
    "rest": lambda x: x[..., 1:] if x.ndim and x.shape[-1] > 1 else x,
    "one more axis": lambda x: x[None],
    "fewer axes": np.squeeze,
    "repeated": lambda x: np.broadcast_to(x, (2, *x.shape)),
}


def elements(view):
    """An array whose numbers are the positions in the storage."""
    memory = np.arange(np.prod(view.storage.shape, dtype=int))
    strides = [8 * s for s in view.strides]
    return np.ndarray(view.shape, int, memory, 8 * view.offset, strides)


@st.composite
def views(draw):
    """A view by some functions, and what NumPy has."""
    shape = draw(SHAPES)
    view = View.of(Storage(shape, np.dtype(np.float32)))
    expected = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    for name in draw(st.lists(st.sampled_from(list(FUNCTIONS)), max_size=4)):
        view, expected = view.transformed(FUNCTIONS[name]), FUNCTIONS[name](expected)
    return view, expected


@given(pair=views())
def test_functions_that_return_views_do_what_they_do_in_numpy(pair):
    view, expected = pair
    assert view.dtype == np.float32
    np.testing.assert_array_equal(elements(view), expected)


@given(pair=views())
def test_whole_views_have_all_elements_in_order(pair):
    view, expected = pair
    size = np.prod(view.storage.shape, dtype=int)
    assert view.is_whole == (expected.ravel().tolist() == list(range(size)))


@given(pair=views(), more=SHAPES)
def test_broadcasting_is_that_of_numpy(pair, more):
    view, expected = pair
    try:
        shape = np.broadcast_shapes(view.shape, more)
    except ValueError:
        return
    found = elements(view.broadcast_to(shape))
    np.testing.assert_array_equal(found, np.broadcast_to(expected, shape))


@given(shape=SHAPES)
def test_whole_views_can_be_reshaped(shape):
    view = View.of(Storage(shape, np.dtype(np.float64))).reshaped(shape[::-1])
    np.testing.assert_array_equal(elements(view).ravel(), np.arange(np.prod(shape, dtype=int)))


@pytest.mark.parametrize("copies", [np.ravel, lambda x: x.reshape(-1), lambda x: x + 1, np.copy])
def test_functions_that_copy_are_noticed(copies):
    view = View.of(Storage((2, 3), np.dtype(np.float64))).transformed(np.transpose)
    assert view.transformed(copies) is None


@given(shape=SHAPES)
def test_strides_of_c_order(shape):
    x = np.empty(shape)
    assert [8 * s for s in c_strides(shape)] == list(x.strides)
    assert [8 * s for s in squeezed(shape, c_strides(shape))] == list(x.squeeze().strides)


def test_storages_are_known_by_identity():
    first, second = (Storage((2,), np.dtype(np.bool_)) for _ in range(2))
    assert first != second
    assert View.of(first) == View.of(first) != View.of(second)
    assert first.nbytes == 2
