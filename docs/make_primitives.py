"""Write docs/primitives.md from the records of the table: ``python -m docs.make_primitives``.

The records are those that the tests check, so that what is documented is what is tested.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.check.strategies.samples import TABLE, operands

PAGE = Path(__file__).with_name("primitives.md")

HEAD = """\
# The functions that differentiate

Written by `make docs-table` from the table of rules; do not edit.

Every function below is differentiated in both modes and to any order. The tests draw its
floating-point arguments from the given intervals, argument by argument where they differ. It is
smooth there, but for the exceptions in the last column, which says what the derivative is taken to
be at points where there is none. A *composite* is written in terms of the others; *general* means
that both modes have a rule of their own.

| Name | Kind | NumPy or SciPy function | Smooth and tested for | Where there is no derivative |
| --- | --- | --- | --- | --- |
"""


def render() -> str:
    """The page."""
    return HEAD + "".join(_row(record) for record in TABLE)


def _row(record: Primitive | Composite) -> str:
    cells = (
        f"`{record.name}`",
        record.kind,
        _public_name(record.function),
        _intervals(record),
        record.convention.replace("|", r"\|"),
    )
    return f"| {' | '.join(cells)} |\n"


def _public_name(function: Any) -> str:
    """Where users find a function, or nothing if it is our own."""
    for module in (
        "numpy",
        "numpy.linalg",
        "numpy.fft",
        "numpy.lib.stride_tricks",
        "scipy.special",
    ):
        name = function.__name__
        if getattr(sys.modules.get(module), name, None) is function:
            return f"`{module}.{name}`"
    return ""


def _intervals(record: Primitive | Composite) -> str:
    """The intervals that the operands of the samples come from."""
    by_place: dict[int, list[str]] = {}
    for sample in record.samples:
        for place, x in enumerate(operands(sample)):
            interval = f"({x.domain.low:g}, {x.domain.high:g})"
            known = by_place.setdefault(place, [])
            if interval not in known:
                known.append(interval)
    texts = [" or ".join(intervals) for intervals in by_place.values()]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
