"""Checkpoints on disk.

Each is a folder named after its step, with ``state.safetensors`` (parameters, optimiser states, the
samples over time), ``state.json`` (everything else) and the checksums of both.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from tinygrad_ugan.errors import ArgumentError, shown
from tinygrad_ugan.gan import json_schema
from tinygrad_ugan.gan.runs.atomic_io import (
    CorruptError,
    list_folders,
    read_folder,
    remove_folder,
    write_folder,
)
from tinygrad_ugan.gan.runs.checkpoint_arrays import StructureError, check_size, contents, named
from tinygrad_ugan.gan.training.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import DATA, Config
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.sampler import streams
from tinygrad_ugan.gan.training.setup import recorded

FORMAT = 3  # 2 had no parts handed in, and fewer settings; 1 no checkpoints
_READ = (2, FORMAT)
_ARRAYS, _REST = "state.safetensors", "state.json"


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into a folder of checkpoints; of the earlier ones, keep the last few.

    Later ones, which exist if training was resumed from an earlier one, are kept as well.
    """
    place = folder / f"{checkpoint.step:08d}"
    write(place, checkpoint)
    until_now = [old for old in list_checkpoints(folder) if int(old.name) <= checkpoint.step]
    for old in until_now[: -checkpoint.config.checkpoints]:
        remove_folder(old)
    return place


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the folders of the checkpoints in a folder, oldest first."""
    found = (p for p in list_folders(folder) if p.name.isascii() and p.name.isdecimal())
    return sorted(found, key=lambda p: int(p.name))


def write(place: Path, checkpoint: Checkpoint) -> None:
    """Write one checkpoint."""
    import safetensors.numpy

    arrays = named(checkpoint.state, checkpoint.pictures, checkpoint.ema_pictures)
    rest = {
        "format": FORMAT,
        "step": checkpoint.step,
        "seconds": checkpoint.seconds,
        "config": checkpoint.config.to_dict(),
        "handed_in": dict(checkpoint.setup.handed_in),
        "draws": checkpoint.draws,
        "metrics": [_to_json(row) for row in checkpoint.rows],
        "environment": dict(checkpoint.environment),
    }
    text = json.dumps(rest, indent=1, allow_nan=False) + "\n"
    write_folder(place, {_ARRAYS: safetensors.numpy.save(arrays), _REST: text.encode()})


def read(place: Path, parts: Mapping[str, Any] = MappingProxyType({})) -> Checkpoint:
    """Read one checkpoint.

    Parameters
    ----------
    place : Path
        Its folder.
    parts : mapping of str to Any
        The game, the data and the init that were handed in for training, as of `train`.

    Raises
    ------
    CorruptError
        If a file is missing or was changed, or its content cannot stem from training.
    ArgumentError
        If it is of a format that this version does not read, or the parts are not those that it
        was trained with; the message says why.
    """
    files = read_folder(place, (_ARRAYS, _REST))
    with _inside(place / _REST):
        rest = json_schema.table("", json_schema.parse("text", files[_REST]))
    _check_format(place, rest.get("format"))
    with _inside(place / _REST):
        rest = _SHAPE("", _upgraded(rest))
        config = _config(rest["config"])
        draws = _draws(config)("draws", rest["draws"])
        rows = tuple(Row(**row) for row in rest["metrics"])
        _check_steps(rest["step"], [row.step for row in rows], place.name)
    setup = recorded(config, rest["handed_in"], parts, str(place))
    check_size(setup)
    with _inside(place / _ARRAYS):
        state, pictures, averaged = contents(setup, rest["step"], files[_ARRAYS])
        _check_pictured(pictures.keys() | averaged.keys(), {row.step for row in rows})
    return Checkpoint(
        setup=setup,
        state=state,
        draws=draws,
        rows=rows,
        pictures=pictures,
        seconds=rest["seconds"],
        ema_pictures=averaged,
        environment=rest["environment"],
    )


_CELLS = {
    int: json_schema.whole(),
    float: json_schema.number,
    int | None: json_schema.optional(json_schema.whole()),
    float | None: json_schema.optional(json_schema.number),
    Mapping[str, float]: json_schema.table_of(json_schema.number),
}
_SHAPE = json_schema.record(
    format=json_schema.exactly(FORMAT),
    step=json_schema.whole(),
    seconds=json_schema.seconds,
    config=json_schema.table,
    handed_in=json_schema.table_of(json_schema.text),
    draws=json_schema.table,
    metrics=json_schema.list_of(
        json_schema.record(**{name: _CELLS[kind] for name, kind in get_type_hints(Row).items()})
    ),
    environment=json_schema.table_of(json_schema.text),
)


def _draws(config: Config) -> json_schema.Shape:
    """The shape of the random generator's state for this seed: see `numpy.random.PCG64`."""
    begun = streams(config)[1].bit_generator.state
    state = json_schema.record(
        state=json_schema.whole(most=2**128 - 1), inc=json_schema.exactly(begun["state"]["inc"])
    )
    return json_schema.record(
        bit_generator=json_schema.exactly(begun["bit_generator"]),
        state=state,
        has_uint32=json_schema.whole(most=1),
        uinteger=json_schema.whole(most=2**32 - 1),
    )


