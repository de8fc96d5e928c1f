"""Counter-based normal random numbers: each is a function of a key and its index alone.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") maps each value of
a counter to four random words; the Box-Muller transform maps pairs of uniform numbers to pairs of
normal ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.buffer_pool import BufferPool
from tinygrad_ugan.kernels.emitter import ArraySlot, Count, Emitter, IntSlot, Value
from tinygrad_ugan.kernels.program import FIRST_ROW, Program, split
from tinygrad_ugan.kernels.target import Target
from tinygrad_ugan.typing import Array

BLOCK = 64
"""Numbers in a row of the kernel."""

DIGITS = {np.dtype(np.float32): 24, np.dtype(np.float64): 53}
"""Significant bits of a uniform number."""

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

_CHUNK = 64  # rows of a chunk at least: fewer are not worth a second thread


class NormalSampler:
    """Draws arrays of one size from N(0, 1). Not thread-safe.

    Parameters
    ----------
    size : int
        Size of the arrays.
    target : Target
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, size: int, target: Target, dtype: DTypeLike) -> None:
        self._size, self._dtype = size, np.dtype(dtype)
        rows = -(-size // BLOCK)
        self._pool = BufferPool(rows * BLOCK * self._dtype.itemsize)
        p = Program(target, dtype)
        chunks = -(-rows // _CHUNK)
        p.run_phase(p.phase(chunks))
        p.section(split(rows, chunks, rows, 1))
        digits = DIGITS[self._dtype]
        numbers = p.result((rows * BLOCK,))
        p.call(normal, digits, key=p.number(), first=FIRST_ROW, out=numbers)
        self._executable = p.compile()

    def draw(self, key: int) -> Array:
        """Return the array of a key, in memory that no earlier array in use occupies.

        Parameters
        ----------
        key : int
            Signed, of 64 bits. Element i depends on the key and i alone.

        Returns
        -------
        ndarray, shape (size,)
        """
        numbers = self._pool.acquire_array().view(self._dtype)
        self._executable.numbers[0] = key
        self._executable.run(results=[numbers])
        return numbers[: self._size]


def normal(e: Emitter, digits: int, key: IntSlot, first: Count, out: ArraySlot) -> None:
    """``out ~ N(0, 1)``, for `rows` rows of `BLOCK` numbers from row `first` on.

    The four words of a counter give one number in each quarter of a row; in double precision, where
    a number takes two words, one in each half.
    """
    counters = BLOCK // 4 if digits <= 32 else BLOCK // 2
    with e.loop(e.rows) as r, e.loop(counters, step=e.lanes) as c:
        row = first + r
        words = _philox(e, e.broadcast(row * counters + c) + e.lane_numbers(), key)
        if digits > 32:
            words = [(words[i] << 32) | (words[i + 1] & _LOW) for i in (0, 2)]
        x = [e.truncated(word) for word in words]
        numbers = [z for i in range(0, len(x), 2) for z in _box_muller(e, digits, x[i], x[i + 1])]
        for i, z in enumerate(numbers):
            e.store(z, out, row * BLOCK + i * counters + c)


_LOW = 2**32 - 1


def _philox(e: Emitter, counter: Value, key: Value) -> list[Value]:
    """Four words for each counter, in the lower halves of 64-bit integers."""
    keys = [key, key >> 32]
    x = [counter, counter >> 32, e.like(0, counter), e.like(0, counter)]
    for _ in range(ROUNDS):
        first, second = ((x[2 * i] & _LOW) * m for i, m in enumerate(MULTIPLIERS))
        k0, k1 = (e.broadcast(k) for k in keys)
        x = [(second >> 32) ^ x[1] ^ k0, second, (first >> 32) ^ x[3] ^ k1, first]
        keys = [k + w for k, w in zip(keys, WEYL, strict=True)]
    return x


def _box_muller(e: Emitter, digits: int, x: Value, y: Value) -> tuple[Value, Value]:
    """``sqrt(-2 log u) (cos t, sin t)``, with u in (0, 1] from x and the angle t from y.

    The high bits of y are an angle of at most pi / 4 in size. Its last two bits extend that to the
    circle: one swaps cosine and sine, the other changes the sign of both.
    """
    spare, half = 8 * e.dtype.itemsize - digits, 2.0 ** (digits - 1)
    u = (e.from_integers(x >> spare) + (half + 1.0)) * (0.5 / half)
    sine, cosine = vecmath.sin_cos(e, e.from_integers(y >> spare) * (np.pi / 4 / half))
    radius = e.sqrt(-2.0 * vecmath.log(e, u))
    signed = e.from_bits(e.to_bits(radius) | (y << 8 * e.dtype.itemsize - 1))
    is_swapped = (y & 2) > 0
    return (
        signed * e.where(is_swapped, sine, cosine),
        signed * e.where(is_swapped, cosine, sine),
    )
