"""Peak memory and time of one exact gradient against K and the number of snapshots.

Run ``python benchmarks/unroll_memory.py``. Each measurement is a process of its own, on the
discriminator 2-128-128-1 at batch 512 in float32; memory is the peak resident set beyond what the
process holds before the gradient. Writes benchmarks/results/unroll_memory.{json,png}.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_ugan as ug
from tinygrad_ugan import bench
from tinygrad_ugan.kernels.schedule import Advance, schedule

RESULTS = Path(__file__).parent / "results"
STEPS = (100, 500, 2000)
SNAPSHOTS = (None, 100, 20, 5)
TAPE_STEPS = (10, 50, 100)  # the whole tape of 2,000 steps would not fit


def measure(method: str, steps: int, snapshots: int | None) -> dict[str, float]:
    """Compute one gradient in this process; return seconds and peak megabytes."""
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((16, 32, 2)), ug.nn.MLP((2, 128, 128, 1)))
    theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    batch = ug.gan.Batch(
        ug.data.ring(512, rng=rng, dtype=np.float32), rng.standard_normal((512, 16), np.float32)
    )
    options = {"lr": 0.01, "method": method}
    ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=1, **options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    ug.unroll.value_and_grad(
        game, theta_g, theta_d, batch, steps=steps, snapshots=snapshots, **options
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "megabytes": (after - before) / 1024, "resident": after / 1024}


def in_new_process(method: str, steps: int, snapshots: int | None) -> dict[str, float]:
    """Run `measure` in a process of its own."""
    command = [sys.executable, __file__, method, str(steps), str(snapshots or 0)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def main() -> None:
    """Measure, print a table, draw it."""
    cases = [("adjoint", k, s) for k in STEPS for s in SNAPSHOTS]
    cases += [("tape", k, s) for k in TAPE_STEPS for s in (None, 5)]
    rows = []
    print("method       K  kept forward steps  seconds      MB     RSS")
    for method, steps, snapshots in cases:
        found = in_new_process(method, steps, snapshots)
        taken = sum(isinstance(move, Advance) for move in schedule(steps, snapshots))
        rows.append({"method": method, "K": steps, "snapshots": snapshots, **found})
        print(
            f"{method:8} {steps:5} {snapshots or 'all':>5} {taken:13} {found['seconds']:8.1f} "
            f"{found['megabytes']:7.1f} {found['resident']:7.1f}",
            flush=True,
        )
    RESULTS.mkdir(exist_ok=True)
    record = {"machine": bench.machine(), "rows": rows}
    (RESULTS / "unroll_memory.json").write_text(json.dumps(record, indent=1) + "\n")
    draw(rows)


def draw(rows: list[dict]) -> None:
    """Draw memory against K, one line for each number of snapshots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axis = figure.subplots()
    for method, snapshots in dict.fromkeys((r["method"], r["snapshots"]) for r in rows):
        chosen = [r for r in rows if (r["method"], r["snapshots"]) == (method, snapshots)]
        label = f"{method}, {'all' if snapshots is None else snapshots} states kept"
        memory = [max(r["megabytes"], 1) for r in chosen]
        axis.loglog([r["K"] for r in chosen], memory, "o-", label=label)
    axis.set(xlabel="K", ylabel="peak megabytes", title="memory of one exact gradient")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(RESULTS / "unroll_memory.png", dpi=120)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) or None)))
    else:
        main()
