"""Rules that are wrong at single points only: exactly where one looks, on ties, at zeros, at whole
numbers, at equal eigenvalues, far out. The checker finds them, and passes what is right there.
"""

import dataclasses
import warnings
import zlib

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import Primitive
from tinygrad_ugan.check import GradCheckError, check_grads
from tinygrad_ugan.check.strategies.samples import TABLE, call, drawn, joined, samples_of

SIZE = 1e-6
"""Of the planted errors, relatively: thousands of roundings."""


def bare(args):
    """The arrays beneath all levels."""
    return [untrace(x) for x in args if hasattr(untrace(x), "dtype")]


def is_nested(args):
    return any(isinstance(x, Tracer) for x in args)


def wrong_where(record, is_special, size=SIZE):
    """The record with rules that are wrong where `is_special`, a function of the arguments."""

    def spoil(out, args, derivative):
        factor = 1 + size * is_special(args, derivative)
        return optree.tree_map(lambda x: None if x is None else x * factor, out)

    def jvp(traced, ans, args, params, tangents):
        return spoil(record.jvp(traced, ans, args, params, tangents), args, tangents)

    def vjp(traced, ans, args, params, cotangent):
        return spoil(list(record.vjp(traced, ans, args, params, cotangent)), args, [cotangent])

    return dataclasses.replace(record, jvp=jvp, vjp=vjp)


PRIMITIVES = [record for record in TABLE if isinstance(record, Primitive)]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("modes", ["forward", "reverse"])
@pytest.mark.parametrize("record", PRIMITIVES, ids=lambda record: record.name)
def test_an_error_at_the_very_point(record, modes, order):
    """Of first order: wherever the rule is asked at this point. Of second: in what is traced."""
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    sample = samples_of(record)[0]
    arrays = drawn(sample, rng)
    seen = []

    def note(args, derivative):
        seen.append(bare(args))
        return False

    def f(of):
        return lambda *xs: joined(call(sample, xs, of))

    ug.vjp(f(wrong_where(record, note)), *arrays)[1](f(record)(*arrays) * 0 + 1)
    point = seen[0]

    def at_the_point(args, derivative):
        same = all(map(np.array_equal, bare(args), point)) and len(bare(args)) == len(point)
        return same and (order == 1 or is_nested([*args, *derivative]))

    if not has_derivative(f(record), arrays, order):
        return  # all zeros: no factor spoils them
    wrong = f(wrong_where(record, at_the_point, size=SIZE if order == 1 else 1e-3))
    with pytest.raises(GradCheckError, match=f"order {order}"):
        check_grads(wrong, arrays, order=order, modes=modes)


def has_derivative(f, arrays, order):
    """Whether the derivative of that order is anything but zero."""
    ones = [np.ones_like(x) for x in arrays]
    for _ in range(order):
        f = derivative_along(f, ones)
    return np.any(np.abs(f(*arrays)) > 1e-3)


def derivative_along(f, direction):
    return lambda *xs: ug.jvp(f, xs, direction)[1]


# Special points, of rules declared in every way.


def is_zero(*args):
    return any(np.any(untrace(x) == 0) for x in args)


def has_ties(*args):
    values = np.sort(np.concatenate([np.ravel(untrace(x)) for x in args]))
    return bool(np.any(np.diff(values) == 0))


def is_whole(*args):
    return any(np.any(untrace(x) % 1 == 0) for x in args)


def has_equal_eigenvalues(x):
    return bool(np.any(np.diff(np.linalg.eigvalsh(untrace(x))) < 1e-12))


def is_far(*args):
    return any(np.any(np.abs(untrace(x)) >= 1e99) for x in args)


def product(error):
    """``x * y``, from its partials."""

    def times(factor, x, y):
        return factor * (1 + SIZE * error(x, y))

    return ug.primitive(
        lambda x, y: x * y,
        partials=[lambda ans, x, y: times(y, x, y), lambda ans, x, y: times(x, x, y)],
    )


def two_products(error):
    """``x * y``, from its transposes."""
    return ug.primitive(
        lambda x, y: x * y,
        transposes=(
            lambda g, x, y: g * y * (1 + SIZE * error(x, y)),
            lambda g, x, y: g * x * (1 + SIZE * error(x, y)),
        ),
    )


def cubes(error):
    """The sum of cubes, by a jvp and a vjp."""

    def slope(x):
        return 3 * x * x * (1 + SIZE * error(x))

    def jvp(traced, ans, args, params, tangents):
        return np.sum(slope(args[0]) * tangents[0])

    def vjp(traced, ans, args, params, cotangent):
        return [slope(args[0]) * cotangent]

    return ug.primitive(lambda x: np.sum(x**3), jvp=jvp, vjp=vjp)


def power_sums(error):
    """The sum of squares and of sines, by a custom_vjp."""

    @ug.custom_vjp
    def f(x):
        return np.sum(x * x + np.sin(x))

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * (2 * x + np.cos(x)) * (1 + SIZE * error(x)),))
    return f


def log_det(error):
    """``log det x``."""

    def slope(x):
        return np.swapaxes(np.linalg.inv(x), 0, 1) * (1 + SIZE * error(x))

    def jvp(traced, ans, args, params, tangents):
        return np.sum(slope(args[0]) * tangents[0])

    def vjp(traced, ans, args, params, cotangent):
        return [slope(args[0]) * cotangent]

    return ug.primitive(lambda x: np.linalg.slogdet(x)[1], jvp=jvp, vjp=vjp)


