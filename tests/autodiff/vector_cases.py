"""Arguments for every vector form, and how far it may be from what it stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.oracles import ulps
from tinygrad_ugan.autodiff.rules import (
    conditionals,
    floating_point,
    powers,
    stable_derivatives,
    vector_form,
)
from tinygrad_ugan.autodiff.rules.special import elementary, error_functions
from tinygrad_ugan.autodiff.vector_forms import UFUNCS
from tinygrad_ugan.nn import activations

MASKS = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
EXTREMES = (np.maximum, np.minimum, np.fmax, np.fmin)


def points(dtype):
    """All special values, and numbers of all sizes."""
    form, rng = np.finfo(dtype), np.random.default_rng(0)
    tiny = form.smallest_subnormal
    below_one = np.nextafter(dtype(1), dtype(0))
    special = [0, tiny, form.tiny, 0.5, below_one, 1, 1.5, 2, 3, form.max, np.inf]
    special = np.array([s * x for x in special for s in (1, -1)] + [np.nan], dtype)
    sign = rng.choice([-1, 1], 2000)
    near = sign * np.exp2(rng.uniform(-5, 4, 2000))
    anywhere = sign * np.exp2(rng.uniform(form.minexp - form.nmant, form.maxexp, 2000))
    return np.concatenate([special, near.astype(dtype), anywhere.astype(dtype)])


def pairs(dtype):
    """All pairs of special values; random pairs near each other, and not."""
    x = points(dtype)
    special = x[:23]
    rng = np.random.default_rng(1)
    left, right = np.repeat(special, special.size), np.tile(special, special.size)
    shuffled, near = rng.permutation(x), x * rng.uniform(0.5, 2, x.size).astype(dtype)
    return np.concatenate([left, x, x]), np.concatenate([right, shuffled, near])


def masks(count):
    grid = np.indices([2] * count).reshape(count, -1).astype(bool)
    return tuple(grid)


def triples(dtype):
    """Pairs with the logarithm of the sum; but the largest number counts as infinite there."""
    x, y = (np.where(np.abs(x) == np.finfo(dtype).max, 100, x).astype(dtype) for x in pairs(dtype))
    return x, y, np.logaddexp(x, y)


@dataclass(frozen=True)
class Case:
    """A function, its arguments for a dtype, and a bound on errors in units of the last place.

    The unit is that of the exact result; of the largest argument, where that is larger, if errors
    are `relative_to_arguments`. What amplifies the roundings of its own terms is compared with the
    function in the `same_dtype`.
    """

    function: Any
    arguments: Callable[[Any], tuple[Any, ...]]
    bound: float = 0.5
    relative_to_arguments: bool = False
    same_dtype: bool = False

    def __str__(self):
        return getattr(self.function, "name", None) or self.function.__name__

    @property
    def form(self):
        return vector_form(self.called)

    @property
    def called(self):
        """What an instruction of a program calls."""
        return getattr(self.function, "implementation", self.function)

    def check(self, result, dtype, bound=None):
        """Check the results of a vector form on the arguments of a dtype."""
        args = self.arguments(dtype)
        expected = self.called(*args)
        if expected.dtype == bool:
            np.testing.assert_array_equal(result, expected)
            return
        wide = np.float64 if dtype == np.float32 and not self.same_dtype else np.longdouble
        exact = expected if self.same_dtype else self.called(*(_cast(x, wide) for x in args))
        assert result.dtype == dtype
        np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
        known = ~np.isnan(expected)
        errors = ulps(result[known], exact.astype(wide)[known], dtype)
        if self.relative_to_arguments:
            units = [np.spacing(np.abs(x)[known]) for x in (expected, *args)]
            errors *= np.nan_to_num(units[0] / np.fmax.reduce(units), nan=1)  # at infinity
        assert np.max(errors) <= (bound or self.bound)
        if self.signs_of_zero:
            zero = expected == 0
            np.testing.assert_array_equal(np.signbit(result[zero]), np.signbit(expected[zero]))

    @property
    def signs_of_zero(self):
        """Whether NumPy says which zero an extreme of zeros is; it does not of two."""
        return self.called not in (*EXTREMES, np.clip, activations.relu.implementation)


def _cast(x, dtype):
    return x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def by_default(function, bound=0.5, **settings):
    count = function.nin if isinstance(function, np.ufunc) else 1
    if function in MASKS:
        return Case(function, lambda dtype: masks(count))
    return Case(
        function, pairs if count == 2 else lambda dtype: (points(dtype),), bound, **settings
    )


_BOUNDS = {
    **{np.tanh: 2.6, np.exp: 1.2, np.exp2: 1.6, np.expm1: 2, np.log: 1.5, np.log1p: 2},
    **{np.log2: 0.6, np.log10: 0.6, np.power: 2, np.float_power: 2, np.cbrt: 0.6, np.hypot: 1.2},
    **{np.sin: 1, np.cos: 1, np.tan: 2.5, np.arcsin: 2, np.arccos: 2, np.arctan: 2},
    **{np.arctan2: 2.5, np.sinh: 2, np.cosh: 2, np.arcsinh: 4, np.arccosh: 4, np.arctanh: 4},
    **{np.degrees: 1.5, np.rad2deg: 1.5, np.radians: 1.5, np.deg2rad: 1.5},
}
_ACTIVATION_BOUNDS = {"leaky_relu": 1.5, "elu": 2, "sigmoid": 2.5, "log_sigmoid": 3}
_OF_ARGUMENTS = (np.logaddexp, np.logaddexp2)


def _with(function):
    return lambda dtype: (function(points(dtype)), points(dtype))


_STABLE = (
    Case(stable_derivatives.sign, lambda dtype: (points(dtype),)),
    Case(stable_derivatives.ratio, pairs),
    Case(stable_derivatives.one_minus_square, lambda dtype: (points(dtype),), 2),
    Case(stable_derivatives.tanh_slope, _with(np.tanh), 4),
    Case(stable_derivatives.logistic_slope, _with(activations._sigmoid), 4),
    Case(stable_derivatives.logistic_complement, _with(activations._log_sigmoid), 4),
    Case(
        stable_derivatives.expm1_plus_one,
        lambda dtype: (np.expm1(-np.abs(points(dtype))), -np.abs(points(dtype))),
        2,
    ),
    Case(stable_derivatives.softmax_weight, triples, 5, same_dtype=True),
    Case(stable_derivatives.product_of_weights, triples, 10, same_dtype=True),
)
_CHOICES = (
    Case(conditionals.where, lambda dtype: (pairs(dtype)[0] > 1, *pairs(dtype))),
    Case(np.clip, lambda dtype: (points(dtype), -1, 1)),
    Case(np.clip, lambda dtype: (points(dtype), None, 2.0)),
    Case(np.heaviside, pairs),
    Case(floating_point.fraction, lambda dtype: (points(dtype),)),
    Case(np.sinc, lambda dtype: (points(dtype),), 5, same_dtype=True),
    Case(error_functions.bell, lambda dtype: (points(dtype),), 5, same_dtype=True),
)
_OF_POWERS = (
    *(
        Case(np.power, lambda dtype, y=y: (points(dtype), y), 2)
        for y in (0, 0.5, 1, 2, 3, 4, -1, -2)
    ),
    *(
        Case(
            powers.power_derivative,
            lambda dtype, k=k, n=n: (k, n, *pairs(dtype)),
            10,
            same_dtype=True,
        )
        for k, n in ((1, 0), (0, 1), (2, 0))
    ),
    *(
        Case(stable_derivatives.root, lambda dtype, d=d: (points(dtype), d), 3, same_dtype=True)
        for d in (2, 3)
    ),
    Case(stable_derivatives.cosine, pairs, 16, same_dtype=True),  # of denormal numbers
)

CASES = (
    *(
        by_default(f, _BOUNDS.get(f, 0.5), same_dtype=f is np.floor_divide)
        for f in UFUNCS
        if f not in _OF_ARGUMENTS
    ),
    *(by_default(f, 3, relative_to_arguments=True) for f in _OF_ARGUMENTS),
    *(by_default(f, _ACTIVATION_BOUNDS.get(f.name, 0.5)) for f in activations.PRIMITIVES),
    *(by_default(f.function, 5, same_dtype=True) for f in elementary.RULES if f.vector),
    *(*_STABLE, *_CHOICES, *_OF_POWERS),
)
