"""Which products wake the threads of BLAS, and that nobody's setting is changed."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.kernels import blas_threads
from tinygrad_ugan.kernels.blas_threads import MANY, SETTINGS, _Library, product


class Recorder:
    """A library with a number of threads, and those of every product."""

    def __init__(self, threads):
        self.threads, self.seen, self.wishes = threads, [], []

    def set(self, threads):
        self.threads = threads
        self.wishes.append(threads)

    def multiply(self, x, y):
        self.seen.append(self.threads)
        return x @ y


@pytest.fixture
def library(monkeypatch):
    recorder = Recorder(7)
    functions = _Library(lambda: recorder.threads, recorder.set)
    monkeypatch.setattr(blas_threads, "_library", lambda: functions)
    return recorder


@pytest.mark.parametrize(
    ("x", "y", "threads"),
    [
        ((256, 64), (64, 64), 1),
        ((300, 300), (300,), 1),
        ((300,), (300, 300), 1),
        ((10_000,), (10_000,), 1),
        ((5, 64, 64), (64, 64), 1),
        ((4, 4), (4, 4), 7),  # BLAS takes one by itself
        ((1000, 4, 4), (4, 4), 7),  # each of them
        ((0, 4), (4, 0), 7),
        ((9, 0), (0, 9), 7),
    ],
)
def test_size_decides(library, x, y, threads):
    x, y = np.ones(x, np.float32), np.ones(y, np.float32)
    np.testing.assert_array_equal(product(library.multiply, x, y), x @ y)
    assert library.seen == [threads]
    assert library.threads == 7


def test_the_largest_have_all_threads(library, monkeypatch):
    monkeypatch.setattr(blas_threads, "MANY", 2**18)
    for rows, threads in ((63, 1), (64, 7)):
        product(library.multiply, np.ones((rows, 64)), np.ones((64, 64)))
        assert library.seen.pop() == threads
    assert MANY == 2**30


def test_the_number_comes_back_after_an_error(library):
    with pytest.raises(ValueError, match="mismatch"):
        product(library.multiply, np.ones((99, 99)), np.ones((98, 99)))
    assert library.threads == 7


def test_calls_of_several_threads(library):
    """The last call to end puts the number back, and no other."""
    x, inside, leave = np.ones((99, 99)), threading.Barrier(2), threading.Event()

    def slow(x, y):
        inside.wait(30)
        leave.wait(30)
        return library.multiply(x, y)

    other = threading.Thread(target=product, args=(slow, x, x))
    other.start()
    inside.wait(30)
    product(library.multiply, x, x)
    assert library.threads == 1
    leave.set()
    other.join(30)
    assert library.threads == 7
    assert library.seen == [1, 1]


def test_products_of_the_engine_are_such(library):
    w = np.ones((64, 64))
    ug.grad(lambda w: np.sum((w @ w) @ w))(w)
    assert library.wishes == [1, 7] * 6  # two products, and of each two cotangents


def test_the_same_bits_for_any_number_of_threads():
    code = (
        "import numpy as np, tinygrad_ugan as ug; "
        "w = np.random.default_rng(0).normal(size=(300, 200)); "
        "print(ug.grad(lambda w: np.sum(np.tanh(w @ w.T) @ w))(w).tobytes().hex())"
    )
    found = blas_threads._library.__wrapped__()
    if found is None:
        pytest.skip("not the OpenBLAS of NumPy's wheels, or a number of threads is set")
    out = [
        subprocess.run(
            [sys.executable, "-c", f"from tinygrad_ugan.kernels import blas_threads as b; "
             f"b._library().set({n}); {code}"],
            check=True, capture_output=True, timeout=120,
        ).stdout
        for n in (1, 2)
    ]  # fmt: skip
    assert out[0] == out[1]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_ones_own_is_left_alone(monkeypatch, name):
    monkeypatch.setenv(name, "2")
    assert blas_threads._library.__wrapped__() is None
