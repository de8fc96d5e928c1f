"""Groups of operations that become one kernel."""

import numpy as np
import pytest
from hypothesis import given

from tests.compile.matrix_functions import arguments, functions
from tests.compile.pieces import by_numpy, lowered, pieces, simplified, translated
from tinygrad_ugan.compile.fusion import MAX_ARRAYS, MAX_OPERATIONS, MAX_TERMS, count_uses, fuse
from tinygrad_ugan.compile.operations import Product
from tinygrad_ugan.kernels.kernel import MAX_ARGUMENTS

X, W = np.ones((6, 16)), np.ones((16, 16))


def groups(f, *xs):
    operations, outputs = translated(f, *xs)
    return fuse(operations, outputs), count_uses(operations, outputs)


def sizes(f, *xs):
    """The number of operations of each group."""
    return [len(each.operations) for each in groups(f, *xs)[0]]


@pytest.mark.parametrize(("f", "expected"), [
    (lambda x: np.tanh(np.exp(x) + 1), [3]),
    (lambda x: np.sum(np.exp(x) * 2), [3]),
    (lambda x: np.tanh(x @ W + x[0]) * x, [4]),  # the epilogue of a product
    (lambda x: np.exp(x) / np.sum(np.exp(x), 1, keepdims=True), [2, 1]),
    (lambda x: np.exp(np.exp(x).T), [1, 1]),  # not element by element
    (lambda x: np.sum(np.tanh(x @ W)), [2, 1]),  # products have no reductions
    (lambda x: (np.sum(np.exp(x), 0), np.sum(np.exp(x), 1)), [2, 1]),  # of one kind
    (lambda x: np.exp(x) @ W @ W, [1, 1, 1]),
])  # fmt: skip
def test_what_runs_through_the_same_points_is_one_group(f, expected):
    assert sizes(f, X) == expected


def test_sums_of_products_are_one_product():
    def tangent(a, Ra):
        return np.tanh(Ra @ W + a @ (2 * W))

    (group,), _ = groups(tangent, X, X + 1)
    assert len(group.product.terms) == 2
    assert len(group.operations) == 2


def test_products_that_others_read_stay_apart():
    def f(x):
        y = x @ W
        return y + x @ (2 * W), y

    found, _ = groups(f, X)
    assert max(len(each.product.terms) for each in found if each.product) == 1


def test_sums_of_products_have_few_terms():
    def f(*xs):
        return sum((x @ W for x in xs[1:]), xs[0] @ W)

    found, _ = groups(f, *[X + i for i in range(2 * MAX_TERMS)])
    assert [len(each.product.terms) for each in found] == [MAX_TERMS, 1, 1, 1, 1]


def test_only_what_others_read_is_stored():
    def f(x):
        y = np.exp(x)
        return np.tanh(y + 1), y @ W

    (first, second), uses = groups(f, X)
    y, _, out = (each.out for each in first.operations)
    assert first.stored(uses) == [y, out]
    assert second.stored(uses) == [second.product.out]


def test_long_chains_are_cut():
    def f(x):
        for _ in range(3 * MAX_OPERATIONS):
            x = np.tanh(x)
        return x

    assert max(sizes(f, X)) <= MAX_OPERATIONS
    assert sum(sizes(f, X)) == 3 * MAX_OPERATIONS


def test_kernels_have_few_arrays():
    def f(*xs):
        return sum(xs[1:], xs[0])

    xs = [X + i for i in range(40)]
    (piece,) = pieces(lowered(f, *xs))
    counts = [len(form.arguments) for form in piece.kernels.values()]
    assert MAX_ARRAYS >= max(counts) > MAX_ARRAYS // 2
    np.testing.assert_allclose(piece(*xs)[0], f(*xs))


def test_a_matrix_is_an_argument_of_each_of_its_products():
    def f(a, *xs):
        y = sum((a @ x for x in xs[1:4]), a @ xs[0])
        for i, x in enumerate(xs):
            y = y * x + i
        return y

    xs = [X.T @ X + i for i in range(12)]
    (piece,) = pieces(lowered(f, *xs))
    assert max(len(form.arguments) for form in piece.kernels.values()) <= MAX_ARRAYS
    np.testing.assert_allclose(piece(*xs)[0], f(*xs))


@given(f=functions())
def test_groups_compute_everything_once_and_in_order(f):
    with pytest.MonkeyPatch.context() as patch, by_numpy(patch, simplified(f, *arguments(f))):
        found = pieces(lowered(f, *arguments(f)))
    for piece in found:
        for group, form in piece.kernels.items():
            assert len(form.arguments) < MAX_ARGUMENTS
            ready = {x.storage for x in group.sources()}
            for each in group.operations:
                assert each.out not in ready
                ready.add(each.out)
            products = [each for each in group.operations if isinstance(each, Product)]
            assert products == group.operations[: len(products)]
