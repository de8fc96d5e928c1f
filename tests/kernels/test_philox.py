"""Normal noise: the generator's published answers, statistics, and the same bits every way."""

import itertools

import numpy as np
import pytest
import scipy.stats

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import threads
from tinygrad_ugan.kernels.philox import NormalSampler
from tinygrad_ugan.kernels.reference import philox
from tinygrad_ugan.kernels.target import PLAIN, host_target

KEYS = np.random.default_rng(1).integers(-(2**63), 2**63, 40).tolist()
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_published_answers(counter, key, words):
    """Those that its authors publish with it, as kat_vectors."""
    counter, key = ([np.uint64(int(w, 16)) for w in text.split()] for text in (counter, key))
    assert " ".join(f"{w:08x}" for w in philox.philox(counter, key)) == words


@each_dtype
def test_numbers_are_normal_and_independent(dtype):
    """Every statistic below is N(0, 1) itself, for large samples."""
    n = 2**14
    noise = NormalSampler(n, host_target(), dtype)
    x = np.array([noise.draw(key) for key in KEYS], float)
    assert scipy.stats.kstest(x.ravel(), "norm").pvalue > 0.01
    statistics = {
        "mean": x.sum() / np.sqrt(x.size),
        "variance": (x**2 - 1).sum() / np.sqrt(2 * x.size),
        "skewness": (x**3 - 3 * x).sum() / np.sqrt(6 * x.size),
        "kurtosis": (x**4 - 6 * x**2 + 3).sum() / np.sqrt(24 * x.size),
    }
    pairs = {f"lag {lag}": (x[:, :-lag], x[:, lag:]) for lag in (1, 8, 16, 32, 48, 64, 2**13)}
    pairs["keys"] = x[:-1], x[1:]
    for name, (a, b) in pairs.items():
        statistics[name] = (a * b).sum() / np.sqrt(a.size)
        statistics[f"{name}, squares"] = ((a**2 - 1) * (b**2 - 1)).sum() / np.sqrt(4 * a.size)
    assert {name: z for name, z in statistics.items() if abs(z) > 4} == {}
    assert scipy.stats.kstest(list(statistics.values()), "norm").pvalue > 0.01


@each_dtype
@pytest.mark.parametrize("size", [1, 63, 64, 65, 5000])
def test_a_number_depends_on_its_key_and_place_alone(size, dtype):
    noise, longer = (NormalSampler(n, host_target(), dtype) for n in (size, 20_000))
    first, second = (noise.draw(key) for key in KEYS[:2])
    np.testing.assert_array_equal(first, longer.draw(KEYS[0])[:size])
    np.testing.assert_array_equal(second, longer.draw(KEYS[1])[:size])
    assert first.dtype == dtype
    assert not np.any(first == second)


@each_dtype
def test_the_same_bits_on_every_target_with_multiply_adds_and_any_number_of_threads(dtype):
    expected, before = (
        NormalSampler(20_000, host_target(), dtype).draw(KEYS[0]),
        threads.get_num_threads(),
    )
    try:
        for n, target in itertools.product((1, 2, 3), TARGETS.values()):
            threads.set_num_threads(n)
            got = NormalSampler(20_000, target, dtype).draw(KEYS[0])
            if target.has_fma:
                np.testing.assert_array_equal(got, expected)
            else:
                np.testing.assert_allclose(got, expected, rtol=10 * np.finfo(dtype).eps)
    finally:
        threads.set_num_threads(before)
    plain = NormalSampler(20_000, PLAIN, dtype).draw(KEYS[0])  # which has its own logarithm
    np.testing.assert_allclose(plain, expected, rtol=10 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("digits", "bits"), [(24, 32), (53, 64)])
def test_the_least_and_the_greatest_words(digits, bits):
    """u is never 0, and 1 at most."""
    least, greatest = np.uint64(1 << bits - 1), np.uint64((1 << bits - 1) - 1)  # signed words
    assert max(map(abs, philox.box_muller(digits, bits, greatest, least))) == 0
    farthest = np.hypot(*philox.box_muller(digits, bits, least, greatest))
    assert farthest == pytest.approx(np.sqrt(2 * digits * np.log(2)))


def test_numbers_that_are_still_in_use_stay():
    noise = NormalSampler(100, host_target(), np.float32)
    held = [noise.draw(key)[3:50].reshape(1, -1) for key in KEYS]
    again = [noise.draw(key) for key in KEYS]
    for a, b in zip(held, again, strict=True):
        np.testing.assert_array_equal(a[0], b[3:50])
