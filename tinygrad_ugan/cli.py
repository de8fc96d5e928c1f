"""The command line: finds the command, and turns errors into messages and exit codes.

Exit code 0: done; 1: it failed along the way; 2: the arguments make no sense; 130: Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import tyro
from rich.console import Console
from rich.table import Table

from tinygrad_ugan.errors import (
    ArgumentError,
    ArgumentTypeError,
    NonFiniteError,
    check_choice,
    printable,
)

COMMANDS: MappingProxyType[str, str] = MappingProxyType(
    {
        "train": "train",
        "resume": "train",
        "replay": "train",
        "run": "run",
        "list": "run",
        "compare": "compare",
        "sweep": "sweep",
        "sample": "sample",
        "report": "report",
        "audit": "audit",
        "bench": "bench",
    }
)
"""The commands, and the module of `tinygrad_ugan.commands` each is in: only the one called is
imported.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    try:
        _main(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, such as `ugan list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (NonFiniteError, OSError) as error:
        _fail(error, 1)
    except (ArgumentError, ArgumentTypeError) as error:
        _fail(error, 2)
    except MemoryError as error:
        _fail(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        _show_commands()
        return
    name, *rest = arguments
    check_choice("command", name, COMMANDS)
    _check_once(rest)
    command = _find(name)
    if not hasattr(command, "starting_from"):
        _run(tyro.cli(command, prog=f"ugan {name}", args=rest))
        return
    default = command.starting_from(rest)
    config = (tyro.conf.AvoidSubcommands,)
    given = tyro.cli(command, prog=f"ugan {name}", args=rest, default=default, config=config)
    given.check_preset(default.preset, rest)
    _run(given)


def _check_once(arguments: Sequence[str]) -> None:
    """Refuse a second list of values: tyro would take the last one, and no word of the first."""
    for option in ("--vary", "--seeds", "--plugin"):
        times = sum(argument.partition("=")[0] == option for argument in arguments)
        if times > 1:
            hint = f"all of them behind one: {option} A B"
            raise ArgumentError(option, f"{times} times", "at most once", hint)


def _run(command: Any) -> None:
    if hasattr(command, "import_plugins"):
        command.import_plugins()
    command.run()


def _find(name: str) -> Any:
    module = importlib.import_module(f"tinygrad_ugan.commands.{COMMANDS[name]}")
    return getattr(module, f"{name.title()}Command")


def _show_commands() -> None:
    table = Table.grid(padding=(0, 3))
    for name in COMMANDS:
        table.add_row(f"  {name}", _find(name).__doc__.splitlines()[0])
    console = Console()
    console.print("usage: ugan COMMAND [ARGUMENTS]\n", highlight=False)
    console.print(table, highlight=False)
    console.print("\nugan COMMAND --help lists its arguments.", highlight=False)


def _fail(message: object, code: int) -> NoReturn:
    notes = getattr(message, "__notes__", ())
    text = printable("; ".join([f"ugan: {message}", *notes]))
    Console(stderr=True, markup=False, emoji=False).print(text, highlight=False, soft_wrap=True)
    sys.exit(code)
