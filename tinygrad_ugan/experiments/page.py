"""The result of an experiment as a folder: a page, its table and pictures, and how it was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_ugan.experiments.experiment import Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.gan.runs.atomic_io import write_file
from tinygrad_ugan.gan.training.environment import environment

_MINIATURE = (
    "**In miniature (`--quick`), {seeds}.** Seeds, steps and times in the text below are those "
    "of the full run; the settings of this one are in results.json."
)


def write_page(folder: Path, experiment: Experiment, outcome: Outcome, session: Session) -> None:
    """Write README.md, the tables, results.json and the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in outcome.figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight")
    write_file(folder / "README.md", _page(experiment, outcome, session))
    for name, rows in {"table": outcome.rows, **outcome.tables}.items():
        write_file(folder / f"{name}.csv", _csv(rows))
    write_file(folder / "results.json", _record(experiment, outcome, session))


def written(value: Any) -> str:
    """A number with four digits, anything else as it is.

    Examples
    --------
    >>> written(0.123456), written(25_000), written("exact")
    ('0.1235', '25000', 'exact')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table.

    Examples
    --------
    >>> print(markdown_table([{"K": 0, "modes": 1.0}, {"K": 10, "modes": 8.0}]))
    | K | modes |
    |---|---|
    | 0 | 1 |
    | 10 | 8 |
    """
    if not rows:
        return ""
    lines = [list(rows[0]), *([written(cell) for cell in row.values()] for row in rows)]
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    body = [f"| {' | '.join(cells)} |" for cells in escaped]
    return "\n".join([body[0], "|" + "---|" * len(rows[0]), *body[1:]])


def _page(experiment: Experiment, outcome: Outcome, session: Session) -> str:
    claims = [
        {"claim": claim.text, "seen": claim.seen, "": "holds" if claim.holds else "**missed**"}
        for claim in outcome.claims
    ]
    flag = " --quick" if session.quick else ""
    seeds = f"seeds {', '.join(map(str, session.seeds))}"
    parts = [
        f"# {experiment.name}: {experiment.summary}",
        f"*{experiment.source}.*",
        _MINIATURE.format(seeds=seeds) if session.quick else "",
        experiment.page.strip(),
        *(f"![{name}]({name}.png)" for name in outcome.figures),
        markdown_table(claims),
        markdown_table(outcome.rows),
        outcome.remarks.strip(),
        _links(outcome.tables),
        f"`ugan run {experiment.name}{flag}`, {seeds}, {session.seconds:.0f} s; the settings and "
        "the machine are in [results.json](results.json).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _links(tables: Iterable[str]) -> str:
    links = ", ".join(f"[{name}.csv]({name}.csv)" for name in tables)
    return f"Further tables: {links}." if links else ""


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _record(experiment: Experiment, outcome: Outcome, session: Session) -> str:
    record = {
        "name": experiment.name,
        "quick": session.quick,
        "seeds": session.seeds,
        "seconds": round(session.seconds, 1),
        "claims": [claim._asdict() for claim in outcome.claims],
        "rows": [dict(row) for row in outcome.rows],
        "settings": dict(outcome.settings),
        "environment": environment(),
    }
    return json.dumps(record, indent=1, default=np.generic.item) + "\n"
