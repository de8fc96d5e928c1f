"""The folder of a sweep: the grid, and a folder for every run.

sweep.json      the settings that vary, and the runs of the grid
table.csv       the last row of every run's metrics, once all have ended
RUN/            as from `train`; and error.txt, a traceback, if it failed
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import json_schema
from tinygrad_ugan.gan.runs.atomic_io import CorruptError, read_text, write_file
from tinygrad_ugan.gan.runs.run import Run, load
from tinygrad_ugan.gan.runs.run_dir import RunDir
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable, identity_columns, result_row

GRID, ERROR = "sweep.json", "error.txt"
_SHAPE = json_schema.record(
    vary=json_schema.list_of(json_schema.text),
    runs=json_schema.list_of(
        json_schema.record(
            folder=json_schema.text, seed=json_schema.whole(), settings=json_schema.table
        )
    ),
)


@dataclass(frozen=True)
class SweepResults:
    """A sweep as it is on disk, finished or not.

    Attributes
    ----------
    vary : tuple of str
        The settings that vary.
    table : SweepTable
        A row for every run of the grid; the status is "done", "failed", "unfinished" or "not
        begun".
    runs : mapping of str to Run
        Those that have metrics, by their folders.
    others : tuple of str
        Folders of runs that are not of this grid.
    """

    vary: tuple[str, ...]
    table: SweepTable
    runs: Mapping[str, Run]
    others: tuple[str, ...]


def write_grid(folder: Path, vary: Iterable[str], every: Sequence[Variation]) -> None:
    """Write down which runs there are to be, inside `at_work`."""
    runs = []
    for each in every:
        settings = identity_columns(each.settings, each.config.seed, each.folder)
        identity = {"folder": settings.pop("folder"), "seed": settings.pop("seed")}
        runs.append({**identity, "settings": settings})
    try:
        write_file(folder / GRID, json.dumps({"vary": list(vary), "runs": runs}, indent=1) + "\n")
    except OSError as error:
        raise ArgumentError("folder", f"{error}", "a folder that can be written to") from None


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep, or holds runs in folders, and is not a run itself."""
    if (folder / GRID).exists():
        return True
    return not RunDir(folder).holds_run and bool(_run_folders(folder))


def read_sweep(folder: Path, **parts: Any) -> SweepResults:
    """Read a sweep, whose runs may be unfinished, or yet to begin.

    Parameters
    ----------
    folder : Path
        Its folder; without a file of the grid, the runs in it, which vary by what differs in their
        settings.
    **parts : Any
        What was handed in to `sweep`, and has no name.

    Raises
    ------
    ArgumentError
        If there is no run in it, or one cannot be read without what was handed in.
    CorruptError
        If the file of the grid was changed.
    """
    there = _run_folders(folder)
    if (folder / GRID).exists():
        vary, planned = _read_grid(folder / GRID)
        runs, errors = _load(folder, [each["folder"] for each in planned], parts)
    elif there:
        runs, errors = _load(folder, there, parts)
        vary, planned = _differing(runs)
    else:
        hint = "`ugan sweep` and ug.gan.sweep make one"
        raise ArgumentError("folder", str(folder), "the folder of a sweep, with runs in it", hint)
    rows = tuple(_row(folder, vary, each, runs, errors) for each in planned)
    begun = {name: run for name, run in runs.items() if run.metrics}
    others = sorted(set(there) - {each["folder"] for each in planned})
    return SweepResults(tuple(vary), SweepTable(rows), begun, tuple(others))


def _run_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and RunDir(p).holds_run)


def _read_grid(file: Path) -> tuple[list[str], list[dict[str, Any]]]:
    text = read_text("folder", file)
    try:
        content = _SHAPE("", json_schema.table("", json_schema.parse("text", text)))
        for i, each in enumerate(content["runs"]):
            missing = [name for name in content["vary"] if name not in each["settings"]]
            if missing:
                raise ArgumentError(f"runs[{i}].settings", f"no {missing[0]}", "all that vary")
    except ArgumentError as error:
        raise error.within(f"{file}: ").becoming(CorruptError) from None
    return content["vary"], content["runs"]


def _load(
    folder: Path, names: Iterable[str], parts: Mapping[str, Any]
) -> tuple[dict[str, Run], dict[str, str]]:
    """The runs that have begun, and what is wrong with those that were damaged."""
    runs, errors = {}, {}
    for name in names:
        if RunDir(folder / name).holds_run:
            try:
                runs[name] = load(folder / name, **parts)
            except CorruptError as error:
                errors[name] = f"CorruptError: {error}"
    return runs, errors


def _differing(runs: Mapping[str, Run]) -> tuple[list[str], list[dict[str, Any]]]:
    """The settings in which runs differ, and the runs by them."""
    flat = {name: flat_settings(run.config.to_dict()) for name, run in runs.items()}
    names = dict.fromkeys(name for settings in flat.values() for name in settings)
    vary = [
        name
        for name in names
        if name != "seed" and len({settings.get(name, "") for settings in flat.values()}) > 1
    ]
    return vary, [
        {
            "folder": name,
            "seed": runs[name].config.seed,
            "settings": {each: settings.get(each, "") for each in vary},
        }
        for name, settings in flat.items()
    ]


def flat_settings(settings: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Return ``{"a": {"b": [1]}}`` as ``{"a.b": "[1]"}``: words and numbers."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flat_settings(value, f"{place}{name}.")
        else:
            flat[place + name] = value if isinstance(value, int | float) else str(value)
    return flat


def _row(
    folder: Path,
    vary: Sequence[str],
    planned: Mapping[str, Any],
    runs: Mapping[str, Run],
    errors: Mapping[str, str],
) -> dict[str, Any]:
    """The row of a run of the grid, wherever it stands."""
    name = planned["folder"]
    settings = {each: planned["settings"][each] for each in vary}
    identity = {**settings, "seed": planned["seed"], "folder": name}
    run, file = runs.get(name), folder / name / ERROR
    last = run.metrics[-1] if run is not None and run.metrics else None
    if run is not None and run.finished:
        return result_row(identity, "done", last=last)
    if name in errors:
        return result_row(identity, "failed", errors[name])
    if file.exists():
        lines = read_text("folder", file).strip().splitlines() or ["unknown"]
        return result_row(identity, "failed", lines[-1], last)
    if run is None:
        return result_row(identity, "not begun")
    steps = f"step {run.checkpoint.step:,} of {run.config.steps:,}"
    return result_row(identity, "unfinished", steps, last)
