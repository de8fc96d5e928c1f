"""Sums over rows, block by block where the rows are made."""

import numpy as np
import pytest
from hypothesis import given

from tests.compile.matrix_functions import arguments, functions
from tests.compile.pieces import by_numpy, lowered, pieces, simplified
from tests.compile.test_scheduling import check
from tinygrad_ugan.compile import row_sums
from tinygrad_ugan.compile.scheduling import BLOCK, CHUNKS


def gradient(x, w):
    """A layer, and the gradients of its weights and biases."""
    y = np.tanh(x @ w)
    return np.sum(y, axis=0), x.T @ y


def sums(f, *xs):
    """The numbers of sections' sums over rows."""
    with pytest.MonkeyPatch.context() as patch, by_numpy(patch, simplified(f, *xs)):
        found = pieces(lowered(f, *xs))
    return [
        len(section.row_products)
        for piece in found
        for phase in piece.phases
        for section in phase.sections
    ]


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(row_sums, "CACHE", 0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("rows", [2 * BLOCK, 5 * BLOCK, 16 * BLOCK])
def test_gradients_of_a_layer_are_added_up_where_its_rows_are_made(rng, rows):
    x, w = rng.standard_normal((rows, 20)), rng.standard_normal((20, 30))
    check(gradient, x, w)
    found = sums(gradient, x, w)
    assert max(found) == 2
    assert sum(found) == 2


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("rows", [1, BLOCK, BLOCK + 8, 5 * BLOCK - 1])
def test_rows_that_make_no_blocks_are_added_up_at_once(rng, rows):
    x, w = rng.standard_normal((rows, 20)), rng.standard_normal((20, 30))
    check(gradient, x, w)
    assert not any(sums(gradient, x, w))


def test_programs_that_fit_into_the_cache_have_none(rng):
    x, w = rng.standard_normal((5 * BLOCK, 20)), rng.standard_normal((20, 30))
    assert not any(sums(gradient, x, w))


@pytest.mark.usefixtures("always")
def test_sums_over_what_is_given_are_ordinary_products(rng):
    x, y = rng.standard_normal((2, 5 * BLOCK, 20))
    assert not any(sums(lambda x, y: np.tanh(x.T @ y), x, y))


@pytest.mark.usefixtures("always")
def test_sums_of_two_products_and_their_epilogues(rng):
    x, z = rng.standard_normal((2, CHUNKS * BLOCK, 20))

    def f(x, z):
        y, u = np.tanh(x), np.exp(z)
        return np.exp((y.T @ z + u.T @ y) / 1000) * 2

    check(f, x, z)
    assert sum(sums(f, x, z)) == 1


@pytest.mark.usefixtures("always")
@given(f=functions())
def test_random_functions(f):
    check(f, *arguments(f))
