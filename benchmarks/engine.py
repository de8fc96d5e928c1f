"""The engine's overhead on tiny arrays, against HIPS Autograd, PyTorch and JAX.

    pip install -e .[bench]
    python benchmarks/engine.py

Five problems in float64 on one thread, each written for every library as its users would write it
(`engine_problems`, `engine_rivals`). All must give our numbers to 1e-10. They take turns, so that
whatever else the machine does hits them alike; a figure is the median over the turns. Writes
``results/engine.json`` and ``results/engine.png`` beside this file if nothing was left out; a
library that is not installed is.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # one thread for all; has to be said before they are imported
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import argparse
import json
import statistics
import textwrap
import time
from pathlib import Path

import engine_problems as problems
import engine_rivals as rivals
import numpy as np
import optree
from rich.console import Console
from rich.table import Table

from tinygrad_ugan import bench

TOLERANCE = 1e-10
RESULTS = Path(__file__).parent / "results"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=15, help="measurements of every library")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a measurement")
    parser.add_argument("--only", nargs="+", default=list(problems.TITLES), metavar="PROBLEM")
    parser.add_argument("--libraries", nargs="+", default=list(rivals.ALL), metavar="NAME")
    options = parser.parse_args()

    calls = load(options.libraries)
    figures = {}
    for problem in options.only:
        contenders = {library: call[problem] for library, call in calls.items()}
        check_agreement(problem, contenders)
        figures[problem] = measure(contenders, options.turns, options.seconds)
    machine = bench.machine()
    print(machine["cpu"], machine["cores"], "cores", machine["versions"])
    Console().print(table(figures))

    if set(figures) != set(problems.TITLES) or set(calls) != set(rivals.ALL):
        return  # a part is no result to keep
    RESULTS.mkdir(exist_ok=True)
    report = {"machine": machine, "unit": "seconds per call", "figures": figures}
    (RESULTS / "engine.json").write_text(json.dumps(report, indent=2) + "\n")
    draw(figures, RESULTS / "engine.png")


def load(names):
    """The calls of every library that is installed."""
    calls = {}
    for name in names:
        try:
            calls[name] = rivals.ALL[name]()
        except ModuleNotFoundError as error:
            print(f"{name}: left out ({error})")
    return calls


def check_agreement(problem, contenders):
    """Raise unless all return the same numbers."""
    first, *others = contenders
    expected = [np.asarray(x) for x in optree.tree_leaves(contenders[first]())]
    for name in others:
        leaves = [np.asarray(x) for x in optree.tree_leaves(contenders[name]())]
        for x, y in zip(leaves, expected, strict=True):
            np.testing.assert_allclose(
                x, y, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{problem}: {name} against {first}"
            )


def measure(contenders, turns, seconds):
    """Time all in turns: median and quartiles of the seconds that one call takes."""
    repeats = {name: max(1, round(seconds / once(call))) for name, call in contenders.items()}
    times = {name: [] for name in contenders}
    for _ in range(turns):
        for name, call in contenders.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: summary(values) for name, values in times.items()}


def once(call):
    """Seconds of one call when warm."""
    for _ in range(3):
        start = time.perf_counter()
        call()
        elapsed = time.perf_counter() - start
    return elapsed


def summary(values):
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": median, "quartiles": [low, high]}


def table(figures):
    """Median times, and in brackets how many times ours each is."""
    libraries = list(next(iter(figures.values())))
    out = Table("microseconds", *libraries)
    for problem, by_library in figures.items():
        medians = [by_library[library]["median"] for library in libraries]
        cells = [
            f"{1e6 * t:.0f} +-{deviation(by_library[n]):.0%} ({t / medians[0]:.2f})"
            for n, t in zip(libraries, medians, strict=True)
        ]
        out.add_row(problems.TITLES[problem], *cells)
    return out


def deviation(figure):
    """Half the distance of the quartiles, relative to the median."""
    low, high = figure["quartiles"]
    return (high - low) / 2 / figure["median"]


def draw(figures, path):
    """Bars of the times relative to ours."""
    import matplotlib.pyplot as plt

    libraries = list(next(iter(figures.values())))
    fig, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
    width = 0.8 / len(libraries)
    for i, library in enumerate(libraries):
        ratios = [f[library]["median"] / f[libraries[0]]["median"] for f in figures.values()]
        bars = ax.bar(np.arange(len(ratios)) + i * width, ratios, width, label=library)
        ax.bar_label(bars, fmt="%.2g", fontsize=7)
    ax.set_yscale("log")
    ax.axhline(1, color="black", linewidth=0.8)
    labels = [textwrap.fill(problems.TITLES[name], 18) for name in figures]
    ax.set_xticks(np.arange(len(figures)) + 0.4 - width / 2, labels)
    ax.set_ylabel(f"time / time of {libraries[0]}")
    ax.set_title("Tiny arrays, float64, one thread: lower is faster")
    fig.legend(ncols=len(libraries), loc="outside lower center")
    fig.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
