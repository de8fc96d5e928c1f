"""The machine that kernels are emitted for: vector length, register tile, instruction set."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True, eq=False)
class Target:
    """What the emitter needs to know of a processor; there is one object of each.

    Attributes
    ----------
    name : str
        "avx512", "avx2", "neon", or "plain" where none of them fits.
    vector_bytes : int
        Length of a vector register.
    tile_rows, tile_vectors : int
        The register tile of a matrix product: rows x vectors of accumulators. They leave registers
        for the operands: 16 of 32 are accumulators with AVX-512 and NEON, 12 of 16 with AVX2.
    cpu, features : str
        For LLVM's code generator.
    """

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    cpu: str
    features: str

    def lanes(self, dtype: DTypeLike) -> int:
        """Elements of a dtype in a vector."""
        return self.vector_bytes // np.dtype(dtype).itemsize

    def padded(self, width: int, dtype: DTypeLike) -> int:
        """Round a width up to whole vectors, and to whole tiles where it counts rows."""
        step = max(self.lanes(dtype), self.tile_rows)
        return -(-width // step) * step


# Name, features that are needed, vector bytes, and the tile that measured best there.
_TARGETS = (
    ("avx512", ("avx512f", "avx512dq", "avx512vl", "fma"), (64, 8, 2)),
    ("avx2", ("avx2", "fma"), (32, 4, 3)),
    ("neon", ("neon",), (16, 8, 2)),
)


PLAIN = Target("plain", 16, 8, 1, "", "")
"""No kernels are emitted for this one: `tinygrad_ugan.kernels.plain` runs in their place."""


@functools.cache
def host_target() -> Target:
    """The best target that this machine supports."""
    features = dict(llvm.get_host_cpu_features())
    if platform.machine() in ("arm64", "aarch64"):
        features["neon"] = True  # a part of the architecture, and not always listed
    for name, needed, tile in _TARGETS:
        if all(features.get(feature) for feature in needed):
            return Target(name, *tile, llvm.get_host_cpu_name(), _flags(features))
    return PLAIN


@functools.cache
def emulated_target(name: str) -> Target:
    """A target's vector length and tile on this machine, for tests.

    Without AVX-512's registers LLVM has only sixteen, as on the real machine.
    """
    features = {**llvm.get_host_cpu_features()}
    if name != "avx512":
        features = {k: v and not k.startswith("avx512") for k, v in features.items()}
    tile = next(tile for known, _, tile in _TARGETS if known == name)
    return Target(name, *tile, llvm.get_host_cpu_name(), _flags(features))


def _flags(features: dict[str, bool]) -> str:
    return ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
