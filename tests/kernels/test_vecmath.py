"""Errors in units of the last place, against wider arithmetic, and ball arithmetic."""

import functools
import os

import flint
import numpy as np
import pytest

from tests.kernels.emitted import TARGETS, Elementwise
from tests.oracles import ulps
from tinygrad_ugan.kernels import vecmath

# As the docstrings state them.
BOUNDS = {
    **{"tanh": 2.6, "exp": 1.2, "expm1": 2, "sigmoid": 2.5, "softplus": 2, "log_sigmoid": 2},
    **{"exp2": 1.6, "log": 1.5, "log1p": 2},
}
DTYPES = (np.float32, np.float64)
LOG_MAX = {dtype: np.log(np.finfo(dtype).max) for dtype in DTYPES}
SPECIAL = {  # at 0, -0, inf, -inf, the smallest denormal number, and the largest number
    "tanh": lambda tiny: (0.0, -0.0, 1, -1, tiny, 1),
    "exp": lambda tiny: (1, 1, np.inf, 0, 1, np.inf),
    "exp2": lambda tiny: (1, 1, np.inf, 0, 1, np.inf),
    "expm1": lambda tiny: (0.0, -0.0, np.inf, -1, tiny, np.inf),
    "sigmoid": lambda tiny: (0.5, 0.5, 1, 0, 0.5, 1),
    "softplus": lambda tiny: (np.log(2), np.log(2), np.inf, 0, np.log(2), None),
    "log_sigmoid": lambda tiny: (-np.log(2), -np.log(2), 0, -np.inf, -np.log(2), 0),
    "log": lambda tiny: (-np.inf, -np.inf, np.inf, np.nan, np.log(tiny), LOG_MAX[type(tiny)]),
    "log1p": lambda tiny: (0.0, -0.0, np.inf, np.nan, tiny, LOG_MAX[type(tiny)]),
}

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
each_function = pytest.mark.parametrize("name", BOUNDS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_target = pytest.mark.parametrize("target", TARGETS)


def wider(name, x):
    """The function by the platform's own elementary functions."""
    small = np.exp(-np.abs(x))
    return {
        "tanh": lambda: np.tanh(x),
        "exp": lambda: np.exp(x),
        "expm1": lambda: np.expm1(x),
        "sigmoid": lambda: np.where(x < 0, small, 1) / (1 + small),
        "softplus": lambda: np.maximum(x, 0) + np.log1p(small),
        "log_sigmoid": lambda: np.minimum(x, 0) - np.log1p(small),
        "exp2": lambda: np.exp2(x),
        "log": lambda: np.log(x),
        "log1p": lambda: np.log1p(x),
    }[name]()


@functools.cache
def samples(dtype):
    """Every exponent, both signs; and more where the functions are curved."""
    rng = np.random.default_rng(0)
    bits = np.uint32 if dtype == np.float32 else np.uint64
    anywhere = rng.integers(0, np.iinfo(bits).max, 500_000, dtype=bits, endpoint=True).view(dtype)
    sign = rng.choice([-1, 1], 500_000)
    curved = (sign * np.exp2(rng.uniform(-6, 10, 500_000))).astype(dtype)
    return np.concatenate([anywhere[np.isfinite(anywhere)], curved])


@functools.cache
def wide_samples(name, dtype):
    return wider(name, samples(dtype).astype(np.longdouble))


@each_target
@each_dtype
@each_function
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider longdouble")
def test_error_over_all_exponents(name, dtype, target):
    got = Elementwise(getattr(vecmath, name), TARGETS[target], dtype)(samples(dtype))
    assert np.max(ulps(got, wide_samples(name, dtype), dtype)) < BOUNDS[name]


@pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "deep", reason="minutes: make deep")
@pytest.mark.timeout(1800)
@each_function
def test_error_of_every_float32(name):
    function = Elementwise(getattr(vecmath, name), next(iter(TARGETS.values())), np.float32)
    worst = 0.0
    for start in range(0, 2**32, 2**22):
        x = np.arange(start, start + 2**22, dtype=np.uint32).view(np.float32)
        x = x[np.isfinite(x)]
        if x.size:
            errors = ulps(function(x), wider(name, x.astype(np.float64)), np.float32)
            worst = max(worst, errors.max())
    assert worst < BOUNDS[name]


