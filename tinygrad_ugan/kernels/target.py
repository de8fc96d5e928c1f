"""The processor that kernels are emitted for: vector length, register tile, instruction set."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True, eq=False)
class Target:
    """The properties of a processor that the emitter needs; one object for each processor.

    Attributes
    ----------
    name : str
        "avx512", "avx2", "neon", or "plain" for any other processor.
    vector_bytes : int
        Length of a vector register.
    tile_heights : tuple of int
        Rows of a register tile of a matrix product, the tallest first; all rows come in multiples
        of the shortest.
    tile_vectors : int
        Vectors of a row of it. A tile has enough accumulators to hide the latency of a multiply-add
        (4 cycles, two units: 8 at least), and leaves registers for the operands: 8 x 2 of 32 with
        AVX-512 and NEON, 6 x 2 of 16 with AVX2. With more rows the accumulators spill; with more
        vectors, rows of an operand share cache sets.
    cpu, features : str
        Arguments of LLVM's code generator.
    """

    name: str
    vector_bytes: int
    tile_heights: tuple[int, ...]
    tile_vectors: int
    cpu: str
    features: str

    @property
    def tile_rows(self) -> int:
        """The unit of rows."""
        return self.tile_heights[-1]

    def lanes(self, dtype: DTypeLike) -> int:
        """Number of elements in a vector."""
        return self.vector_bytes // np.dtype(dtype).itemsize

    def padded(self, width: int, dtype: DTypeLike) -> int:
        """Round a width up to whole vectors, and to whole tiles, as it may also count rows."""
        step = max(self.lanes(dtype), self.tile_rows)
        return -(-width // step) * step


_Registers = tuple[int, tuple[int, ...], int]
"""Bytes of a vector, and heights and vectors of a tile: what was fastest when measured."""

# Name, required features, and what is in the registers.
_TARGETS: tuple[tuple[str, tuple[str, ...], _Registers], ...] = (
    ("avx512", ("avx512f", "avx512dq", "avx512vl", "fma"), (64, (8,), 2)),
    ("avx2", ("avx2", "fma"), (32, (6, 4), 2)),
    ("neon", ("neon",), (16, (8,), 2)),
)


PLAIN = Target("plain", 16, (8,), 1, "", "")
"""No kernels are emitted for this target: `tinygrad_ugan.kernels.plain` replaces them."""


@functools.cache
def host_target() -> Target:
    """The best target that this processor supports."""
    features = dict(llvm.get_host_cpu_features())
    if platform.machine() in ("arm64", "aarch64"):
        features["neon"] = True  # part of the architecture, but not always listed
    for name, needed, tile in _TARGETS:
        if all(features.get(feature) for feature in needed):
            return Target(name, *tile, llvm.get_host_cpu_name(), _flags(features))
    return PLAIN


@functools.cache
def emulated_target(name: str) -> Target:
    """A target with another one's vector length and tile on this processor, for tests.

    Without AVX-512, LLVM has only sixteen registers, as on a real AVX2 machine.
    """
    features = {**llvm.get_host_cpu_features()}
    if name != "avx512":
        features = {k: v and not k.startswith("avx512") for k, v in features.items()}
    tile = next(tile for known, _, tile in _TARGETS if known == name)
    return Target(name, *tile, llvm.get_host_cpu_name(), _flags(features))


def _flags(features: dict[str, bool]) -> str:
    return ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
