r"""
A recurrent network, through fifty steps
========================================

A network reads fifty noisy values of a sine, one at a time, and then says its frequency:
:math:`h_{k+1} = \tanh(h_k W + x_k U + b)`. `ug.scan` carries the state along. Its derivative is a
scan backwards, which keeps the states and evaluates each step again, where a loop in Python keeps
all that the steps compute; with ``snapshots`` it keeps a few states only.

The lesson: the gradient is that of the loop, the network learns by it, and the memory that it takes
grows with the snapshots and no longer with the length.
"""

import tracemalloc

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

STEPS, WIDTH, BATCH, ROUNDS = 50, 24, 64, 250
rng = np.random.default_rng(0)


def draw(n, steps=STEPS):
    """Noisy sines of n frequencies between 0.1 and 1, (steps, n, 1), and the frequencies."""
    frequency = rng.uniform(0.1, 1, (n, 1))
    phase = np.arange(steps)[:, None, None] * frequency + rng.uniform(0, 2 * np.pi, (n, 1))
    return np.sin(phase) + 0.1 * rng.standard_normal(phase.shape), frequency


def loss(params, signal, frequency, snapshots=None):
    def step(h, x):
        return np.tanh(h @ params["w"] + x @ params["u"] + params["b"]), None

    start = np.zeros((signal.shape[1], WIDTH))
    h, _ = ug.scan(step, start, signal, snapshots=snapshots)
    return np.mean((h @ params["out"] + params["mean"] - frequency) ** 2)


def loss_by_loop(params, signal, frequency):
    h = np.zeros((signal.shape[1], WIDTH))
    for x in signal:
        h = np.tanh(h @ params["w"] + x @ params["u"] + params["b"])
    return np.mean((h @ params["out"] + params["mean"] - frequency) ** 2)


params = {
    "w": np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0],
    "u": rng.standard_normal((1, WIDTH)) / 2,
    "b": np.zeros(WIDTH),
    "out": np.zeros((WIDTH, 1)),
    "mean": np.full(1, 0.5),
}

adam, path = ug.optim.Adam(3e-3), []
state = adam.init(params)
for i in range(ROUNDS):
    value, gradient = ug.value_and_grad(loss)(params, *draw(BATCH))
    params, state = ug.optim.descend(adam, gradient, state, params, scale=1 - i / ROUNDS)
    path.append(value)

unseen = draw(500)
error, guess = np.sqrt(loss(params, *unseen)), np.std(unseen[1])
print(f"error of the frequency {error:.3f}; of a constant guess {guess:.3f}")
assert error < guess / 5

# The gradient through the scan is that of the loop, and with snapshots too.
expected = ug.grad(loss_by_loop)(params, *unseen)
for snapshots in (None, 10, 3):
    found = ug.grad(loss)(params, *unseen, snapshots)
    assert all(np.allclose(found[name], expected[name], rtol=1e-9, atol=1e-12) for name in params)


def megabytes(function, steps, *snapshots):
    """The peak of the memory that a gradient takes."""
    signal = draw(BATCH, steps)
    tracemalloc.start()
    ug.grad(function)(params, *signal, *snapshots)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


lengths = [50, 150, 450]
memory = {"loop": [megabytes(loss_by_loop, steps) for steps in lengths]}
for snapshots in (None, 20, 5):
    name = "scan" if snapshots is None else f"scan, {snapshots} snapshots"
    memory[name] = [megabytes(loss, steps, snapshots) for steps in lengths]
assert memory["scan"][-1] < memory["loop"][-1] / 1.5
assert memory["scan, 5 snapshots"][-1] < memory["loop"][-1] / 10

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
left.semilogy(np.sqrt(path), linewidth=0.8)
left.axhline(guess, color="gray", linestyle="--", label="constant guess")
left.set(xlabel="round", title="error of the frequency")
left.legend()
for name, peaks in memory.items():
    right.loglog(lengths, peaks, "o-", label=name)
right.set(xlabel="steps", title="peak memory of a gradient, MB")
right.legend()
