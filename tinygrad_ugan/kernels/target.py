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
        "avx512", "avx2", "neon", or "generic" for any other processor.
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
    has_fma : bool
        Whether it rounds ``x y + z`` once; if not, that is a product and a sum.
    cpu, features : str
        Arguments of LLVM's code generator.
    """

    name: str
    vector_bytes: int
    tile_heights: tuple[int, ...]
    tile_vectors: int
    has_fma: bool
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

# Name, required features, and what is in the registers. The last has what all processors have: 128
# bits, sixteen registers (where they are fewer or shorter, LLVM makes do).
_TARGETS: tuple[tuple[str, tuple[str, ...], _Registers], ...] = (
    ("avx512", ("avx512f", "avx512dq", "avx512vl", "fma"), (64, (8,), 2)),
    ("avx2", ("avx2", "fma"), (32, (6, 4), 2)),
    ("neon", ("neon",), (16, (8,), 2)),
    ("generic", (), (16, (4,), 2)),
)

# Prefixes of the features of x86 that other targets' processors lack.
_BEYOND = {
    "avx2": ("avx512",),
    "neon": ("avx512",),
    "generic": ("avx", "f16c", "fma", "sse3", "sse4", "ssse3", "vaes", "vpclmulqdq", "xop"),
}

PLAIN = Target("plain", 16, (8,), 1, True, "", "")
"""No processor: programs run by the reference functions (`tinygrad_ugan.kernels.plain`), as an
oracle."""


@functools.cache
def host_target() -> Target:
    """The best target that this processor supports."""
    features = dict(llvm.get_host_cpu_features())
    if platform.machine() in ("arm64", "aarch64"):
        features["neon"] = True  # part of the architecture, but not always listed
    name = next(name for name, needed, _ in _TARGETS if all(map(features.get, needed)))
    return _target(name, features)


@functools.cache
def emulated_target(name: str) -> Target:
    """A target with another one's vector length and tile on this processor, for tests.

    Without AVX-512, LLVM has only sixteen registers, as on a real AVX2 machine.
    """
    features = llvm.get_host_cpu_features()
    beyond = _BEYOND.get(name, ())
    return _target(name, {k: v and not k.startswith(beyond) for k, v in features.items()})


def _target(name: str, features: dict[str, bool]) -> Target:
    registers = next(registers for known, _, registers in _TARGETS if known == name)
    has_fma = name != "generic" or bool(features.get("fma"))
    return Target(name, *registers, has_fma, llvm.get_host_cpu_name(), _flags(features))


def _flags(features: dict[str, bool]) -> str:
    return ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
