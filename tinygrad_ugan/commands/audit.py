"""Is it truly unrolled? An audit of a gradient in a file, or of a training step."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from tinygrad_ugan import check
from tinygrad_ugan.check.audit.game_file import read_game
from tinygrad_ugan.check.audit.gradient_file import read_gradient
from tinygrad_ugan.commands.output import console
from tinygrad_ugan.errors import ArgumentError, NonFiniteError

NOT_EXACT = 1


@dataclass(frozen=True)
class AuditCommand:
    """Say what a gradient or a training step is: exact, or the result of which mistake.

    Exit code 0: exact; 1: not; 2: the arguments make no sense. docs/audit.md shows the formats of
    the files, docs/verdicts.md what each verdict means.
    """

    gradient: Path | None = None
    """A NumPy archive (.npz) with a gradient, and the parameters and data it was computed of."""
    game: Path | None = None
    """A TOML file that states the game; goes with --gradient, and may go with --callable."""
    make_step: Annotated[str | None, tyro.conf.arg(name="callable")] = None
    """A training step: package.module:make_step, as ug.check.audit_step takes it."""

    def run(self) -> None:
        """Audit, and show the verdict."""
        if (self.gradient is None) == (self.make_step is None):
            given = "neither" if self.gradient is None else "both"
            raise ArgumentError("gradient", given, "either --gradient or --callable")
        try:
            found = self._gradient() if self.make_step is None else self._step(self.make_step)
        except (
            NonFiniteError
        ) as error:  # not training that went wrong, but numbers that make no sense
            raise error.becoming(ArgumentError) from None
        console.print(found.summary, highlight=False, markup=False)
        console.print(found.table())
        for note in found.notes:
            console.print(f"note: {note}", highlight=False, markup=False)
        if not found.ok:
            sys.exit(NOT_EXACT)

    def _gradient(self) -> check.Audit:
        if self.game is None or self.gradient is None:
            raise ArgumentError("game", "none", "a TOML file that states the game")
        game = read_game(self.game)
        gradient, *point = read_gradient(self.gradient, game)
        return check.audit(gradient, game.build(), *point, **game.dynamics())

    def _step(self, name: str) -> check.StepAudit:
        on = None if self.game is None else [read_game(self.game).trial(self.game.stem)]
        return check.audit_step(_Theirs(name, _find(name)), on)


class _Theirs:
    """Somebody else's function, and the function that it returns: what they raise is said to be
    theirs.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name, self._function = name, function

    def __call__(self, *args: Any) -> Any:
        try:
            result = self._function(*args)
        except (Exception, SystemExit) as error:
            raise _raised(self._name, error, "one that runs") from error
        return _Theirs(f"the step of {self._name}", result) if callable(result) else result


def _raised(name: str, error: BaseException, expected: str) -> ArgumentError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    given = (
        f"{name}, which raised {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
    )
    return ArgumentError("callable", given, expected)


def _find(name: str) -> Callable[..., Any]:
    """Import what ``package.module:name`` says, from the folder one stands in, too."""
    module, _, attribute = name.partition(":")
    expected = "package.module:make_step"
    if not attribute or not all(map(str.isidentifier, module.split("."))):
        raise ArgumentError("callable", repr(name), expected)
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ArgumentError("callable", f"{name!r}: {error}", expected) from None
    except (Exception, SystemExit) as error:
        raise _raised(name, error, "a module that can be imported") from error
    finally:
        sys.path.pop(0)
    make_step: Callable[..., Any] | None = getattr(found, attribute, None)
    if not callable(make_step):
        given = f"{name!r}: no function {attribute} in {module}"
        raise ArgumentError("callable", given, expected)
    return make_step
