"""Conventions of functions that pick elements; every kind of index is in `test_updates`."""

import numpy as np

import tinygrad_ugan as ug


def test_equal_elements_are_sorted_stably_in_the_derivative():
    weights = np.array([1.0, 2.0, 3.0])
    (gradient,) = ug.vjp(lambda x: np.sort(x, kind="stable"), np.array([1.0, 0.0, 1.0]))[1](weights)
    assert gradient.tolist() == [2.0, 1.0, 3.0]


def test_unique_gathers_the_first_of_equal_elements():
    gradient = ug.grad(lambda x: np.sum(np.unique(x) * x[:2]))(np.array([2.0, 1.0, 2.0]))
    assert gradient.tolist() == [2.0, 4.0, 0.0]  # of 2 x[0] x[1]
