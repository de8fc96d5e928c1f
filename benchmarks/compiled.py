"""Compiled functions against the same ones that are not: `ug.compile`.

    python benchmarks/compiled.py

Both take turns in one process, on one BLAS thread: medians of their calls after a first one, which
records. "record" is the time of that call. Writes ``results/compiled.json``, which docs/compile.md
quotes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

import tinygrad_ugan as ug
from tinygrad_ugan import bench

RESULTS = Path(__file__).parent / "results"


def mlp_loss(sizes, rows):
    """A mean square of a network in float32, its parameters and its input."""
    rng = np.random.default_rng(0)
    network = ug.nn.MLP(sizes)
    x = rng.standard_normal((rows, sizes[0]), np.float32)
    return lambda theta, x: np.mean(network(theta, x) ** 2), network.init(rng), x


def mlp_gradient():
    loss, theta, x = mlp_loss((2, 128, 128, 1), 512)
    return ug.grad(loss), (theta, x)


def mlp_hvp(sizes=(2, 128, 128, 1), rows=512):
    loss, theta, x = mlp_loss(sizes, rows)
    return lambda theta, x: ug.hvp(lambda t: loss(t, x), theta, theta), (theta, x)


def small_hvp():
    return mlp_hvp((2, 16, 1), 32)


def chain_gradient():
    """Of twenty operations on a million numbers."""

    def chain(x):
        for _ in range(5):
            x = np.tanh(x) * 1.1 + np.sin(x)
        return np.sum(x)

    return ug.grad(chain), (np.random.default_rng(0).standard_normal(1_000_000),)


def softmax_cross_entropy():
    """Its gradient for 10,000 rows of 100 logits."""
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((10_000, 100)), rng.integers(100, size=10_000)

    def loss(logits):
        return -np.mean(ug.log_softmax(logits)[np.arange(10_000), labels])

    return ug.grad(loss), (logits,)


def newton_step():
    """Of a logistic regression."""
    rng = np.random.default_rng(0)

    def step(w, x, y):
        def loss(w):
            return np.mean(np.logaddexp(0, -y * (x @ w)))

        return w - np.linalg.solve(ug.hessian(loss)(w) + 1e-3 * np.eye(len(w)), ug.grad(loss)(w))

    return step, (np.zeros(5), rng.standard_normal((200, 5)), rng.choice([-1.0, 1.0], 200))


def recurrent_gradient():
    """Of a recurrent network of 50 steps."""
    rng = np.random.default_rng(0)
    weights = {"w": 0.1 * rng.standard_normal((16, 16)), "u": rng.standard_normal((4, 16))}

    def loss(weights, xs):
        h = np.zeros((8, 16))
        for x in xs:
            h = np.tanh(h @ weights["w"] + x @ weights["u"])
        return np.mean(h**2)

    return ug.grad(loss), (weights, rng.standard_normal((50, 8, 4)))


def unrolled(method):
    """The exact gradient of game C, K = 5."""
    workload = bench.WORKLOADS["C"]
    theta_g, theta_d, *batch = workload.arrays()

    def gradient(theta_g, theta_d, real, noise):
        given = workload.game, theta_g, theta_d, ug.gan.Batch(real, noise)
        return ug.unroll.value_and_grad(*given, steps=workload.steps, lr=workload.lr, method=method)

    return gradient, (theta_g, theta_d, *batch)


def wgan_gp():
    """The exact gradient of an unrolled WGAN-GP, K = 5, in float32."""
    rng = np.random.default_rng(0)
    generator, critic = ug.nn.MLP((32, 64, 64, 2)), ug.nn.MLP((2, 64, 64, 1))
    game = ug.gan.Penalized(
        ug.gan.Game(generator, critic, "wasserstein"), ug.gan.penalties.GradientPenalty()
    )
    real = rng.standard_normal((256, 2), np.float32)
    batch = ug.gan.FullBatch(real, rng.standard_normal((256, 32), np.float32))
    drawn = game.draw(rng, batch)

    def gradient(theta_g, theta_d, real, noise, drawn):
        batch = ug.gan.FullBatch(real, noise, drawn=drawn)
        return ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=5, lr=0.01)

    return gradient, (generator.init(rng), critic.init(rng), batch.real, batch.noise, drawn)


CASES = {
    "gradient of an MLP 2-128-128-1, batch 512, float32": mlp_gradient,
    "its Hessian-vector product": mlp_hvp,
    "Hessian-vector product of an MLP 2-16-1, batch 32, float32": small_hvp,
    "gradient of a chain of 20 operations on 1e6 numbers": chain_gradient,
    "gradient of a softmax cross-entropy, 1e4 x 100": softmax_cross_entropy,
    "Newton step of a logistic regression, 200 x 5": newton_step,
    "gradient of a recurrent network of 50 steps": recurrent_gradient,
    "exact gradient by `adjoint`, game C, K = 5": lambda: unrolled("adjoint"),
    "exact gradient by the kernels (`auto`), game C, K = 5": lambda: unrolled("auto"),
    "exact gradient of an unrolled WGAN-GP, K = 5": wgan_gp,
}


def measure(f, args, seconds):
    """Medians of the milliseconds of both, and the milliseconds of the first compiled call."""
    compiled = ug.compile(f)
    start = time.perf_counter()
    compiled(*args)
    record = time.perf_counter() - start
    f(*args)
    times, end = ([], []), time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for each, call in zip(times, (f, compiled), strict=True):
            start = time.perf_counter()
            call(*args)
            each.append(time.perf_counter() - start)
    plain, fast = (1e3 * statistics.median(each) for each in times)
    ratio = round(fast / plain, 3)
    return {
        "ms": round(plain, 4),
        "compiled": round(fast, 4),
        "ratio": ratio,
        "record": round(1e3 * record, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4, help="for each case")
    options = parser.parse_args()

    records = []
    for name, case in CASES.items():
        records.append({"case": name, **measure(*case(), options.seconds)})
        print(*records[-1].values(), flush=True)
    report = {"machine": bench.machine(), "blas threads": 1, "records": records}
    (RESULTS / "compiled.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
