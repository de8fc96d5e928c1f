"""Linear algebra on pytrees against the same on the vector of all leaves."""

import numpy as np
import optree
import pytest

from tinygrad_ugan import grad
from tinygrad_ugan.tree import add, axpy, is_finite, norm, ravel, vdot


def tree(rng, dtype=float):
    return {
        "layers": [rng.standard_normal((3, 2)).astype(dtype), rng.standard_normal(2).astype(dtype)],
        "scale": dtype(rng.standard_normal()),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_leaves_are_one_vector(rng, dtype):
    x, y = tree(rng, dtype), tree(rng, dtype)
    (u, unravel), (v, _) = ravel(x), ravel(y)
    assert np.array_equal(ravel(add(x, y))[0], u + v)
    assert np.array_equal(ravel(axpy(dtype(0.3), x, y))[0], dtype(0.3) * u + v)
    tolerance = 9 * np.finfo(dtype).eps  # sums of nine terms, in another order
    np.testing.assert_allclose(vdot(x, y), u @ v, atol=tolerance * norm(x) * norm(y))
    np.testing.assert_allclose(norm(x), np.linalg.norm(u), rtol=tolerance)
    for a, b in zip(optree.tree_leaves(unravel(u)), optree.tree_leaves(x), strict=True):
        assert np.array_equal(a, b)
        assert a.dtype == b.dtype == dtype


def test_the_inner_product_differentiates(rng):
    x, y = tree(rng), tree(rng)
    assert np.array_equal(ravel(grad(lambda x: vdot(x, y))(x))[0], ravel(y)[0])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_one_wrong_number_is_found(rng, wrong):
    x = tree(rng)
    assert is_finite(x)
    x["layers"][0][1, 1] = wrong
    assert not is_finite(x)
