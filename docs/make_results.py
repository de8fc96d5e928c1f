"""Write docs/results/README.md, the list of the experiments with what came out: ``python -m
docs.make_results``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinygrad_ugan import experiments

FOLDER = Path(__file__).with_name("results")
PAGE = FOLDER / "README.md"

HEAD = """\
# The systems of the literature

Written by `make results`, which runs every experiment in full; do not edit. Each has a page with
its subject, claims, table and picture, and a results.json with settings, seeds and machine. Seconds
are those of one thread, the other core having done other work meanwhile.

| experiment | what it shows | claims that hold | seeds | seconds | source |
| --- | --- | --- | --- | --- | --- |
"""


def render() -> str:
    """The page."""
    records = {name: _record(name) for name in experiments.names()}
    total = sum(record["seconds"] for record in records.values())
    rows = "".join(_row(name, record) for name, record in records.items())
    return f"{HEAD}{rows}\nAll together: {total / 60:.0f} minutes of one core.\n"


def _record(name: str) -> dict[str, Any]:
    path = FOLDER / name / "results.json"
    if not path.exists():
        return {"claims": [], "seeds": [], "seconds": 0.0}
    return json.loads(path.read_text(encoding="utf-8"))


def _row(name: str, record: dict[str, Any]) -> str:
    experiment = experiments.find(name)
    holds = [claim["holds"] for claim in record["claims"]]
    cells = [
        f"[{name}]({name}/README.md)" if holds else name,
        experiment.summary,
        f"{sum(holds)} of {len(holds)}" if holds else "not yet run in full",
        f"{len(record['seeds'])} of {experiment.seeds}",
        f"{record['seconds']:.0f}",
        experiment.source,
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
