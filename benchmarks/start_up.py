"""How long the first exact gradient of a fresh process takes.

    python benchmarks/start_up.py

With an empty cache of machine code ("cold"), and with all kernels at hand ("warm"): game A, K = 10.
``import`` is ``import tinygrad_ugan``, ``first`` the first call of `unroll.value_and_grad` with
``method="fused"``. Writes ``results/start_up.json``: medians of some processes each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tinygrad_ugan import bench

RESULTS = Path(__file__).parent / "results"
DTYPES = ("float32", "float64")
CODE = """
import dataclasses, json, time
start = time.perf_counter()
import tinygrad_ugan
imported = time.perf_counter()
from tinygrad_ugan import bench
workload = dataclasses.replace(bench.WORKLOADS["A"], dtype={dtype!r})
call = bench.OURS["fused"](workload)
ready = time.perf_counter()
call()
done = time.perf_counter()
call()
print(json.dumps({{"import": imported - start, "first": done - ready,
                   "second": time.perf_counter() - done}}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=5, help="of each kind")
    options = parser.parse_args()

    records = []
    for dtype in DTYPES:
        found = {"cold": [], "warm": []}
        for _ in range(options.processes):
            with tempfile.TemporaryDirectory() as cache:
                for kind in found:
                    found[kind].append(seconds(dtype, cache))
        for kind, runs in found.items():
            medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            records.append({"dtype": dtype, "cache": kind, **medians})
            print(*records[-1].values(), flush=True)
    report = {"machine": bench.machine(), "unit": "seconds", "records": records}
    (RESULTS / "start_up.json").write_text(json.dumps(report, indent=1) + "\n")


def seconds(dtype, cache):
    """What a fresh process measures of itself."""
    environment = {**os.environ, "TINYGRAD_UGAN_CACHE": cache}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(dtype=dtype)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
