"""The recorder: what a program cannot do is refused, in words that say what to do instead."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import NotCompilableError, NotDifferentiableError

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: x if x[0, 0] > 0 else -x, "np.where"),
        (lambda x: x if np.any(x > 0) else -x, "np.where"),
        (lambda x: max(x[0, 0], x[0, 1]), "np.where"),
        (lambda x: x * float(x[0, 0]), "read a number"),
        (lambda x: x[int(x[0, 0])], "read a number"),
        (lambda x: x.item(), "read a number"),
        (lambda x: [x for _ in range(x[0, 0])], "read a number"),
        (lambda x: np.allclose(x, 0), "Python's"),
        (lambda x: np.array([x[0], x[1]]), "ug.array"),
        (lambda x: np.random.default_rng(0).normal(loc=x), "outside"),
        (lambda x: x[x > 0], "fixed shapes"),
        (lambda x: np.nonzero(x), "fixed shapes"),
        (lambda x: np.where(x > 0), "fixed shapes"),
        (lambda x: np.compress(x[0] > 0, x, 1), "fixed shapes"),
        (lambda x: ug.grad(lambda x: x[0, 0] if x[0, 0] > 1 else x[0, 1])(x), "np.where"),
    ],
)
def test_what_depends_on_numbers_is_refused(f, words):
    with pytest.raises(NotCompilableError, match=words):
        ug.compile(f)(X)


def write(x):
    x[0] = 1


@pytest.mark.parametrize(
    "f",
    [
        write,
        lambda x: np.add(x, 1, out=np.zeros((2, 3))),
        lambda x: np.copyto(np.zeros((2, 3)), x),
        lambda x: np.add.at(x, 0, 1),
    ],
)
def test_writes_in_place_are_refused(f):
    with pytest.raises(NotDifferentiableError, match="in place"):
        ug.compile(f)(X)


def test_values_that_outlive_their_recording_are_refused():
    kept = []
    ug.compile(lambda x: kept.append(x) or x)(X)
    with pytest.raises(NotCompilableError, match="side effect"):
        np.sum(kept[0])
    with pytest.raises(NotCompilableError, match="came up in another"):
        ug.compile(lambda x: x + kept[0])(X)


def test_shapes_and_dtypes_are_known():
    def f(x):
        assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, float, 2)
        assert (np.shape(x), np.ndim(x), np.result_type(x, 1)) == ((2, 3), 2, float)
        assert (x.nbytes, x.itemsize, repr(x)) == (48, 8, "Recorded(float64[2, 3])")
        return x.reshape(x.size) + np.zeros_like(x).ravel()

    np.testing.assert_array_equal(ug.compile(f)(X), X.ravel())


def test_integers_masks_and_indices():
    def f(x, i):
        mask = (x > 1) & ~(x == 4) | (x < -1)
        counts = x.astype(int) // 2 + i
        return np.sum(mask), counts, x[i, 1], np.take(x, i), np.where(mask, x, 0), x.argmax()

    i = np.array([1, 0, 1])
    for found, expected in zip(ug.compile(f)(X, i), f(X, i), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_functions_that_have_no_derivative():
    found = ug.compile(lambda x: np.abs(np.fft.fft(x)))(X)
    np.testing.assert_array_equal(found, np.abs(np.fft.fft(X)))


def test_arrays_around_the_function_are_constants():
    c = np.ones(3)
    compiled = ug.compile(lambda x: x + c)
    compiled(X)
    c[:] = 5
    np.testing.assert_array_equal(compiled(X), X + 1)


NUMBERS = [
    lambda a, x: -a * x, lambda a, x: (1 - a) * x, lambda a, x: (2 * a + 1) / 3 * x,
    lambda a, x: a**2 * x, lambda a, x: 2**a * x, lambda a, x: (7 / a) * x, lambda a, x: abs(a) * x,
    lambda a, x: (a % 2) * x + (9 // a) * x + (5 % a) * x, lambda a, x: (a * a - a) * x,
]  # fmt: skip


@pytest.mark.parametrize("f", NUMBERS)
def test_numbers_of_python_stay_weak_beside_arrays(f):
    x = np.linspace(0, 1, 5, dtype=np.float32)
    for a in (1.5, 3.0):
        found, expected = ug.compile(f)(a, x), f(a, x)
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        slope = ug.grad(lambda a: np.sum(ug.compile(f)(a, x)))(a)
        np.testing.assert_allclose(slope, ug.grad(lambda a: np.sum(f(a, x)))(a), rtol=1e-6)


def test_a_function_of_numbers_alone_returns_a_number():
    found = ug.compile(lambda a, b: (a + b) * a / b)(3.0, 2.0)
    assert (type(found), found) == (float, 7.5)


def test_functions_of_numpy_make_strong_numbers_of_them():
    f = ug.compile(lambda a, x: np.negative(a) * x)
    assert f(1.0, np.ones(2, np.float32)).dtype == np.float64
