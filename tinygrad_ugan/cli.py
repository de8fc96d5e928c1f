"""The command line: ``ugan train``, ``ugan compare`` and ``ugan bench``."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tinygrad_ugan import data, viz
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import Config, Row, Run
from tinygrad_ugan.gan import train as train_gan

console = Console()

PAPER = Config()
MINIATURE = Config.miniature()

Settings = Annotated[Config, tyro.conf.arg(name="")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a mistake in the arguments ends it with exit code 2."""
    commands: dict[str, Callable[..., None]] = {"train": train, "compare": compare, "bench": bench}
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands, prog="ugan", description=__doc__, args=arguments
        )
    except ArgumentError as error:
        Console(stderr=True).print(f"ugan: {error}", highlight=False, markup=False)
        sys.exit(2)


def train(config: Settings = PAPER, out: Path | None = None) -> None:
    """Train a GAN on the ring of Gaussians, with the exact gradient through unrolled steps.

    Args:
        config: The settings; the defaults are the paper's.
        out: Folder for the results; a new one under runs/ if not given.
    """
    folder = out if out is not None else _new_folder(_name(config))
    run = _train(config)
    _save(run, folder)
    console.print(_table([run]))
    if not run.finished:
        console.print("[yellow]interrupted[/]: what was computed until then is saved")
    console.print(f"results in {folder}/: samples.png, losses.png, metrics.csv, config.json")


def compare(
    config: Settings = MINIATURE,
    unroll_steps: tuple[int, ...] = (0, 10),
    seeds: tuple[int, ...] = (0,),
    out: Path = Path("runs/compare"),
) -> None:
    """Train with several K, from the same initial weights and on the same data, and compare.

    Args:
        config: The settings; the defaults are a miniature of the paper's.
        unroll_steps: The numbers K of unrolled discriminator steps.
        seeds: Each seed is trained with each K.
        out: Folder for the results.
    """
    configs = [
        dataclasses.replace(
            config, seed=seed, unroll=dataclasses.replace(config.unroll, steps=steps)
        )
        for seed in seeds
        for steps in unroll_steps
    ]
    runs: list[Run] = []
    for each in configs:
        runs.append(_train(each))
        _save(runs[-1], out / _name(each))
        if not runs[-1].finished:
            console.print("[yellow]interrupted[/]: what was computed until then is saved")
            break
    for seed in seeds:
        chosen = {f"K = {run.config.unroll.steps}": run for run in runs if run.config.seed == seed}
        if chosen:
            _draw(chosen, out, f"-seed{seed}")
    table = _table(runs)
    console.print(table)
    with (out / "table.txt").open("w") as file:
        Console(file=file, width=80).print(table)
    console.print(f"pictures in {out}/: {', '.join(sorted(p.name for p in out.glob('*.png')))}")


def bench(
    games: tuple[Literal["A", "B", "C"], ...] = ("A", "B", "C"),
    dtype: Literal["float32", "float64"] = "float32",
    threads: int | None = None,
    out: Path = Path("runs/bench.json"),
) -> None:
    """Time the exact gradient against the hardware's limit, and the libraries that are installed.

    Args:
        games: A: D 2-128-128-1 tanh, batch 512; B: D 2-128-1 ReLU; C: D 2-32-32-1, batch 64.
        dtype: Of the parameters and the data.
        threads: For every library; all cores if not given.
        out: File for the figures.
    """
    from tinygrad_ugan import bench as benchmark

    threads = threads if threads is not None else os.cpu_count() or 1
    if threads < 1:
        raise ArgumentError("threads", threads, "a whole number >= 1")
    records = benchmark.quick(games, dtype, threads)
    console.print(benchmark.table(records))
    benchmark.write(out, records, machine=benchmark.machine())
    console.print(f"figures in {out}")


def _train(config: Config) -> Run:
    """Train with a progress line."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[metrics]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(_name(config), total=config.steps, metrics="")

        def on_step(row: Row) -> None:
            metrics = f"{row.modes} modes, {row.high_quality:.0%} high quality"
            progress.update(task, completed=row.step, metrics=metrics)

        return train_gan(config, on_step=on_step)


def _save(run: Run, folder: Path) -> None:
    run.save(folder)
    _draw({f"K = {run.config.unroll.steps}": run}, folder)


def _draw(runs: dict[str, Run], folder: Path, suffix: str = "") -> None:
    """Draw the runs, which share their data, into samples.png and losses.png."""
    ring = next(iter(runs.values())).config.data
    target = data.ring(
        2_500, modes=ring.modes, radius=ring.radius, std=ring.std, rng=np.random.default_rng(0)
    )
    over_time = {label: (run.sample_steps, run.samples) for label, run in runs.items()}
    viz.samples_over_time(over_time, target, extent=1.5 * ring.radius).savefig(
        folder / f"samples{suffix}.png", dpi=120
    )
    tables = {label: _columns(run) for label, run in runs.items()}
    panels = {
        "objective_g": "generator: f_K, descended",
        "objective_d": "discriminator: f, ascended",
        "modes": "modes covered",
        "high_quality": "high-quality fraction",
    }
    viz.curves(tables, panels).savefig(folder / f"losses{suffix}.png", dpi=120)


def _columns(run: Run) -> dict[str, np.ndarray]:
    return {name: np.array([getattr(row, name) for row in run.metrics]) for name in Row._fields}


def _table(runs: Sequence[Run]) -> Table:
    table = Table("K", "seed", "steps", "modes covered", "high quality", "seconds")
    for run in runs:
        last = run.metrics[-1]
        table.add_row(
            str(run.config.unroll.steps),
            str(run.config.seed),
            f"{last.step:,}",
            f"{last.modes} of {run.config.data.modes}",
            f"{last.high_quality:.1%}",
            f"{last.seconds:.1f}",
        )
    return table


def _name(config: Config) -> str:
    return f"ring-K{config.unroll.steps}-seed{config.seed}"


def _new_folder(name: str) -> Path:
    """A folder under runs/ that does not exist yet: no result is ever overwritten."""
    candidates = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in itertools.count(1))
    return next(folder for folder in candidates if not folder.exists())
