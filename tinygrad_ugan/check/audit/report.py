"""The findings of an audit, of a gradient and of a training step, and how they are shown."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_ugan.check.audit.discriminator_endpoint import ENDPOINTS, Endpoint
from tinygrad_ugan.check.audit.verdicts import ORDER, VERDICTS

if TYPE_CHECKING:
    from rich.table import Table


class Candidate(NamedTuple):
    """The comparison of a gradient with one candidate.

    Attributes
    ----------
    verdict, detail : str
        The candidate: the verdict on a gradient that is equal to it.
    relative_error : float
        ``||gradient - candidate|| / ||candidate||``.
    fits : bool
        Whether that is within the tolerance.
    scale : float
        The factor by which the candidate comes nearest to the gradient.
    scaled_error : float
        The relative error that is left then.
    scaled_fits : bool
        Whether that is within the tolerance, and says something.
    truncate : int or None
        Through how many of the last steps it is differentiated, if not all.
    step_factor : float
        The size of its inner steps, over that which was stated.
    """

    verdict: str
    detail: str
    relative_error: float
    fits: bool
    scale: float
    scaled_error: float
    scaled_fits: bool
    truncate: int | None
    step_factor: float

    def __str__(self) -> str:
        """Its name, with which of several it is."""
        return _detailed(self.verdict, self.detail)


@dataclass(frozen=True)
class Audit:
    """The result of `audit`.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`, which say what each means: "exact", "detached", "truncated",
        "wrong_sign", "wrong_scale", ... or "unknown".
    detail : str
        The variety of it, such as "the last 2 of 5 steps", or empty.
    scale : float
        The factor on what the verdict says: 1 unless sign or scale are wrong.
    truncate : int or None
        Where the verdict is "truncated": the number of steps differentiated.
    step_factor : float
        The size of the inner steps that were taken, over that which was stated: 1 unless no other
        mistake explains the gradient.
    transposed : bool
        Whether the matrices handed in are the transposes of the parameters they belong to.
    relative_error : float
        ``||gradient - exact|| / ||exact||``.
    tolerance : float
        The part of it that rounding accounts for.
    condition : float
        The relative change of the exact gradient over that of all parameters and data.
    dtype : str
        The precision whose rounding is allowed.
    also : tuple of str
        The other verdicts that fit: the game at this point cannot tell them apart.
    candidates : tuple of Candidate
        All of them, the most favourable first.
    notes : tuple of str
        Remarks, one a line.
    """

    verdict: str
    detail: str
    scale: float
    truncate: int | None
    step_factor: float
    transposed: bool
    relative_error: float
    tolerance: float
    condition: float
    dtype: str
    also: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the gradient is exact."""
        return self.verdict == "exact"

    @property
    def nearest(self) -> Candidate:
        """The candidate that the gradient is nearest to."""
        return min(self.candidates, key=lambda c: c.relative_error)

    @property
    def summary(self) -> str:
        """The verdict in a line, and how far from exact the gradient is in another."""
        verdict = _detailed(self.verdict, self.detail)
        times = "" if self.scale == 1 else f", times {self.scale:.6g}"
        return (
            f"{verdict}: {VERDICTS[self.verdict].words}{times}\n"
            f"relative error of the gradient: {self.relative_error:.2g}; rounding in {self.dtype} "
            f"explains {self.tolerance:.2g}"
        )

    def table(self) -> Table:
        """Return a `rich` table of the candidates that fit, and of those nearest to it."""
        from rich.table import Table

        table = Table("candidate", "relative error", "best factor", "error then", "fits")
        ranked = sorted(self.candidates, key=lambda c: (not c.fits, c.relative_error))
        for c in sorted({self.candidates[0], *ranked[:6]}, key=self.candidates.index):
            fits = "yes" if c.fits else "times a factor" if c.scaled_fits else ""
            row = (f"{c.relative_error:.2g}", f"{c.scale:.6g}", f"{c.scaled_error:.2g}", fits)
            table.add_row(str(c), *row)
        return table

    def __str__(self) -> str:
        """The verdict, the table, and notes."""
        return _as_text(self)


STATES = ("", "fresh", "restored", "unknown", "not restored")
"""The memory of an inner optimiser from one training step to the next: there is none; nothing is
remembered; the real steps only; that is not known; the unrolled steps too."""


class TrialAudit(NamedTuple):
    """The result of `audit_step` in one trial.

    Attributes
    ----------
    name : str
        Name of the trial.
    gradient : Audit
        Verdict on the generator's gradient.
    left : Endpoint
        The discriminator after the step.
    state : str
        One of `STATES`.
    """

    name: str
    gradient: Audit
    left: Endpoint
    state: str


@dataclass(frozen=True)
class StepAudit:
    """The result of `audit_step`.

    Attributes
    ----------
    trials : tuple of TrialAudit
        One for each trial; the properties give the least favourable of all.
    """

    trials: tuple[TrialAudit, ...]

    @property
    def verdict(self) -> str:
        """The verdict on the generator's gradient, one of `VERDICTS`."""
        return max((t.gradient.verdict for t in self.trials), key=ORDER.index)

    @property
    def left(self) -> str:
        """The discriminator after the step: at "theta_D^1", as it should be, or elsewhere."""
        return max((t.left.place for t in self.trials), key=ENDPOINTS.index)

    @property
    def state(self) -> str:
        """The memory of the inner optimiser: "fresh", "restored", "not restored" or "unknown"."""
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
            verdict = _detailed(found.verdict, found.detail)
            errors = (f"{found.relative_error:.2g}", f"{found.tolerance:.2g}")
            table.add_row(t.name, verdict, *errors, str(t.left), t.state or "none")
        return table

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks, with the trial each belongs to."""
        return tuple(f"{t.name}: {note}" for t in self.trials for note in t.gradient.notes)

    def __str__(self) -> str:
        """The verdict, the table, and notes."""
        return _as_text(self)


def _detailed(verdict: str, detail: str) -> str:
    return f"{verdict} ({detail})" if detail else verdict


def _as_text(found: Audit | StepAudit) -> str:
    """The summary, the table as plain text, and the notes."""
    from rich.console import Console

    file = io.StringIO()
    Console(file=file, width=100, color_system=None).print(found.table())
    notes = (f"note: {note}" for note in found.notes)
    return "\n".join([found.summary, file.getvalue().rstrip(), *notes])
