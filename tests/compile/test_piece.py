"""Pieces of programs: the forms of their kernels."""

import numpy as np

from tests.compile.pieces import lowered, pieces
from tinygrad_ugan.compile.kernel_form import Access, Reduction, Store

X = np.arange(24.0).reshape(4, 6)


def piece(f, *xs):
    (found,) = pieces(lowered(f, *xs))
    return found


def form(f, *xs):
    (found,) = piece(f, *xs).kernels.values()
    return found


def test_elementwise_functions_run_through_rows():
    found = form(lambda x: np.tanh(x) * 2, X)
    assert found.space == (4, 6)
    assert [step.operation for step in found.steps] == ["numpy.tanh", "numpy.multiply"]
    assert found.steps[1].operands == (1, 2.0)
    assert found.loads == (Access((6, 1)),)
    assert found.stores == (Store(2, Access((6, 1))),)


def test_neighbouring_axes_are_one_where_all_arrays_have_them_so():
    x = np.ones((2, 3, 4, 5))
    assert form(lambda x: np.exp(x) + 1, x).space == (2, 60)
    assert form(lambda x: np.exp(x) + x[0, 0, :, :1], x).space == (2, 3, 4, 5)
    assert form(lambda x: np.exp(x) + x[0, 0], x).space == (2, 3, 20)
    assert form(lambda x: np.sum(np.exp(x), axis=(2, 3)), x).space == (2, 3, 20)


def test_reductions_have_no_stride_along_their_axes():
    found = form(lambda x: np.sum(np.exp(x), axis=0), X)
    assert found.reductions == (Reduction(1, "add", Access((0, 1))),)
    assert found.reduced == (True, False)


def test_the_same_group_twice_has_the_same_code():
    def f(x, w):
        for _ in range(5):
            x = np.tanh(x @ w)
        return x

    found = piece(f, X, np.eye(6))
    assert len(found.kernels) == 5
    assert len(set(found.kernels.values())) == 1
    np.testing.assert_allclose(found(X, np.eye(6))[0], f(X, np.eye(6)))
