"""Provenance of a result: versions, machine and commit, written beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
PACKAGES = ("tinygrad_ugan", "numpy", "scipy", "numba", "llvmlite", "optree", "safetensors")


@cache
def environment() -> dict[str, str]:
    """Return versions, machine, vector set, thread limits and, if it has one, our commit.

    The vector set is that of the kernels, such as "avx512": results of two processors have equal
    bits only if theirs is the same.

    Examples
    --------
    >>> import numpy as np
    >>> environment()["numpy"] == np.__version__
    True
    """
    from tinygrad_ugan.kernels.target import host_target  # slow: loads llvmlite

    found = {"python": platform.python_version(), "machine": platform.platform()}
    found["vector_set"] = host_target().name
    found |= versions(PACKAGES)
    found |= {name: os.environ[name] for name in THREAD_LIMITS if name in os.environ}
    return found | ({"commit": commit} if (commit := _commit()) else {})


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow: 10 ms

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # optional, or run from a source tree
            continue
    return found


def _commit() -> str:
    """The commit of the source tree, with a + if it has been edited."""
    import subprocess

    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
