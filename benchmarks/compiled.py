"""Compiled functions against the same ones that are not, and against other libraries.

    pip install -e .[bench]
    python benchmarks/compiled.py

The problems are those of `compiled_problems`. Each contender runs in a process of its own, they
take turns, and all must give the numbers of ours in float64 before they are timed; what is not
installed, or cannot do a problem, is left out. A figure is the median of the calls.

A compile time is that of a first call, less a second one, in a process that has compiled another
function before. For ours it is a fresh process each time: "cold" with an empty cache of machine
code, "cached" with what the one before has left there.

Records are added to ``results/compiled.json`` as they are measured, in place of older ones of the
same problem, so that it can be done in parts with ``--only``. ``--table`` measures nothing and
prints what the file holds, for docs/compile.md.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import compiled_rivals as rivals
import numpy as np
import optree
from compiled_problems import PROBLEMS

import tinygrad_ugan as ug
from tinygrad_ugan import bench, tree
from tinygrad_ugan.bench.libraries import fastest
from tinygrad_ugan.bench.measure import REST
from tinygrad_ugan.bench.worker import WARM_UP, LimitContender, timed
from tinygrad_ugan.kernels.jit_cache import CACHE_VARIABLE

RESULTS = Path(__file__).parent / "results"
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
JAX = "jax jit, malloc tuned"
CONTENDERS = (bench.LIMIT, "kernels", "not compiled", "compiled", JAX, "torch", "torch.compile")


class Line(NamedTuple):
    """A line of the table."""

    problem: str
    dtype: str


def contender(name, threads):
    """Make one, in a process of its own: see `bench.Worker`."""
    return Limit(threads) if name == bench.LIMIT else Library(name, threads)


def clock(threads):
    """A clock, and how long it takes to get up to speed: see `timed`.

    The processor's time; or, with several threads, which have to wake up and wait for each other,
    the time.
    """
    return (time.process_time, 0.02) if threads == 1 else (time.perf_counter, WARM_UP)


class Limit(LimitContender):
    """The multiply-adds of games A, B and C: see `bench.multiply_adds`."""

    def __init__(self, threads):
        super().__init__(threads)
        self._clock = clock(threads)

    def prepare(self, line):
        """Count."""
        workload = PROBLEMS[line.problem].workload
        if workload is None:
            raise bench.UnsuitableError("what it takes at least is known for A, B and C")
        super().prepare(dataclasses.replace(workload, dtype=line.dtype))
        return None, None

    def times(self, seconds):
        """Seconds of the multiply-adds, from each loop of a burst."""
        return super().times(seconds, *self._clock)


class Library:
    """A library, or a way of ours."""

    def __init__(self, name, threads):
        self._name, self._threads, self._clock = name, threads, clock(threads)

    def prepare(self, line):
        """Get ready; returns the seconds of compilation, and the leaves of what a call gives."""
        load(self._name, self._threads)
        calls = rivals.calls(self._name, *line)
        first = [self._duration(call) - self._duration(call) for call in calls]
        self._call = fastest(calls)
        leaves = optree.tree_leaves(self._call())
        return first[calls.index(self._call)], [np.asarray(leaf) for leaf in leaves]

    def times(self, seconds):
        """Seconds of each call in a burst."""
        return timed(self._call, seconds, *self._clock)

    def _duration(self, call):
        now, _ = self._clock
        start = now()
        call()
        return now() - start


def load(name, threads):
    """Load a library and its compiler, and tell it how many threads to take."""
    if name == JAX:
        import jax

        jax.jit(lambda x: x + 1)(1.0)
    elif name in ("torch", "torch.compile"):
        import torch

        torch.set_num_threads(threads)
    else:
        ug.set_num_threads(threads)
        ug.compile(lambda x: np.tanh(x @ x))(np.ones((8, 8)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(PROBLEMS), metavar="PROBLEM")
    parser.add_argument("--contenders", nargs="+", default=CONTENDERS, metavar="NAME")
    parser.add_argument("--threads", nargs="+", default=(1, os.cpu_count()), type=int, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, help="turns of every contender")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a turn")
    parser.add_argument("--table", action="store_true", help="print what is measured, and end")
    options = parser.parse_args()
    if options.table:
        print(tables(read()))
        return

    lines = [Line(name, dtype) for name in options.only for dtype in PROBLEMS[name].dtypes]
    for threads in options.threads:
        with arena(options.contenders, threads) as workers:
            for line in lines:
                figures = measure(workers, line, options.rounds, options.seconds)
                record = {**line._asdict(), "threads": threads, **figures}
                record["compile"] = compile_times(line, threads) | figures["compile"]
                keep(record)
                print(*record.values(), flush=True)


@contextlib.contextmanager
def arena(names, threads):
    """A process for each contender, by name."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(contextlib.closing(bench.Worker(name, threads, contender)))
            for name in names
        }


