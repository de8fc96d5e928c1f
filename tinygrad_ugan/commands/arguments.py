"""Arguments that several commands share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import tyro

from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.experiments import PRESETS
from tinygrad_ugan.gan import Config
from tinygrad_ugan.gan.runs.atomic_io import read_text
from tinygrad_ugan.gan.training.registry import import_plugin

CONFIG_FLAG = "--config"

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
    ring-best (sharpest in the least time), or grid."""
    config: Path | None = None
    """A file of settings, .toml or .json; those that it leaves out are the preset's."""
    settings: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)

    @classmethod
    def starting_from(cls, arguments: Sequence[str]) -> Self:
        """Return the command with the defaults that its preset and its file give it.

        tyro needs the defaults before it reads the arguments, so these two are looked for first.
        """
        named = [a for a in arguments[:1] if not a.startswith("-")]
        preset = named[0] if named else cls.preset
        check_choice("preset", preset, PRESETS)
        settings = PRESETS[preset]
        if (file := _file(arguments)) is not None:
            settings = read_settings(file, settings)
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


def _file(arguments: Sequence[str]) -> Path | None:
    for i, argument in enumerate(arguments):
        if argument == CONFIG_FLAG and i + 1 < len(arguments):
            return Path(arguments[i + 1])
        if argument.startswith(CONFIG_FLAG + "="):
            return Path(argument.removeprefix(CONFIG_FLAG + "="))
    return None
