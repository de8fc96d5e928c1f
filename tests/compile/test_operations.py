"""Instructions as maps, products and reductions, or as views, or as neither."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.compile.pieces import translated
from tests.compile.programs import recorded
from tinygrad_ugan.compile.operations import (
    COPY,
    LARGEST_PRODUCT,
    Map,
    Product,
    Reduce,
    can_lower,
    is_view,
    reads,
)

X, W = np.ones((6, 4)), np.ones((4, 5))
MASK = X > 0
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)


def kinds(f, *xs):
    return [type(each).__name__ for each in translated(f, *xs)[0]]


def lowerable(f, *xs, dtype=DOUBLE):
    """Whether kernels can do the last instruction."""
    return can_lower(recorded(f, *xs).instructions[-1], dtype)


@pytest.mark.parametrize(("f", "expected"), [
    (np.tanh, ["Map"]),
    (lambda x: x @ W, ["Product"]),
    (lambda x: np.sum(x, axis=0), ["Reduce"]),
    (lambda x: np.mean(x, axis=0), ["Reduce", "Map"]),
    (lambda x: np.max(x, axis=(0, 1), keepdims=True), ["Reduce"]),
    (lambda x: (x > 0) * x, ["Map", "Map", "Map"]),  # the mask as numbers
    (lambda x: x.T @ x, ["Product"]),
    (lambda x: x[0] @ W[:, 0], ["Product"]),
])  # fmt: skip
def test_operations_of_an_instruction(f, expected):
    assert kinds(f, X) == expected


@pytest.mark.parametrize(
    "f", [np.transpose, lambda x: x[1:, ::-1], lambda x: x.reshape(-1), lambda x: x[None, ..., 0]]
)
def test_views_cost_nothing(f):
    (call,) = recorded(f, X).instructions
    assert is_view(call)
    operations, (out,) = translated(lambda x: np.exp(f(x)), X)
    (each,) = operations
    assert each.out is out
    assert [type(x.storage.constant) for x in reads(each)] == [type(None)]


@pytest.mark.parametrize("f", [lambda x: x[[0, 1]], np.sort, lambda x: x[MASK]])
def test_copies_are_no_views(f):
    (call,) = recorded(f, X).instructions
    assert not is_view(call)
    assert not can_lower(call, DOUBLE)


def test_reshaping_what_is_turned_copies():
    operations, _ = translated(lambda x: np.exp(x.T.reshape(-1)), X)
    assert [each.operation for each in operations] == [COPY, "numpy.exp"]


def test_equal_numbers_are_constants_of_the_code():
    (each,), _ = translated(lambda x: x * np.full((6, 4), 2.0), X)
    assert each.operands[1] == 2.0
    (each,), _ = translated(lambda x: x * np.arange(4.0), X)
    np.testing.assert_array_equal(each.operands[1].storage.constant, np.arange(4.0))
    (each,), _ = translated(lambda x: x * np.array([0.0, -0.0, 0.0, 0.0]), X)
    assert not isinstance(each.operands[1], float)  # the signs differ


def test_the_columns_of_a_factor_are_packed_once():
    w = np.ones((20, 20))

    def f(w):
        return X[:, :1] * np.ones(20) @ w.T, X[:, 1:2] * np.ones(20) @ w.T

    operations, _ = translated(f, w)
    copies = [each for each in operations if isinstance(each, Map) and each.operation == COPY]
    assert len(copies) == 1
    packed = {each.terms[0][1] for each in operations if isinstance(each, Product)}
    assert [x.strides[1] for x in packed] == [1]


@pytest.mark.parametrize(("f", "xs", "expected"), [
    (np.add, (X, X), True),
    (np.add, (X.astype(np.float32), X.astype(np.float32)), False),
    (np.add, (X, X.astype(np.float32)), False),
    (np.add, (MASK, MASK), False),  # which is a disjunction
    (np.logical_and, (MASK, MASK), True),
    (np.logical_and, (X, X), False),
    (np.where, (MASK, X, X), True),
    (np.where, (X, X, X), False),
    (np.where, (MASK, MASK, X), True),
    (np.where, (MASK, MASK, MASK), False),
    (np.max, (MASK,), False),
    (np.sum, (MASK,), False),
    (np.mean, (MASK,), True),
    (np.matmul, (X, W), True),
    (np.matmul, (np.ones((2, 6, 4)), W), False),
    (np.cumsum, (X,), False),
    (np.add, (np.ones((0, 4)), X[0]), False),
    (np.matmul, (np.ones((6, 0)), np.ones((0, 2))), False),
])  # fmt: skip
def test_what_kernels_can_do(f, xs, expected):
    assert lowerable(f, *xs) == expected


def test_large_products_are_left_to_blas():
    rows = LARGEST_PRODUCT // 256**2
    assert not lowerable(np.matmul, np.ones((rows, 256)), np.ones((256, 256)))
    assert lowerable(np.matmul, np.ones((rows, 256)), np.ones((256, 255)))


def test_pythons_floats_are_compared_as_doubles():
    """Also where the rest of a program is in single precision."""

    def f(x, s, t):
        return np.where(s > t, x, -x) * x

    x = np.ones(3, np.float32)
    for s, t in [(0.1 + 1e-12, 0.1), (0.1, 0.1 + 1e-12)]:
        np.testing.assert_array_equal(ug.compile(f)(x, s, t), f(x, s, t))


def test_a_copy_is_made_where_an_output_is_a_view():
    operations, (first, second) = translated(lambda x: (np.exp(x), np.exp(x).T), X)
    assert first is not second
    assert [each.operation for each in operations] == ["numpy.exp", COPY]


def test_numbers_have_an_axis_as_in_numpy():
    def f(x):
        return np.max(np.exp(np.sum(x)), axis=0) + np.sum(np.sum(x), axis=-1)

    np.testing.assert_allclose(ug.compile(f)(X / 24), f(X / 24))


def test_reductions_say_their_axes():
    (each,), _ = translated(lambda x: np.sum(x, axis=-1), X)
    assert isinstance(each, Reduce)
    assert (each.operation, each.axes, each.out.shape) == ("add", (1,), (6, 1))
