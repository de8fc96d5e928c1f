"""What is kept to be used again: counted as it is, and bounded, whatever shapes come."""

import gc
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.nn import network_primitive as networks
from tinygrad_ugan.unroll import fused as sweeps

MB = 2**20


def sweep(i):
    """A gradient of shapes that have not been before."""
    rng = np.random.default_rng(0)
    game = gan.Game(nn.MLP((4, 8, 2)), nn.MLP((2, 8, 8, 1)))
    players = game.generator.init(rng), game.discriminator.init(rng)
    rows = 1 + i % 70, 1 + i // 70
    batch = gan.Batch(*(np.ones((n, c), np.float32) for n, c in zip(rows, (2, 4), strict=True)))
    ug.unroll.value_and_grad(game, *players, batch, steps=2, lr=0.1, method="fused")


def network(i):
    """Both derivatives of a network, for a number of rows that has not been before."""
    mlp, x = nn.MLP((40, 40, 1)), np.ones((100 + i, 40), np.float32)
    params = mlp.init(np.random.default_rng(0))
    ug.hvp(lambda x: np.sum(mlp(params, x)), x, x)


def adam(i):
    """A step for parameters of a size that has not been before."""
    theta, optimizer = np.ones(1000 + i), optim.Adam(0.1)
    optim.descend(optimizer, theta, optimizer.init(theta), theta)


def resident():
    """Bytes of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def growth(name, calls):
    """By how many bytes so many calls make a process grow, after some."""
    code = f"""
import tests.conftest
from tests.kernels.test_memory import *
for i in range(5):
    {name}(i)
before = resident()
for i in range(5, {calls}):
    {name}(i)
print(resident() - before)
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=280).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no such file on this system")
@pytest.mark.parametrize(
    ("name", "calls", "most"),  # that many programs are kept, of some 0.3, 0.5 and 0.05 MB
    [("sweep", 400, 64 * 0.6 * MB), ("network", 150, 32 * 1.2 * MB), ("adam", 400, 32 * 0.4 * MB)],
)
def test_a_process_does_not_grow_with_the_number_of_shapes(name, calls, most):
    assert growth(name, calls) < most


def traced(work):
    """The bytes that Python and NumPy hold in the end, more than in the beginning."""
    gc.collect()
    tracemalloc.start()
    work()
    gc.collect()
    found, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found


def test_programs_say_how_large_they_are(monkeypatch):
    sweep(0)
    network(0)
    count = 20

    def waiting():
        kept = [*sweeps.program_pool().idle(), *networks._program_cache()._entries.values()]
        return sum(thing.nbytes for thing in kept)

    for one in (sweep, network):
        sweeps.program_pool()._idle.clear()
        networks._program_cache()._entries.clear()
        held = traced(lambda one=one: [one(i) for i in range(1, 1 + count)])
        assert waiting() == pytest.approx(held, rel=0.25)  # objects are counted as on average


def test_bytes_are_bounded(monkeypatch):
    limit = 2 * MB
    monkeypatch.setattr(networks._program_cache(), "max_bytes", limit)
    monkeypatch.setattr(sweeps.program_pool(), "max_bytes", limit)
    for i in range(30):
        sweep(i)
        network(i)
        kept = list(networks._program_cache()._entries.values())
        assert len(kept) == 1 or sum(thing.nbytes for thing in kept[:-1]) <= limit
        assert sum(program.nbytes for program in sweeps.program_pool().idle()) <= limit