@each_function
def test_error_by_ball_arithmetic(name):
    ball = {
        "tanh": lambda x: x.tanh(),
        "exp": lambda x: x.exp(),
        "expm1": lambda x: x.expm1(),
        "sigmoid": lambda x: 1 / (1 + (-x).exp()),
        "softplus": lambda x: x.exp().log1p(),
        "log_sigmoid": lambda x: -(-x).exp().log1p(),
        "exp2": lambda x: (x * flint.arb(2).log()).exp(),
        "log": lambda x: x.log(),
        "log1p": lambda x: x.log1p(),
    }[name]
    x = np.random.default_rng(1).normal(size=2000) * 10.0 ** np.arange(-9, 1).repeat(200)
    x = {"log": np.abs(x), "log1p": x[x > -1]}.get(name, x)
    got = Elementwise(getattr(vecmath, name), next(iter(TARGETS.values())), np.float64)(x)
    flint.ctx.prec = 200
    for point, value in zip(x, got, strict=True):
        error = (flint.arb(value) - ball(flint.arb(point))) / flint.arb(np.spacing(abs(value)))
        assert abs(error) < 2 * BOUNDS[name]  # the spacing halves at powers of two


@each_target
@each_dtype
@each_function
def test_special_values(name, dtype, target):
    form = np.finfo(dtype)
    x = np.array([0.0, -0.0, np.inf, -np.inf, form.smallest_subnormal, form.max, np.nan], dtype)
    got = Elementwise(getattr(vecmath, name), TARGETS[target], dtype)(x)
    assert np.isnan(got[-1])
    for value, expected in zip(got, SPECIAL[name](form.smallest_subnormal), strict=False):
        expected = dtype(form.max if expected is None else expected)
        assert ulps(value, np.longdouble(expected), dtype) <= 1
        if expected == 0 and name in ("tanh", "expm1", "log1p"):
            assert np.signbit(value) == np.signbit(expected)


@each_target
@each_dtype
def test_tanh_is_odd_and_bounded(dtype, target):
    x = samples(dtype)
    tanh = Elementwise(vecmath.tanh, TARGETS[target], dtype)
    np.testing.assert_array_equal(tanh(-x), -tanh(x))
    assert np.max(np.abs(tanh(x))) == 1


@each_dtype
@each_function
def test_targets_with_multiply_adds_agree_bitwise(name, dtype):
    x, alike = samples(dtype)[::10], [t for t in TARGETS.values() if t.has_fma]
    first, *others = (Elementwise(getattr(vecmath, name), t, dtype)(x) for t in alike)
    for other in others:
        np.testing.assert_array_equal(other, first)


# `sin_cos` has no reduction.
PIECES = {
    "sine": (lambda e, x: vecmath.sin_cos(e, x)[0], np.sin, 1),
    "cosine": (lambda e, x: vecmath.sin_cos(e, x)[1], np.cos, 1.2),
}
each_piece = pytest.mark.parametrize("name", PIECES)


def piece_samples(dtype):
    """Of every exponent in the domain; and many near its ends."""
    x, end = samples(dtype), np.nextafter(dtype(np.pi / 4), dtype(0))
    all_over = np.random.default_rng(2).uniform(-end, end, 100_000).astype(dtype)
    return np.concatenate([x[np.abs(x) <= end], all_over, np.array([end, -end, 0], dtype)])


@each_target
@each_dtype
@each_piece
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider longdouble")
def test_error_of_the_pieces(name, dtype, target):
    function, wide, bound = PIECES[name]
    x = piece_samples(dtype)
    got = Elementwise(function, TARGETS[target], dtype)(x)
    assert np.max(ulps(got, wide(x.astype(np.longdouble)), dtype)) < bound
