"""NumPy's whole public namespace: every function that takes arrays has been decided about."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.autodiff.rules import CONSTANTS, IN_PLACE, TABLE
from tinygrad_ugan.autodiff.rules.unsupported import WAYS_OUT
from tinygrad_ugan.errors import NotDifferentiableError

# What takes no real numbers, or makes none: integers and bits, dates, text, files, memory; in1d is
# on its way out of NumPy.
OF_OTHER_THINGS = """
    bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor invert left_shift right_shift gcd lcm packbits unpackbits
    ravel_multi_index unravel_index ix_ isnat busday_count busday_offset is_busday
    datetime_as_string array2string array_repr array_str save savetxt savez savez_compressed
    can_cast may_share_memory shares_memory in1d
"""
MODULES = (np, np.linalg, np.fft)


def asks_its_arguments(function):
    """Whether a function lets the arguments decide, by one of NumPy's two protocols."""
    return isinstance(function, np.ufunc) or hasattr(function, "_implementation")


FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in dir(module)
    if not name.startswith("_") and asks_its_arguments(getattr(module, name))
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_rule_is_a_constant_or_is_refused(name):
    function = FUNCTIONS[name]
    groups = (TABLE, CONSTANTS, IN_PLACE, WAYS_OUT, OF_OTHER_THINGS.split())
    found = [function in group for group in groups[:-1]] + [function.__name__ in groups[-1]]
    assert sum(found) == 1


@pytest.mark.parametrize("function", WAYS_OUT, ids=lambda f: f.__name__)
def test_what_is_refused_names_the_way_out(function):
    n = 2 if function in (np.histogram2d, np.histogramdd) else 1
    arguments = [np.ones((2, 3))] if function is np.histogramdd else [np.ones(4)] * n

    def f(x):
        function(x, *arguments[1:])
        return 0.0

    if function in (np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.irfft2):
        arguments = [np.ones((3, 3))]
    with pytest.raises(NotDifferentiableError, match=r"no derivative rule; .*np\."):
        ug.grad(f)(arguments[0])


CASES = {
    "argmax": (np.nanargmax, np.array([1.0, np.nan, 3.0])),
    "digitize": (lambda x: np.digitize(x, [0.0, 1.0]), np.array([0.5, 2.0])),
    "isin": (lambda x: np.isin(x, [0.25]), np.array([0.5, 2.0])),
    "lexsort": (lambda x: np.lexsort((x, x)), np.array([0.5, -2.0])),
    "spacing": (np.spacing, np.array([0.7, 3.0])),
    "equiv": (lambda x: np.array_equiv(x, x[:1]), np.array([0.5, 2.0])),
    "type": (lambda x: np.common_type(x) is np.float64, np.array([0.5])),
}


@pytest.mark.parametrize("name", CASES)
def test_constants_are_what_numpy_gives_nearby_too(name):
    f, x = CASES[name]
    seen = []
    ug.grad(lambda x: seen.append(f(x)) or np.sum(x))(x)
    for nearby in (x, x * (1 + 1e-7)):
        np.testing.assert_array_equal(seen[0], f(nearby))
