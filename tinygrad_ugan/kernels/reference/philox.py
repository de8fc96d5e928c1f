"""Random numbers: the reference of `philox`."""

# mypy: allow-untyped-defs, allow-untyped-calls
# Arguments are arrays and scalars, whose types numba infers.

import numpy as np

from tinygrad_ugan.kernels.reference.registry import helper, reference

LOW = np.uint64(2**32 - 1)
HALF = np.uint64(32)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@helper
def philox(counter, key):
    """Philox4x32-10: the counter's four words of 32 bits, made noise of by the key's two."""
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        first, second = MULTIPLIER_0 * a, MULTIPLIER_1 * c
        a, b = (second >> HALF) ^ b ^ k, second & LOW
        c, d = (first >> HALF) ^ d ^ l, first & LOW
        k, l = (k + WEYL_0) & LOW, (l + WEYL_1) & LOW
    return a, b, c, d


@helper
def halves(x):
    """The lower and the upper 32 bits."""
    return np.uint64(x & 0xFFFFFFFF), np.uint64((x >> 32) & 0xFFFFFFFF)


@helper
def box_muller(digits, bits, x, y):
    """Two normal numbers of two words of so many bits."""
    spare, scale = np.uint64(bits - digits), 0.5**digits
    top = np.uint64(1) << np.uint64(bits - 1)  # a signed word, moved up by half its range
    radius = np.sqrt(-2 * np.log(((x ^ top) >> spare) * scale + scale))
    t = np.pi / 2 * (((y ^ top) >> spare) * scale - 0.5)
    if y & np.uint64(1):
        radius = -radius
    if y & np.uint64(2):
        return radius * np.sin(t), radius * np.cos(t)
    return radius * np.cos(t), radius * np.sin(t)


@reference(out="first+rows 64 64")
def normal(digits, key, first, out):
    """``out ~ N(0, 1)``, from row `first` on: 4 or 2 numbers a counter, far from each other."""
    per_counter = 4 if digits <= 32 else 2
    counters = 64 // per_counter
    for r in range(first, out.shape[0]):
        for i in range(counters):
            low, high = halves(r * counters + i)
            zero = np.uint64(0)
            a, b, c, d = philox((low, high, zero, zero), halves(key))
            if per_counter == 4:
                out[r, i], out[r, i + counters] = box_muller(digits, 32, a, b)
                out[r, i + 2 * counters], out[r, i + 3 * counters] = box_muller(digits, 32, c, d)
            else:
                x, y = a << HALF | b, c << HALF | d
                out[r, i], out[r, i + counters] = box_muller(digits, 64, x, y)
