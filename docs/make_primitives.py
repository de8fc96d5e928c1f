"""Write docs/primitives.md from the records of the table: ``python -m docs.make_primitives``.

The records are those that the tests check, so that what is documented is what is tested.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docs.edges import described
from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.check.strategies.samples import TABLE, operands, samples_of
from tinygrad_ugan.nn import activations

PAGE = Path(__file__).with_name("primitives.md")

HEAD = """\
# The functions that differentiate

Written by `make docs-table` from the table of rules; do not edit.

Every function below is differentiated in both modes and to any order. The tests draw its
floating-point arguments from the given intervals, argument by argument where they differ. It is
smooth there, but for the exceptions in the next column, which says what the derivative is taken to
be at points where there is none. A *composite* is written in terms of the others; *general* means
that both modes have a rule of their own.

A function with a *vector form* can be made part of a kernel; without one it is a call of NumPy in
compiled functions, too.

The last column holds derivatives at infinity, at 0 and at the ends of the domain, where there is a
value: of functions of one number the first and the second, as in `0: 1, 0`; of two numbers both
first ones. They are the limits, from the side that the sign of a zero says where the sides differ.
Without a limit they are NaN, or what the convention says. NaN beside a limit that exists is
found with two numbers and in scipy.special only.

"""

COLUMNS = (
    "Name",
    "Kind",
    "NumPy or SciPy function",
    "Smooth and tested for",
    "Where there is no derivative",
    "Vector form",
    "At the edges",
)


def render() -> str:
    """The page."""
    lines = (COLUMNS, ("---",) * len(COLUMNS), *map(_cells, TABLE))
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(record: Primitive | Composite) -> tuple[str, ...]:
    return (
        f"`{record.name}`",
        record.kind,
        public_name(record.function),
        _intervals(record),
        record.convention.replace("|", r"\|"),
        "yes" if record.vector else "",
        described(record) if is_called(record) else "",
    )


def public_name(function: Any) -> str:
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


def is_called(record: Primitive | Composite) -> bool:
    """Whether users call it; the others are what rules are made of."""
    return bool(public_name(record.function)) or record in activations.PRIMITIVES


def _intervals(record: Primitive | Composite) -> str:
    """The intervals that the operands of the samples come from."""
    by_place: dict[int, list[str]] = {}
    for sample in samples_of(record):
        for place, x in enumerate(operands(sample)):
            interval = f"({x.domain.low:g}, {x.domain.high:g})"
            known = by_place.setdefault(place, [])
            if interval not in known:
                known.append(interval)
    texts = [" or ".join(intervals) for intervals in by_place.values()]
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
