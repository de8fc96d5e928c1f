"""Arguments that several commands share."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import tyro

from tinygrad_ugan.data import File
from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.experiments import PRESETS
from tinygrad_ugan.gan import Config
from tinygrad_ugan.gan.runs.atomic_io import read_text
from tinygrad_ugan.gan.training.config import DATA, PENALTIES
from tinygrad_ugan.gan.training.registry import OwnData, RegisteredData, import_plugin

CONFIG_FLAG, DATA_FLAG, PENALTY_FLAG = "--config", "--data", "--penalty"
PLUGIN_FLAG = "--plugin"

Folder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]


@dataclass(frozen=True, kw_only=True)
class Plugged:
    """Games and data of one's own, which modules register."""

    plugin: tuple[str, ...] = ()
    """Modules to import first, such as those that register a game; never imported unasked."""

    def import_plugins(self) -> None:
        """Import them.

        Raises
        ------
        ArgumentError
            If one cannot be imported.
        """
        for name in self.plugin:
            import_plugin("plugin", name)


@dataclass(frozen=True)
class Configured(Plugged):
    """Settings start from a preset; those in a file replace them; those given one by one win."""

    preset: tyro.conf.Positional[str] = "ring"
    """The settings to start from: ring (the paper's), ring-miniature (in a minute),
    ring-best (sharpest in the least time), chainer (as musyoku/unrolled-gan, which unrolls
    nothing), or grid."""
    config: Path | None = None
    """A file of settings, .toml or .json; those that it leaves out are the preset's."""
    data: str | None = None
    """The data: a file (.csv, .npy, .npz, .parquet), a folder of images, toys such as moons,
    module:attribute, or a name that a plugin registers; the settings data.* are theirs then."""
    penalty: str | None = None
    """The penalty on the discriminator: none, wgan-gp, r1 or r2; the settings penalty.* are its
    own then."""
    settings: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)

    @classmethod
    def starting_from(cls, arguments: Sequence[str]) -> Self:
        """Return the command with the defaults that its preset and its file give it.

        tyro needs the defaults before it reads the arguments, so these are looked for first, as are
        the kinds of data and of penalty.
        """
        named = [a for a in arguments[:1] if not a.startswith("-")]
        preset = named[0] if named else cls.preset
        check_choice("preset", preset, PRESETS)
        settings = PRESETS[preset]
        if (file := _value(arguments, CONFIG_FLAG)) is not None:
            settings = read_settings(Path(file), settings)
        if (data := _value(arguments, DATA_FLAG)) is not None:
            plugged = _value(arguments, PLUGIN_FLAG) is not None
            settings = settings.updated({"data": named_data(data, plugged=plugged)})
        if (penalty := _value(arguments, PENALTY_FLAG)) is not None:
            check_choice("penalty", penalty, [kind.kind for kind in PENALTIES])
            settings = settings.updated({"penalty.kind": penalty})
        return dataclasses.replace(cls(), preset=preset, settings=settings)

    def check_preset(self, expected: str, arguments: Sequence[str]) -> None:
        """Raise `ArgumentError` unless the preset is the one that the defaults are of.

        Another one came later, or it is no preset at all: tyro takes the value in
        ``--switch=value`` for a positional argument.
        """
        if self.preset != expected:
            given = next((a for a in arguments if a.endswith(f"={self.preset}")), self.preset)
            raise ArgumentError("preset", repr(given), "its name right after the command")


def check_whole(name: str, given: int, least: int, most: int) -> None:
    """Raise `ArgumentError` unless it is a whole number from `least` to `most`."""
    if given < least:
        raise ArgumentError(name, given, f"a whole number >= {least}")
    if given > most:
        raise ArgumentError(name, given, f"a whole number <= {most:,}")


def read_settings(file: Path, base: Config) -> Config:
    """Read a file of settings; those that it leaves out are as in `base`."""
    readers = {".toml": Config.from_toml, ".json": Config.from_json}
    check_choice("config's suffix", file.suffix, readers)
    text = read_text("config", file)
    try:
        return readers[file.suffix](text, base)
    except ArgumentError as error:
        raise error.within(f"{file}: ") from None


def named_data(name: str, *, plugged: bool = False) -> dict[str, Any]:
    """Return the settings of data that the command line names.

    Toys by their kind, files by their path; a name that is neither may be a plugin's.

    Examples
    --------
    >>> named_data("moons"), named_data("a/file.csv")
    ({'kind': 'moons'}, {'kind': 'file', 'path': 'a/file.csv'})
    """
    kinds = [kind.kind for kind in DATA if kind not in (File, RegisteredData, OwnData)]
    if name in kinds:
        return {"kind": name}
    if ":" in name and not os.path.exists(name):
        return {"kind": "registered", "name": name}
    if os.path.exists(name) or Path(name).suffix or os.sep in name:
        return {"kind": "file", "path": name}
    if plugged:
        return {"kind": "registered", "name": name}
    near = difflib.get_close_matches(name, kinds, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    expected = f"a file, a folder of images, module:attribute, or one of {', '.join(kinds)}"
    raise ArgumentError("data", repr(name), expected, hint)


def _value(arguments: Sequence[str], flag: str) -> str | None:
    """The value of an argument, if it is given."""
    for i, argument in enumerate(arguments):
        if argument == flag and i + 1 < len(arguments):
            return arguments[i + 1]
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return None
