"""Vector forms in machine code, for every target, against the functions that they stand for."""

import numpy as np
import pytest

from tests.autodiff.vector_cases import CASES, MASKS
from tests.kernels.emitted import TARGETS, Elementwise
from tinygrad_ugan.autodiff.vector_forms import MORE, UFUNCS
from tinygrad_ugan.kernels.ufunc_emitter import UfuncEmitter

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning"),
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider longdouble"),
]


def as_numbers(e, x):
    return e.from_mask(x) if x.is_integer else x


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_machine_code_of_forms(case, dtype, target):
    """Masks go in and come out as numbers, for which the kernel of the test has room."""
    args = case.arguments(dtype)
    places = [i for i, x in enumerate(args) if isinstance(x, np.ndarray)]
    masks = [i for i in places if args[i].dtype == bool]

    def f(e, *vectors):
        full = list(args)
        for i, x in zip(places, vectors, strict=True):
            full[i] = x > 0.5 if i in masks else x
        return as_numbers(e, case.form(e, *full))

    kernel = Elementwise(f, TARGETS[target], dtype, len(places), UfuncEmitter)
    result = kernel(*(args[i] for i in places))
    is_mask = case.called(*args).dtype == bool
    case.check(result.astype(bool) if is_mask else result, dtype)


def test_has_all_of_vector_arithmetic():
    assert all(hasattr(UfuncEmitter, name) for name in (*MORE, *(f.__name__ for f in UFUNCS)))


OF_TWO = [f for f in UFUNCS if f.nin == 2 and f not in MASKS]


@pytest.mark.parametrize("number", [-2.0, 0, 2, np.inf, np.nan])
@pytest.mark.parametrize("function", OF_TWO, ids=lambda f: f.__name__)
def test_numbers_among_the_arguments(function, number):
    x = np.array([-1.5, 0.0, np.nan, np.inf, 3.0])
    result = Elementwise(
        lambda e, x: as_numbers(e, getattr(e, function.__name__)(x, number)),
        *(TARGETS["avx2"], np.float64, 1, UfuncEmitter),
    )(x)
    swapped = Elementwise(
        lambda e, x: as_numbers(e, getattr(e, function.__name__)(number, x)),
        *(TARGETS["avx2"], np.float64, 1, UfuncEmitter),
    )(x)
    np.testing.assert_allclose(result, function(x, number).astype(float), rtol=1e-15)
    np.testing.assert_allclose(swapped, function(number, x).astype(float), rtol=1e-15)
