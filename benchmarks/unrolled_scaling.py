"""How time and memory of one exact gradient grow with the batch, the widths, and K.

    python benchmarks/unrolled_scaling.py

Our best method and JAX jit, float32, from game A: batch 64 to 16,384, width 16 to 1,024, K 1 to
1,000. Each must agree with our gradient in float64. Every measurement is a process of its own; its
memory is the peak resident set during a call, beyond what the process holds after a tiny gradient
(Linux). A library that needed more than ``--longest`` seconds is not asked for the next larger
size. Writes ``results/unrolled_scaling.json`` and ``results/unrolled_scaling.png``. With
``--against`` and ``--libraries`` only a part is measured again, and the other records stay.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import statistics
from pathlib import Path

import unrolled_pictures as pictures

from tinygrad_ugan import bench
from tinygrad_ugan.bench.measure import check_errors, reference, relative_error

RESULTS = Path(__file__).parent / "results"
FILE = RESULTS / "unrolled_scaling.json"
LIBRARIES = (next(iter(bench.OURS)), "jax jit")
TINY = dataclasses.replace(bench.WORKLOADS["C"], batch=16, steps=1)
BASE = dataclasses.replace(bench.WORKLOADS["A"], lr=0.01)
SIZES = {
    "batch": (64, 256, 1024, 4096, 16384),
    "width": (16, 64, 256, 1024),
    "steps": (1, 10, 100, 1000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--against", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--libraries", nargs="+", default=LIBRARIES, choices=LIBRARIES)
    parser.add_argument("--longest", type=float, default=10.0, metavar="SECONDS")
    options = parser.parse_args()

    for against, library in itertools.product(options.against, options.libraries):
        for size in SIZES[against]:
            found = measure(library, workload(against, size), options.threads)
            record = {"against": against, "size": size, "library": library, **found}
            print(*record.values(), flush=True)
            keep(record, options.threads)
            if found["seconds"] > options.longest:
                break
    pictures.scaling(read(), RESULTS / "unrolled_scaling.png")


def keep(record, threads):
    """Add a record to the file, in place of an older one of the same thing."""
    old = [entry for entry in read() if key(entry) != key(record)]
    records = sorted([*old, record], key=key)
    report = {"machine": bench.machine(), "threads": threads, "records": records}
    FILE.write_text(json.dumps(report, indent=1) + "\n")


def read():
    """The records that the file holds."""
    return json.loads(FILE.read_text())["records"] if FILE.exists() else []


def key(record):
    return record["against"], record["library"], record["size"]


def workload(against, size):
    """Game A with one quantity changed."""
    if against == "width":
        return dataclasses.replace(
            BASE, generator=(256, size, size, 2), discriminator=(2, size, size, 1)
        )
    return dataclasses.replace(BASE, **{against: size})


def measure(library, workload, threads):
    """Median seconds and peak bytes of a call, and the seconds of its multiply-adds alone."""
    with contextlib.closing(bench.Worker(library, threads)) as worker:
        worker.prepare(TINY)
        held = worker.resident_bytes()
        error = relative_error(worker.prepare(workload), reference(workload))
        check_errors({library: error}, workload)
        peak = worker.peak_bytes() - held
        seconds = statistics.median(worker.times(0.5))
    with contextlib.closing(bench.Worker(bench.LIMIT, threads)) as worker:
        worker.prepare(workload)
        limit = statistics.median(worker.times(0.05))
    return {"error": error, "seconds": seconds, "peak_bytes": peak, "limit_seconds": limit}


if __name__ == "__main__":
    main()
