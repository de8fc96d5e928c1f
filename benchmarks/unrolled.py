"""The exact gradient through unrolled steps, against the hardware's limit and other libraries.

    pip install -e .[bench]
    python benchmarks/unrolled.py

The games A, B and C of `tinygrad_ugan.bench` at K = 0 to 50, in float32 and float64, on 1 and 2
threads. Every library runs in a process of its own, they take turns, and all must give our
gradient to rounding before they are timed. Records are added to ``results/unrolled.json`` as they
are measured, in place of older ones of the same workload, so that it can be done in parts, for
instance with ``--games C``; the picture ``results/unrolled.png`` shows all that the file holds.
"""

import argparse
import dataclasses
import itertools
import json
from pathlib import Path

import unrolled_pictures as pictures
from rich.console import Console

from tinygrad_ugan import bench

RESULTS = Path(__file__).parent / "results"
STEPS = (0, 1, 5, 10, 50)
DTYPES = ("float32", "float64")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", nargs="+", default=list(bench.WORKLOADS), metavar="GAME")
    parser.add_argument("--steps", nargs="+", default=STEPS, type=int, metavar="K")
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, metavar="DTYPE")
    parser.add_argument("--threads", nargs="+", default=(1, 2), type=int, metavar="N")
    parser.add_argument("--libraries", nargs="+", default=[*bench.OURS, *bench.RIVALS])
    parser.add_argument("--rounds", type=int, default=7, help="turns of every library")
    options = parser.parse_args()

    for threads in options.threads:
        with bench.Arena(options.libraries, threads) as arena:
            for workload in workloads(options):
                measure(arena, *workload, threads, options.rounds)
    pictures.roofline(read(), RESULTS / "unrolled.png")


def workloads(options):
    """Name and workload, one after the other."""
    for game, dtype, steps in itertools.product(options.games, options.dtypes, options.steps):
        yield game, dataclasses.replace(bench.WORKLOADS[game], dtype=dtype, steps=steps)


def measure(arena, game, workload, threads, rounds):
    """Measure one workload, show it and keep it."""
    figures = arena.measure(workload, rounds=rounds)
    record = bench.Measurement(game, workload, threads, figures)
    console = Console(width=None if Console().is_terminal else 200)
    console.print(bench.table([record]))
    for library, reason in arena.left_out.items():
        console.print(f"left out: {library}: {reason}")
    keep(record)


def keep(record):
    """Add a record to the file, in place of an older one of the same workload."""
    new = record.to_json()
    old = [entry for entry in read() if key(entry) != key(new)]
    path = RESULTS / "unrolled.json"
    report = {
        "machine": bench.machine(),
        "unit": "seconds",
        "records": sorted([*old, new], key=key),
    }
    path.write_text(json.dumps(report, indent=1) + "\n")


def read():
    """The records that the file holds."""
    path = RESULTS / "unrolled.json"
    return json.loads(path.read_text())["records"] if path.exists() else []


def key(entry):
    workload = entry["workload"]
    return entry["game"], workload["dtype"], entry["threads"], workload["steps"]


if __name__ == "__main__":
    main()
