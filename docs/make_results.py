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
# The systems of the seed documents

Written by `make results`, which runs every experiment in full; do not edit. Each has a page with
its subject, claims, table and picture, and a results.json with settings, seeds and machine.

| experiment | what it shows | claims that hold | seeds | seconds | source |
| --- | --- | --- | --- | --- | --- |
"""


def render() -> str:
    """The page."""
    records = [_record(name) for name in experiments.names()]
    total = sum(record["seconds"] for record in records)
    rows = "".join(map(_row, records))
    return f"{HEAD}{rows}\nAll together: {total / 60:.0f} minutes on two cores.\n"


def _record(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name / "results.json").read_text(encoding="utf-8"))


def _row(record: dict[str, Any]) -> str:
    experiment = experiments.find(record["name"])
    holds = [claim["holds"] for claim in record["claims"]]
    cells = [
        f"[{experiment.name}]({experiment.name}/README.md)",
        experiment.summary,
        f"{sum(holds)} of {len(holds)}",
        str(len(record["seeds"])),
        f"{record['seconds']:.0f}",
        experiment.source,
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
