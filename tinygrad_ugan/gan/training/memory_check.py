"""Estimates of memory, checked before anything is allocated."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.setup import Setup

_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # the limit of a container


def check_memory(needs: Mapping[str, int], what: str = "training") -> None:
    """Raise `ArgumentError` if this machine has less memory than the lower bound of what is needed.

    Parameters
    ----------
    needs : mapping of str to int
        Bytes by the setting that they grow with; the message names the largest.
    what : str
        Name of the work, for the message.

    Examples
    --------
    >>> check_memory({"batch": 5 * 10**15, "networks.noise": 10**6})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tinygrad_ugan.errors.ArgumentError: batch: expected a smaller one, got what takes 5 PB ...
    """
    total, there = sum(needs.values()), available()
    if total <= there:
        return
    name = max(needs, key=needs.__getitem__)
    given = f"what takes {_size(needs[name])} of the {_size(total)} that {what} would take"
    raise ArgumentError(name, given, "a smaller one", f"this machine has {_size(there)}")


def training_needs(config: Config | Setup) -> dict[str, int]:
    """Return a lower bound on the bytes that training holds at once, by setting.

    Counted are parameters, gradients and optimiser states, batches and activations, the
    discriminators of the unrolled steps, samples, and tables of distances; custom networks, whose
    needs are unknown, count as nothing.
    """
    setup = Setup.of(config)
    config, data = setup.config, setup.data
    sizes_g, sizes_d = setup.sizes
    item, dimension = config.dtype.itemsize, data.dimension
    row = item * (config.networks.noise + dimension)  # of noise and of data
    activations = item * (sum(sizes_g) + sum(sizes_d))
    n, modes = config.evaluation_samples, getattr(data, "modes", 0)
    return {
        "networks.generator": (5 if config.ema else 4) * item * parameters(sizes_g),
        "networks.discriminator": 4 * item * parameters(sizes_d),
        "unroll.steps": item * (config.unroll.steps + 1) * parameters(sizes_d),
        "batch": config.batch * (config.batches * row + activations),
        "evaluation_samples": n * (row + activations + 2 * 8 * 64),  # 64 projections
        "data.modes": 8 * modes * (n + dimension),
        "data.rank": 3 * 8 * dimension * getattr(data, "rank", 0),
        "pictures": config.pictures * n * dimension * item,
    }


def parameters(sizes: Iterable[int]) -> int:
    """Return the number of parameters of a multilayer perceptron."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))


def available() -> int:
    """Return the bytes of memory that this process may use."""
    limits = []
    with suppress(AttributeError, OSError, ValueError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):
        limits.append(int(_GROUP_LIMIT.read_text()))
    with suppress(ImportError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        limits += [] if soft == resource.RLIM_INFINITY else [soft]
    return min(limits, default=2**63)


def _size(count: int) -> str:
    """A readable size; 1 MB is 10^6 bytes."""
    power = min((len(str(count)) - 1) // 3, len(_UNITS) - 1)
    return f"{count / 1000**power:,.3g} {_UNITS[power]}"


_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
