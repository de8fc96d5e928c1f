"""How near the kernels of other processors, emulated on this one, come to their own limits.

    python benchmarks/targets.py

Each target has its vector length, its register tile and its number of registers, and no more
instructions than its processors have; what differs are caches and latencies. One thread, without
the Python around a call; the share is that of the multiply-adds of the target's own vectors, done
in turn with the gradient. Writes ``results/targets.json``.
"""

import argparse
import functools
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import tinygrad_ugan as ug
from tinygrad_ugan import bench
from tinygrad_ugan.bench.limit import MultiplyAdds, vectors_of
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.kernels.target import emulated_target, host_target
from tinygrad_ugan.unroll import fused
from tinygrad_ugan.unroll.problem import make_problem

RESULTS = Path(__file__).parent / "results"
EMULATED = ("avx2", "generic")
STEPS = {"A": (0, 1, 10), "B": (10,), "C": (5,)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2, help="for each figure")
    options = parser.parse_args()

    ug.set_num_threads(1)
    records = []
    for name, every in STEPS.items():
        for steps in every:
            for dtype in ("float32", "float64"):
                workload = replace(bench.WORKLOADS[name], steps=steps, dtype=dtype)
                for target in (host_target(), *map(emulated_target, EMULATED)):
                    place = {"game": name, "steps": steps, "dtype": dtype, "target": target.name}
                    records.append(place | measure(workload, target, options.seconds))
                    print(*records[-1].values(), flush=True)
    report = {"machine": bench.machine(), "records": records}
    (RESULTS / "targets.json").write_text(json.dumps(report, indent=1) + "\n")


def measure(workload, target, seconds):
    """Medians of the milliseconds that the gradient takes, and of the share of the limit."""
    gradient = make_gradient(workload, target)
    limit = MultiplyAdds(workload.dtype, threads=1, vectors=vectors_of(target))
    gradient()
    pairs, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        gradient()
        middle = time.perf_counter()
        limit(workload.multiply_adds)
        pairs.append((middle - start, time.perf_counter() - middle))
    spent, least = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {"ms": round(1e3 * spent, 4), "share": round(least / spent, 3)}


def make_gradient(workload, target):
    """The gradient of a workload in the kernels of a target, a call without arguments."""
    theta_g, theta_d, *batch = workload.arrays()
    settings = {"steps": workload.steps, "lr": workload.lr, "optimizer": None, "state": None}
    problem = make_problem(workload.game, theta_g, theta_d, ug.gan.Batch(*batch), **settings)
    program = SweepProgram(fused.lower(problem), target, workload.dtype)
    return functools.partial(fused._run, program, problem)


if __name__ == "__main__":
    main()