_LATER_COLUMNS = ("precision", "recall", "two_sample", "own_class")
# Settings of this format that came later; their defaults are what was done before.
_LATER_SETTINGS = (
    "ema",
    "early_stop",
    "update.generator_steps",
    *("label_smoothing", "penalty", "instance_noise", "feature_matching"),
    *(f"networks.{name}" for name in ("generator_layers", "discriminator_layers", "conditional")),
    *(f"data.{name}" for name in ("identity", "labelled", "labels", "delimiter")),
    *("unroll.state", "unroll.eps", "unroll.redraw"),
    *(
        f"{group}.{name}"
        for group in ("unroll", "generator_optimizer", "discriminator_optimizer")
        for name in ("decay", "weight_decay", "schedule", "final", "warmup", "registered")
    ),
)


def _upgraded(rest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill in what earlier versions left out.

    In format 2 nothing was handed in, and later settings have their defaults.
    """
    rows = json_schema.list_of(json_schema.table)("metrics", rest.get("metrics"))
    config = json_schema.table("config", rest.get("config"))
    config = _with_later_settings(config)
    filled = [{**dict.fromkeys(_LATER_COLUMNS), "ema": {}, **row} for row in rows]
    if rest["format"] == FORMAT:
        return {**rest, "config": config, "metrics": filled}
    return {
        **rest,
        "format": FORMAT,
        "handed_in": {},
        "config": Config().updated(config).to_dict(),
        "metrics": [{**row, "own": {}} for row in filled],
    }


def _with_later_settings(config: dict[str, Any]) -> dict[str, Any]:
    data = config.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    base = Config().updated(
        {"data": {"kind": kind}} if kind in [each.kind for each in DATA] else {}
    )
    default, filled = base.to_dict(), dict(config)
    for name in _LATER_SETTINGS:
        group, dot, setting = name.partition(".")
        if not dot:
            filled.setdefault(group, default[group])
        elif isinstance(there := filled.get(group), dict) and setting in default[group]:
            filled[group] = {setting: default[group][setting], **there}
    return filled


def _config(settings: Mapping[str, Any]) -> Config:
    """The settings; none may be missing, since a default would make it another run."""
    try:
        config = Config().updated(settings)
        json_schema.same_names("", config.to_dict(), settings)
    except ArgumentError as error:
        raise error.within("config.") from None
    return config


def _check_steps(step: int, rows: Sequence[int], name: str) -> None:
    if name.isdecimal() and int(name) != step:
        raise ArgumentError("step", step, f"{int(name)}, as the folder is named")
    if any(a >= b for a, b in itertools.pairwise([-1, *rows, step + 1])):
        raise ArgumentError("metrics", f"rows of the steps {rows}", f"rising steps, up to {step}")


def _check_pictured(pictures: Collection[int], rows: Collection[int]) -> None:
    for step in pictures:
        if step not in rows:
            raise ArgumentError(f"pictures.{step}", "samples", "none, as metrics has no such row")


@contextmanager
def _inside(file: Path) -> Iterator[None]:
    """Turn errors about the content into `CorruptError` that names the file."""
    try:
        yield
    except StructureError:
        raise
    except ArgumentError as error:
        raise error.within(f"{file}: ").becoming(CorruptError) from None


def _check_format(place: Path, given: Any) -> None:
    if type(given) is not int:
        raise CorruptError(f"{place / _REST}: format", shown(given), "a whole number")
    if given not in _READ:
        hint = "upgrade tinygrad_ugan" if given > FORMAT else "train again"
        raise ArgumentError(str(place), f"format {given}", f"format {FORMAT}", hint)


def _to_json(row: Row) -> dict[str, Any]:
    """The row with NaN and infinities, which JSON lacks, as "nan", "inf" and "-inf"."""
    return {
        name: {own: _number(x) for own, x in value.items()}
        if isinstance(value, Mapping)
        else _number(value)
        for name, value in row._asdict().items()
    }


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
