"""Vector forms in NumPy's own arithmetic: they are the functions that they stand for."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.vector_cases import CASES
from tinygrad_ugan.autodiff.primitive import elementwise
from tinygrad_ugan.autodiff.rules import conditionals, vector_form
from tinygrad_ugan.check.strategies.samples import TABLE
from tinygrad_ugan.nn import activations

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning"),
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider longdouble"),
]


class NumPyArithmetic:
    """NumPy as the arithmetic of vector forms, in one dtype."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __getattr__(self, name):
        return getattr(np, name)

    def where(self, mask, x, y):
        return np.where(mask, x, y).astype(self.dtype)

    def float_power(self, x, y):
        return np.float_power(x, y).astype(self.dtype)

    def fma(self, x, y, z):
        return x * y + z

    def sigmoid(self, x):
        return activations._sigmoid(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_form_is_its_function(case, dtype):
    result = case.form(NumPyArithmetic(dtype), *case.arguments(dtype))
    case.check(result, dtype, max(case.bound, 5))  # NumPy's own functions are as far off


def test_all_forms_are_tested():
    assert {record.vector for record in TABLE if record.vector} <= {case.form for case in CASES}


def test_a_form_is_found_by_any_name_of_its_function():
    assert vector_form(np.where) is conditionals.where.vector
    assert vector_form(conditionals.where.implementation) is conditionals.where.vector
    assert vector_form(activations.relu.implementation) is activations.relu.vector
    assert vector_form(np.tanh)
    assert vector_form(np.greater)
    assert vector_form(np.matmul) is vector_form(np.sum) is vector_form(len) is None


def test_forms_of_primitives_of_ones_own_are_found_and_forgotten():
    def implementation(x):
        return x * x

    own = elementwise(implementation, lambda ans, x: 2 * x, vector=lambda e, x: x * x)
    assert vector_form(implementation) is own.vector
    seen = weakref.ref(implementation)
    del own, implementation
    gc.collect()
    assert seen() is None


def test_a_form_of_ones_own():
    double = ug.primitive(lambda x: 2 * x, partials=[lambda ans, x: 2], vector=lambda e, x: x + x)
    assert vector_form(double.implementation)(None, 3.0) == 6.0
    with pytest.raises(ug.errors.ArgumentError, match="of single elements"):
        ug.primitive(lambda x: 2 * x, transpose=lambda g, x: 2 * g, vector=lambda e, x: x + x)


def test_a_primitive_without_a_form_has_none():
    plain = ug.primitive(lambda x: x, partials=[lambda ans, x: 1])
    assert plain.vector is None
    assert vector_form(plain.implementation) is None
