"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from tinygrad_ugan.bench.limit import host_vectors
from tinygrad_ugan.gan.training.environment import versions

_PACKAGES = ("tinygrad_ugan", "numpy", "numba", "llvmlite", "jax", "jaxlib", "torch", "autograd")


def machine() -> dict[str, Any]:
    """Processor, cores, vectors, system, and the versions of all libraries that take part."""
    import llvmlite.binding as llvm

    return {
        "cpu": _cpu_name(),
        "architecture": llvm.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "vector_bytes": host_vectors().bytes,
        "features": sorted(name for name, has in llvm.get_host_cpu_features().items() if has),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(_PACKAGES),
    }


def _cpu_name() -> str:
    """The processor as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(": ")[1] for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
