"""Sums over pairs against their formula on whole arrays."""

import numba
import numpy as np
import pytest

from tinygrad_ugan.kernels import pairwise_l1

# Rounding in sums of up to 7 terms of size up to ten.
TOLERANCE = {np.float64: 1e-14, np.float32: 1e-5}


def formulas(v, g, p):
    signs = np.sign(p[..., :, None] - p[..., None, :])
    differences = np.sum(signs * (v[..., :, None] - v[..., None, :]), axis=0)
    return differences, np.sum(signs * (g + np.swapaxes(g, 1, 2)), axis=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("dimension", "sets", "n"), [(1, 1, 1), (3, 2, 7), (2, 5, 4)])
def test_is_the_formula(dimension, sets, n, dtype, rng):
    p, v = rng.standard_normal((2, dimension, sets, n)).astype(dtype)
    g = rng.standard_normal((sets, n, n)).astype(dtype)
    p[:, :, -1] = p[:, :, 0]  # a tie counts for nothing
    found = pairwise_l1.signed_differences(v, p), pairwise_l1.signed_sums(g, p)
    for given, expected in zip(found, formulas(v, g, p), strict=True):
        assert given.dtype == dtype
        np.testing.assert_allclose(given, expected, atol=10 * TOLERANCE[dtype])


def test_strides_do_not_matter(rng):
    p, v = rng.standard_normal((2, 7, 2, 3)).transpose(0, 3, 2, 1)
    g = rng.standard_normal((7, 7, 2)).T
    found = pairwise_l1.signed_differences(v, p), pairwise_l1.signed_sums(g, p)
    for given, expected in zip(found, formulas(v, g, p), strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-13)


def test_compiles_where_nothing_can_be_kept(monkeypatch, rng):
    compile_really = numba.njit

    def njit(signature, cache=False):
        if cache:
            raise RuntimeError("no locator available")
        return compile_really(signature)

    monkeypatch.setattr(numba, "njit", njit)
    dtypes = 3 * [np.dtype(np.float64)]
    function = pairwise_l1._compiled.__wrapped__(pairwise_l1._add_signed_differences, *dtypes)
    p = rng.standard_normal((2, 1, 3))
    function(p, p, out := np.zeros((1, 3, 3)))
    np.testing.assert_array_equal(out, pairwise_l1.signed_differences(p, p))