def measure(workers, line, rounds, seconds):
    """Medians of the milliseconds of all that can do it, in turns, and how far they are off."""
    compilation, errors, left_out = prepare(workers, line)
    times = {name: [] for name in errors}
    for _ in range(rounds):
        for name, taken in times.items():
            time.sleep(REST)
            taken += workers[name].times(seconds)
    return {
        "load": round(os.getloadavg()[0], 1),
        "ms": {name: milliseconds(statistics.median(taken)) for name, taken in times.items()},
        "errors": {name: float(f"{error:.1e}") for name, error in errors.items()},
        "compile": {JAX: milliseconds(compilation[JAX])} if JAX in compilation else {},
        "left out": left_out,
    }


def prepare(workers, line):
    """Get all ready: seconds of compilation, errors, and the reasons of those that are left out."""
    compilation, errors, left_out, expected = {}, {}, {}, reference(line)
    for name, worker in workers.items():
        try:
            compilation[name], found = worker.prepare(line)
        except (ModuleNotFoundError, bench.UnsuitableError, RuntimeError) as error:
            left_out[name] = str(error).partition("\n")[0]
        else:
            errors[name] = 0.0 if found is None else relative_error(found, expected)
    wrong = {name: error for name, error in errors.items() if not error <= TOLERANCE[line.dtype]}
    if wrong:
        raise bench.DisagreementError(f"{line}: relative errors {wrong}")
    return compilation, errors, left_out


def reference(line):
    """The leaves of ours, not compiled, in float64 of the same numbers."""
    make = PROBLEMS[line.problem].make
    f, _ = make("float64")
    _, arguments = make(line.dtype)
    wide = optree.tree_map(lambda x: np.float64(x) if x.dtype.kind == "f" else x, arguments)
    return [np.asarray(leaf) for leaf in optree.tree_leaves(f(*wide))]


def relative_error(found, expected):
    """In the Euclidean norm over all leaves."""
    distance = tree.norm([x - y for x, y in zip(found, expected, strict=True)])
    return float(distance / tree.norm(expected))


def compile_times(line, threads):
    """Milliseconds of ours, in fresh processes."""
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, {CACHE_VARIABLE: cache}):
        return {kind: compile_time(line, threads) for kind in ("cold", "cached")}


def compile_time(line, threads):
    with contextlib.closing(bench.Worker("compiled", threads, contender)) as worker:
        return milliseconds(worker.prepare(line)[0])


def milliseconds(seconds):
    """Rounded to four digits."""
    return float(f"{1e3 * seconds:.4g}")


def keep(record):
    """Add a record to the file, in place of an older one of the same line."""
    records = {key(each): each for each in [*read(), record]}
    report = {"machine": bench.machine(), "records": sorted(records.values(), key=key)}
    (RESULTS / "compiled.json").write_text(json.dumps(report, indent=1) + "\n")


def read():
    """The records that the file holds."""
    path = RESULTS / "compiled.json"
    return json.loads(path.read_text())["records"] if path.exists() else []


def key(record):
    return record["threads"], list(PROBLEMS).index(record["problem"]), record["dtype"]


def tables(records):
    """The Markdown of docs/compile.md: for each number of threads, the games and the others."""
    parts = []
    for threads in sorted({record["threads"] for record in records}):
        parts.append(f"{threads} {'thread' if threads == 1 else 'threads'}:")
        rows = [record for record in records if record["threads"] == threads]
        games = [record for record in rows if PROBLEMS[record["problem"]].workload]
        parts += [table(part) for part in (games, [r for r in rows if r not in games]) if part]
    return "\n\n".join(parts)


def table(records):
    """One line for each record; columns of which there is nothing are left out."""
    rows = [row(record) for record in records]
    heads = [head for head in rows[0] if any(each[head] for each in rows)]
    lines = [heads, ["---"] * len(heads), *([each[head] for head in heads] for each in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def row(record):
    """Milliseconds, and the best of ours relative to JAX's; compile times at the end."""
    ms, compile_ms = record["ms"], record["compile"]
    ours = min(ms[name] for name in ("kernels", "compiled") if name in ms)
    *before, torch, torch_compile = CONTENDERS
    return {
        "ms": f"{PROBLEMS[record['problem']].title}, {record['dtype']}",
        **{name.removesuffix(", malloc tuned"): shown(ms.get(name)) for name in before},
        "ours / jax": f"{ours / ms[JAX]:.2f}" if JAX in ms else "",
        **{name: shown(ms.get(name)) for name in (torch, torch_compile)},
        "cold": shown(compile_ms.get("cold")),
        "cached": shown(compile_ms.get("cached")),
        "jax's": shown(compile_ms.get(JAX)),
    }


def shown(figure):
    """Three digits, without an exponent; nothing for nothing."""
    return "" if figure is None else f"{float(f'{figure:.3g}'):,.10g}"


if __name__ == "__main__":
    main()
