"""Games that the kernels do not take: `compiled` against `adjoint`, and what recording costs.

    python benchmarks/compiled_games.py

Both take turns in one process, on one BLAS thread: medians of their calls. The discriminator's own
move in a training step is compiled either way. "first" is the first
compiled call of the process, which records and reads machine code from the disk cache, if a run
before has filled it, and "from" the number of calls from which compiling has paid off. Writes
``results/compiled_games.json``, which docs/compile.md quotes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import dataclasses
import json
import math
import statistics
import time
from pathlib import Path

import numpy as np

import tinygrad_ugan as ug
from tinygrad_ugan import bench, data, gan
from tinygrad_ugan.gan.training.sampler import streams

RESULTS = Path(__file__).parent / "results" / "compiled_games.json"
STEPS = 5


def unrolled(game, batch, theta_g, theta_d, **how):
    """The exact gradient as a function of the method."""
    how = how or {"lr": 0.01}
    given = game, theta_g, theta_d, batch
    return lambda method: ug.unroll.value_and_grad(*given, steps=STEPS, method=method, **how)


def wgan_gp(**how):
    rng = np.random.default_rng(0)
    generator, critic = ug.nn.MLP((32, 64, 64, 2)), ug.nn.MLP((2, 64, 64, 1))
    game = gan.Game(generator, critic, "wasserstein")
    game = gan.Penalized(game, gan.penalties.GradientPenalty())
    real, noise = (rng.standard_normal((256, n), np.float32) for n in (2, 32))
    batch = gan.FullBatch(real, noise)
    batch = batch._replace(drawn=game.draw(rng, batch))
    return unrolled(game, batch, generator.init(rng), critic.init(rng), **how)


def game_c():
    workload = bench.WORKLOADS["C"]
    theta_g, theta_d, *batch = workload.arrays()
    return unrolled(workload.game, gan.Batch(*batch), theta_g, theta_d, lr=workload.lr)


def own_objective(generator, critic, batch):
    def score(x):
        return np.tanh(x @ critic["w"]) @ critic["v"]

    return np.mean(score(batch["x"])) - np.mean(score(np.tanh(batch["z"] @ generator)))


def own_game():
    """By `adjoint` as it was written, and with the word that has it compiled."""
    rng = np.random.default_rng(0)
    critic = {"w": rng.standard_normal((3, 16)), "v": rng.standard_normal(16)}
    batch = {"x": rng.standard_normal((50, 3)), "z": rng.standard_normal((50, 4))}
    theta = rng.standard_normal((4, 3)), critic
    written = {"adjoint": own_objective, "compiled": ug.compile(own_objective)}
    calls = {method: unrolled(ug.unroll.Game(f), batch, *theta) for method, f in written.items()}
    return lambda method: calls[method](method)


def training_step():
    """Of a conditional WGAN-GP with batch normalisation."""
    config = gan.Config(
        data=data.Ring(labelled=True), loss="wasserstein", penalty=gan.penalties.GradientPenalty(),
        networks=gan.Networks(
            noise=16, generator=(64, 64), discriminator=(64, 64), conditional=True,
            generator_layers=gan.Layers(normalization="batch"),
        ),
        unroll=gan.Unroll(STEPS, lr=1e-2), clip=1.0, batch=128,
    )  # fmt: skip
    init_rng, batch_rng = streams(config)
    steps = {
        method: gan.TrainStep(
            dataclasses.replace(config, unroll=dataclasses.replace(config.unroll, method=method))
        )
        for method in ("compiled", "adjoint")
    }
    state, batches = steps["compiled"].init(init_rng), gan.Draws(config, batch_rng).next()
    return lambda method: steps[method](state, batches)[0].theta_g


CASES = {
    "WGAN-GP": wgan_gp,
    "WGAN-GP, inner steps by Adam": lambda: wgan_gp(optimizer=ug.optim.Adam(1e-3)),
    "a game of one's own, in five lines": own_game,
    "game C": game_c,
    "training step of a conditional WGAN-GP with batch normalisation": training_step,
}


def milliseconds(call, *args):
    start = time.perf_counter()
    call(*args)
    return 1e3 * (time.perf_counter() - start)


def measure(call, seconds):
    """Medians of both methods, the first compiled call, and when that has paid off."""
    call("adjoint")
    first = milliseconds(call, "compiled")
    times, end = {"adjoint": [], "compiled": []}, time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["compiled"]) < 5:
        for method, each in times.items():
            each.append(milliseconds(call, method))
    tape, fast = (statistics.median(each) for each in times.values())
    return {
        "adjoint": round(tape, 2),
        "compiled": round(fast, 2),
        "ratio": round(fast / tape, 2),
        "first": round(first),
        "from": math.ceil(max(first - fast, 0) / (tape - fast)) if fast < tape else None,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6, help="for each case")
    options = parser.parse_args()

    records = []
    for name, case in CASES.items():
        records.append({"case": name, **measure(case(), options.seconds)})
        print(*records[-1].values(), flush=True)
    report = {"machine": bench.machine(), "blas threads": 1, "records": records}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
