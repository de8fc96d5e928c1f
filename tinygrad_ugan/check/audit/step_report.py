"""What an audit of a training step finds, and how it is shown."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_ugan.check.audit.discriminator_endpoint import PLACES, Left
from tinygrad_ugan.check.audit.report import Audit
from tinygrad_ugan.check.audit.verdicts import ORDER, VERDICTS

if TYPE_CHECKING:
    from rich.table import Table

STATES = ("", "fresh", "restored", "unknown", "not restored")
"""What an inner optimiser remembers from one training step to the next: there is none; nothing;
the real steps only; who knows; the unrolled steps too."""


class TrialAudit(NamedTuple):
    """What a step did in one trial.

    Attributes
    ----------
    name : str
        The trial's.
    gradient : Audit
        What its generator's gradient is.
    left : Left
        Where it left the discriminator.
    state : str
        One of `STATES`.
    """

    name: str
    gradient: Audit
    left: Left
    state: str


@dataclass(frozen=True)
class StepAudit:
    """What `audit_step` found.

    Attributes
    ----------
    trials : tuple of TrialAudit
        One for each trial; the properties give the least favourable of all.
    """

    trials: tuple[TrialAudit, ...]

    @property
    def verdict(self) -> str:
        """On the generator's gradient: one of `VERDICTS`."""
        return max((t.gradient.verdict for t in self.trials), key=ORDER.index)

    @property
    def left(self) -> str:
        """Where the discriminator was left: "theta_D^1", as it should, or another place."""
        return max((t.left.place for t in self.trials), key=PLACES.index)

    @property
    def state(self) -> str:
        """What the inner optimiser remembers: "fresh", "restored", "not restored", "unknown"."""
        return max((t.state for t in self.trials), key=STATES.index)

    @property
    def ok(self) -> bool:
        """Whether all is as in the paper: exact, theta_D at theta_D^1, the state restored."""
        return (
            self.verdict == "exact"
            and self.left == "theta_D^1"
            and self.state in ("", "fresh", "restored")
        )

    @property
    def summary(self) -> str:
        """The verdict in a line or two."""
        state = f"; state of its optimiser: {self.state}" if self.state else ""
        return (
            f"{self.verdict}: {VERDICTS[self.verdict].words}\n"
            f"the discriminator is left at {self.left}{state}"
        )

    def table(self) -> Table:
        """Return a `rich` table, a row for each trial."""
        from rich.table import Table

        table = Table("trial", "gradient", "relative error", "tolerance", "left at", "state")
        for t in self.trials:
            found = t.gradient
            verdict = f"{found.verdict} ({found.detail})" if found.detail else found.verdict
            errors = (f"{found.relative_error:.2g}", f"{found.tolerance:.2g}")
            table.add_row(t.name, verdict, *errors, str(t.left), t.state or "none")
        return table

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to say."""
        return tuple(f"{t.name}: {note}" for t in self.trials for note in t.gradient.notes)

    def __str__(self) -> str:
        """The verdict, the table, and notes."""
        from rich.console import Console

        file = io.StringIO()
        console = Console(file=file, width=100, color_system=None)
        console.print(self.table())
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([self.summary, file.getvalue().rstrip(), *notes])
