"""Loops over four rows at a time: enough independent operations to fill the pipelines.

There is no remainder, for rows come in whole tiles, of four or eight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value

QUAD = 4


def quad(start: Value) -> list[Value]:
    """The four rows from `start` on."""
    return [start + i for i in range(QUAD)]


def broadcast_rows(
    e: Emitter, x: Address, ldx: Count, width: int, rows: list[Value]
) -> list[list[Value]]:
    """The first `width` elements of some rows of x, each broadcast to a vector."""
    return [[e.broadcast(e.load_scalar(x, r * ldx + c)) for c in range(width)] for r in rows]


def sums_over_rows(
    e: Emitter, starts: Sequence[Value], add: Callable[[Value, list[Value]], Sequence[Value]]
) -> list[Value]:
    """The sums after ``sums = add(r, sums)`` for all rows r.

    Each row of four has its own partial sums, as additions to a single one would each wait for the
    one before. In the end the partial sums are added pairwise.
    """
    blank = [e.like(0.0, x) for x in starts]
    lines = [[e.variable(x) for x in (blank if i else starts)] for i in range(QUAD)]
    with e.loop(e.rows, step=QUAD) as start:
        for r, line in zip(quad(start), lines, strict=True):
            for total, new in zip(line, add(r, [x.get() for x in line]), strict=True):
                total.set(new)
    return [_pairwise_sum([x.get() for x in column]) for column in zip(*lines, strict=True)]


def _pairwise_sum(values: list[Value]) -> Value:
    while len(values) > 1:
        values = [x + y for x, y in zip(values[::2], values[1::2], strict=True)]
    return values[0]
