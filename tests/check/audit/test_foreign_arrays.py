"""Arrays of other libraries, by what they offer."""

import numpy as np
import pytest

from tinygrad_ugan.check.audit.foreign_arrays import (
    as_numpy,
    coarsest,
    readings,
    transposed_readings,
    tree_as_numpy,
)
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError


class Exported:
    """Speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OnTape:
    """As a tensor of PyTorch: `__array__` only once it is detached and on the CPU."""

    def __init__(self, array, steps=("detach", "cpu")):
        self.array, self.steps = array, steps

    def __array__(self, dtype=None, copy=None):
        if self.steps:
            raise RuntimeError(f"call {self.steps[0]} first")
        return self.array

    def _after(self, name):
        return OnTape(self.array, tuple(step for step in self.steps if step != name))

    def detach(self):
        return self._after("detach")

    def cpu(self):
        return self._after("cpu")


@pytest.mark.parametrize("kind", [Exported, OnTape, np.asarray])
def test_arrays_are_read(kind):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert (as_numpy("x", kind(array)) == array).all()
    (converted,) = tree_as_numpy("x", [kind(array)])
    assert converted.dtype == np.float64


def test_what_is_no_array_stays_as_it_is():
    tree = {"n": 3, "name": "x", "mask": np.array([True])}
    converted = tree_as_numpy("batch", tree)
    assert (converted["n"], converted["name"], converted["mask"].dtype) == (3, "x", bool)


@pytest.mark.parametrize("bad", ["text", object(), np.array(["x"]), np.array([1j])])
def test_what_holds_no_real_numbers_is_refused(bad):
    with pytest.raises(ArgumentTypeError, match="there: expected an array"):
        as_numpy("there", bad)


def test_the_coarsest_precision_counts():
    double, single = np.ones(2), np.ones(2, np.float32)
    assert coarsest(double, [{"x": single}]) == np.float32
    assert coarsest(1.0, [np.arange(3), None]) == np.float64


LIKE = [{"w": np.zeros((2, 3)), "b": np.zeros(3)}]


def test_a_structure_has_one_reading_and_none_is_zero():
    given = ({"w": np.ones((2, 3)), "b": None},)  # a tuple for a list is the same structure
    (vector,) = readings("gradient", given, LIKE)
    assert vector.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_sequences_and_vectors_are_read_in_both_orders():
    w, b = np.ones((2, 3)), np.zeros(3)
    for given in ([w, b], [b, w]):
        (vector,) = readings("gradient", given, LIKE)
        assert vector.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    by_key, by_insertion = readings("gradient", np.arange(9.0), LIKE)
    assert by_key.tolist() == list(range(9))
    assert by_insertion.tolist() == [6, 7, 8, 0, 1, 2, 3, 4, 5]


def test_a_vector_for_a_single_matrix():
    (vector,) = readings("gradient", np.arange(6.0), np.zeros((2, 3)))
    assert vector.tolist() == list(range(6))


def test_shapes_that_fit_no_order_are_named():
    with pytest.raises(ArgumentError, match=r"gradient\[1\]: expected shape \(3,\)"):
        readings("gradient", [np.ones((2, 3)), np.ones(4)], LIKE)


def test_matrices_given_as_their_transposes():
    w, b = np.arange(6.0).reshape(2, 3), np.zeros(3)
    for given in ([{"w": w.T, "b": b}], [w.T, b], np.concatenate([w.T.ravel(), b])):
        vector = transposed_readings("gradient", given, LIKE)[-1]
        assert vector.tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5]
    assert transposed_readings("gradient", [w, b], LIKE) == []
    assert transposed_readings("gradient", np.ones(3), np.zeros(3)) == []
    with pytest.raises(NonFiniteError):
        transposed_readings("gradient", [w.T * np.nan, b], LIKE)
