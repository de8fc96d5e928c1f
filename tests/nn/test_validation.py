"""Arguments of layers that are refused, and how."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.nn.validation import (
    check_array,
    check_features,
    check_rows,
    check_width,
    extents,
)


@pytest.mark.parametrize("width", [0, -1, 2.0, True, "3", None])
def test_a_width_is_a_positive_integer(width):
    check_width("width", 3)
    check_width("width", np.int32(3))
    with pytest.raises(ArgumentError, match="width: expected a positive whole number"):
        check_width("width", width)


@pytest.mark.parametrize("x", [[1.0], 1.0, None, memoryview(b"abc")])
def test_only_arrays_and_tensors_pass(x):
    check_array("x", np.ones(3))
    ug.grad(lambda t: check_array("x", t) or t)(1.0)
    with pytest.raises(ArgumentTypeError, match="x: expected a NumPy array"):
        check_array("x", x)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_rows_have_the_width(shape):
    check_rows(np.ones((2, 3)), 3)
    with pytest.raises(ArgumentError, match=r"batch: expected shape \(batch, 3\)"):
        check_rows(np.ones(shape), 3, "batch")


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_features_are_the_last_axis(shape):
    check_features(np.ones((2, 5, 6, 3)), 3)
    with pytest.raises(ArgumentError, match=r"x: expected shape \(batch, ..., 3\)"):
        check_features(np.ones(shape), 3)


def test_extents_are_one_for_all_axes_or_one_for_each():
    assert extents("stride", 2, 2) == extents("stride", (2, 2), 2) == (2, 2)
    assert extents("stride", [np.int64(3)], 1) == (3,)
    assert extents("padding", 0, 1, least=0) == (0,)


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "2", None, (1,), (1, 2, 3), (1, 0), ()])
def test_other_extents_are_refused(given):
    with pytest.raises(
        ArgumentError, match="stride: expected a whole number >= 1, or a tuple of 2"
    ):
        extents("stride", given, 2)
