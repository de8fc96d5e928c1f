"""What an audit finds, and how it is shown."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_ugan.check.audit.verdicts import VERDICTS

if TYPE_CHECKING:
    from rich.table import Table


class Candidate(NamedTuple):
    """How well a hypothesis explains a gradient.

    Attributes
    ----------
    verdict, detail : str
        What the gradient would be.
    relative_error : float
        ``||gradient - hypothesis|| / ||hypothesis||``.
    fits : bool
        Whether that is within the tolerance.
    scale : float
        The factor by which the hypothesis comes nearest to the gradient.
    scaled_error : float
        The relative error that is left then.
    scaled_fits : bool
        Whether that is within the tolerance, and says something.
    truncate : int or None
        Through how many of the last steps it is differentiated, if not all.
    """

    verdict: str
    detail: str
    relative_error: float
    fits: bool
    scale: float
    scaled_error: float
    scaled_fits: bool
    truncate: int | None

    def __str__(self) -> str:
        """Its name, with which of several it is."""
        return f"{self.verdict} ({self.detail})" if self.detail else self.verdict


@dataclass(frozen=True)
class Audit:
    """What `audit` found.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`, which say what each means: "exact", "detached", "truncated",
        "wrong_sign", "wrong_scale", ... or "unknown".
    detail : str
        Which of several it is, such as "the last 2 of 5 steps"; or nothing.
    scale : float
        The factor on what the verdict says: 1 unless sign or scale are wrong.
    truncate : int or None
        Where the verdict is "truncated": the number of steps differentiated.
    relative_error : float
        ``||gradient - exact|| / ||exact||``.
    tolerance : float
        What rounding explains of it.
    condition : float
        The relative change of the exact gradient over that of all parameters and data.
    dtype : str
        The precision that it is judged by.
    also : tuple of str
        The other verdicts that fit: the game at this point cannot tell them apart.
    candidates : tuple of Candidate
        Every hypothesis, the most favourable first.
    notes : tuple of str
        What else there is to say.
    """

    verdict: str
    detail: str
    scale: float
    truncate: int | None
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
        """The hypothesis that the gradient is nearest to."""
        return min(self.candidates, key=lambda c: c.relative_error)

    @property
    def summary(self) -> str:
        """The verdict in a line, and how far from exact the gradient is in another."""
        detail = f" ({self.detail})" if self.detail else ""
        times = "" if self.scale == 1 else f", times {self.scale:.6g}"
        return (
            f"{self.verdict}{detail}: {VERDICTS[self.verdict].words}{times}\n"
            f"relative error of the gradient: {self.relative_error:.2g}; rounding in {self.dtype} "
            f"explains {self.tolerance:.2g}"
        )

    def table(self) -> Table:
        """Return a `rich` table of the hypotheses that fit, and of those nearest to it."""
        from rich.table import Table

        table = Table("hypothesis", "relative error", "best factor", "error then", "fits")
        ranked = sorted(self.candidates, key=lambda c: (not c.fits, c.relative_error))
        for c in sorted({self.candidates[0], *ranked[:6]}, key=self.candidates.index):
            fits = "yes" if c.fits else "times a factor" if c.scaled_fits else ""
            row = (f"{c.relative_error:.2g}", f"{c.scale:.6g}", f"{c.scaled_error:.2g}", fits)
            table.add_row(str(c), *row)
        return table

    def __str__(self) -> str:
        """The verdict, the table, and notes."""
        from rich.console import Console

        file = io.StringIO()
        console = Console(file=file, width=100, color_system=None)
        console.print(self.table())
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([self.summary, file.getvalue().rstrip(), *notes])