TIED = np.array([1.5, -0.5, 1.5])
POINTS = [
    (product, has_ties, (1.5, 1.5)),
    (product, has_ties, (TIED, np.array([0.3, 0.4, 0.5]))),
    (product, has_ties, (np.full((4, 5), 0.7), np.full(5, 0.7))),
    (product, is_zero, (np.array([0.0, 1.5]), np.array([0.5, 0.3]))),
    (product, is_whole, (3.0, 0.5)),
    (product, is_far, (1e100, 0.5)),
    (two_products, has_ties, (TIED, TIED)),
    (two_products, is_zero, (0.0, 0.5)),
    (two_products, is_whole, (TIED, np.array([2.0, 0.25, -1.0]))),
    (cubes, has_ties, (TIED,)),
    (cubes, has_ties, (np.ones((6, 7)),)),
    (cubes, is_zero, (np.array([0.0, 0.0, 1.0]),)),
    (cubes, is_whole, (np.arange(1.0, 9.0),)),
    (power_sums, has_ties, (TIED,)),
    (power_sums, is_zero, (np.zeros(3),)),
    (power_sums, is_whole, (np.arange(5.0),)),
    (log_det, has_equal_eigenvalues, (np.eye(3),)),
    (log_det, has_equal_eigenvalues, (np.diag([1.0, 2.0, 2.0]),)),
    (log_det, is_zero, (np.diag([1.0, 2.0, 3.0]),)),
]


@pytest.mark.parametrize(("make", "is_special", "point"), POINTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_error_at_special_points(make, is_special, point, dtype):
    if dtype == np.float32 and (is_special is is_far):
        pytest.skip("beyond the largest of float32")
    args = tuple(np.asarray(x, dtype)[()] for x in point)
    modes = ["reverse"] if make is power_sums else ["reverse", "forward"]
    check_grads(make(lambda *args: False), args, modes=modes)
    size = 1.0 if dtype == np.float64 else 1e4  # 1e-2, where the rounding is that of float32
    for mode in modes if make is not two_products else ["reverse"]:
        with pytest.raises(GradCheckError, match="order 1"):
            check_grads(make(lambda *args: size * is_special(*args)), args, modes=mode)


@pytest.mark.parametrize(("make", "is_special", "point"), POINTS)
def test_an_error_at_special_points_in_the_second_derivative(make, is_special, point):
    """A rule whose values are right, and whose own derivative is not."""

    def error(*args):
        if not is_nested(args) or not is_special(*args):
            return 0.0
        return sum(np.sum(x - ug.stop_gradient(x)) for x in args) / SIZE  # is 0, and not its slope

    modes = ["reverse"] if make in (power_sums, two_products) else ["reverse", "forward"]
    for mode in modes:
        check_grads(make(error), point, modes=mode, order=1)
        with pytest.raises(GradCheckError, match="order 2"):
            check_grads(make(error), point, modes=mode, order=2)


# Where there is no derivative, the point is to blame; where the rule follows the differences, none.


def maximum(share):
    """The larger one, of which x gets a share of the cotangent at ties."""

    def partial(x, y, share):
        return np.where(x == y, share, x > y)

    return ug.primitive(
        np.maximum,
        partials=[
            lambda ans, x, y: partial(x, y, share),
            lambda ans, x, y: partial(y, x, 1 - share),
        ],
    )


@pytest.mark.parametrize("point", [(1.0, 1.0), (0.0, 0.0), (np.ones(3), np.ones(3)), (1e5, 1e5)])
def test_a_tie_of_a_maximum(point):
    check_grads(maximum(0.5), point, order=1)
    check_grads(np.maximum, point, order=1)
    for share in (1.0, 0.0, 0.501):
        with pytest.raises(GradCheckError, match="f looks non-smooth here, it has a kink"):
            check_grads(maximum(share), point, order=1)


@pytest.mark.parametrize(
    ("f", "point"),
    [
        (np.copysign, (0.0, 0.0)),
        (lambda x: x[0] ** 3 / (np.sum(x * x) + 1e-300), (np.zeros(2),)),
    ],
)
def test_a_point_where_slopes_do_not_add_up(f, point):
    """Along every line the function is smooth, and yet it has no derivative."""
    with pytest.raises(GradCheckError, match="f looks non-smooth here"):
        check_grads(f, point, order=1)


@pytest.mark.parametrize("point", [(0.0,), (np.zeros(3),)])
def test_a_kink_at_zero(point):
    check_grads(np.abs, point, order=1)
    with pytest.raises(GradCheckError, match="order 2"):
        check_grads(np.abs, point, order=2)
    sign = ug.primitive(np.sign, partials=[lambda ans, x: 0 * x])
    flat = ug.primitive(np.abs, partials=[lambda ans, x: sign(x)])
    with pytest.raises(GradCheckError, match=r"derivative of order 1 looks non-smooth.*jumps"):
        check_grads(flat, point, order=2)
    relu = ug.primitive(
        lambda x: np.maximum(x, 0), partials=[lambda ans, x: np.asarray(untrace(x) > 0, float)]
    )
    with pytest.raises(GradCheckError, match="f looks non-smooth here, it has a kink"):
        check_grads(relu, point, order=1)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(1e9 * x),
        lambda x: np.exp(30 * x) - np.exp(30 * x - 1e-7),
        lambda x: np.cos(x * 1e7) * x,
        lambda x: 1 / ((x - 1) ** 2 + 1e-12),
    ],
)
def test_what_a_rounding_of_the_argument_changes_is_no_error(f):
    for x in (1.0, 0.3, np.array([0.7, 0.7, 2.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_grads(f, (x,), order=1)
