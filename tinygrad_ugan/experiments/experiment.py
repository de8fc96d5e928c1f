"""What an experiment is, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinygrad_ugan.experiments.session import Session


class Claim(NamedTuple):
    """Something that an experiment is to show.

    Attributes
    ----------
    text : str
        The claim, with the figure asked for.
    seen : str
        The figure seen.
    holds : bool
        Whether the one bears the other out.
    """

    text: str
    seen: str
    holds: bool


@dataclass(frozen=True)
class Outcome:
    """What came out of an experiment.

    Attributes
    ----------
    claims : sequence of Claim
    rows : sequence of mapping
        The table: the same columns in every row, in the order to be shown.
    figures : mapping of str to Figure
        Pictures by the name of their file.
    settings : mapping
        What was chosen, in words that JSON has: all that is needed to repeat it.
    remarks : str
        What is to be said about these figures, in Markdown; such as what was tried for a claim
        that does not hold.
    tables : mapping of str to sequence of mapping
        Further tables, too long for the page, by the name of their file.
    """

    claims: Sequence[Claim]
    rows: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Figure]
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: str = ""
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def missed(self) -> list[Claim]:
        """The claims that do not hold."""
        return [claim for claim in self.claims if not claim.holds]


@dataclass(frozen=True)
class Experiment:
    """A system of the seed documents that runs.

    Attributes
    ----------
    name : str
        What the command line calls it.
    summary : str
        What it shows, in one line.
    source : str
        The seed document and its section.
    page : str
        What it is about and what to look at, on half a page of Markdown.
    run : callable
        ``run(session) -> Outcome``: in full, or if `session.quick` in under 20 seconds, with
        the same claims in miniature.
    seeds : int
        How many seeds the full run takes.
    """

    name: str
    summary: str
    source: str
    page: str
    run: Callable[[Session], Outcome]
    seeds: int = 5
