"""Which instructions are cheap, by their vector forms."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.compile.costs import is_cheap
from tinygrad_ugan.nn.activations import elu, leaky_relu, relu


def last(f, *args):
    """The last instruction of a function."""
    return ug.compile(f).program(*args).instructions[-1]


X = np.linspace(1, 2, 5)


@pytest.mark.parametrize(
    "f",
    [lambda x: x + x, lambda x: 3.0 * x, np.square, lambda x: np.maximum(x, 0.0), lambda x: x < 1]
    + [lambda x: np.where(x > 1, x, 0.0), np.absolute, relu, leaky_relu],
)
def test_sums_products_comparisons_and_choices_are_cheap(f):
    assert is_cheap(last(f, X))


@pytest.mark.parametrize(
    "f", [lambda x: x / (1 + x), np.sqrt, np.exp, np.tanh, np.sin, lambda x: x**0.3, elu]
)
def test_divisions_roots_and_exponentials_are_not(f):
    assert not is_cheap(last(f, X))


@pytest.mark.parametrize("f", [np.sum, lambda x: x @ np.ones(5), np.sort])
def test_what_has_no_vector_form_is_not(f):
    assert not is_cheap(last(f, X))


def test_constants_reach_forms_as_numbers():
    slope = ug.compile(ug.grad(lambda a: np.sum(X**a)))
    powers = [each for each in slope.program(2.5).instructions if "power" in each.name]
    assert powers
    assert not any(map(is_cheap, powers))


def test_a_primitive_of_ones_own_is_what_its_vector_form_says():
    cheap = ug.primitive(
        lambda x: x * x, partials=[lambda ans, x: 2 * x], vector=lambda e, x: x * x
    )
    dear = ug.primitive(np.exp, partials=[lambda ans, x: ans], vector=lambda e, x: e.exp(x))
    assert is_cheap(last(cheap, X))
    assert not is_cheap(last(dear, X))
