"""An experiment, its outcome, and the claims that the outcome bears out or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinygrad_ugan.experiments.session import Session


class Claim(NamedTuple):
    """A statement that an experiment is to bear out.

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
    """The results of an experiment.

    Attributes
    ----------
    claims : sequence of Claim
    rows : sequence of mapping
        The table: the same columns in every row, in the order to be shown.
    figures : mapping of str to Figure
        Pictures by the name of their file.
    settings : mapping
        All that is needed to repeat it, as types that JSON has.
    remarks : str
        Notes on these figures, in Markdown; such as what was tried for a claim that does not hold.
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
    """A system of the literature that runs.

    Attributes
    ----------
    name : str
        Its name on the command line.
    summary : str
        The point of it, in one line.
    source : str
        The paper, post or code that it is from, by name, and its section.
    page : str
        The subject and what to look for, on half a page of Markdown.
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
