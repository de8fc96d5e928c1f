"""Layers with one side so thin that a matrix product would be all overhead, row by row.

The first layer of a network that sees points of the plane, and the last one of a discriminator:
`width` inputs or outputs, up to `THIN`, known when the kernel is emitted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value
from tinygrad_ugan.kernels.strips import STRIP, broadcast_rows, strip, sums_over_rows

THIN = 4


def thin(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    w: Address,
    ldw: Count,
    bias: Address,
    out: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``out = act(x w + bias)`` for x of `width` columns."""
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, z: Value) -> None:
        e.store(act.value(e, z), out, r * ldo + j)

    _combine(e, width, x, ldx, w, ldw, bias, n, finish)


def thin_tangent(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    Rw: Address,
    ldw: Count,
    Rbias: Address,
    h: Address,
    Rout: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``Rout = act'(z) (x Rw + Rbias)``, with ``act'(z)`` from ``h = act(z)``."""
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, Rz: Value) -> None:
        e.store(act.slope(e, e.load(h, r * ldo + j)) * Rz, Rout, r * ldo + j)

    _combine(e, width, x, ldx, Rw, ldw, Rbias, n, finish)


def thin_and_tangent(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    w: Address,
    Rw: Address,
    ldw: Count,
    bias: Address,
    Rbias: Address,
    out: Address,
    Rout: Address,
    ldo: Count,
    n: Count,
) -> None:
    """`thin` and `thin_tangent` at once: to compute out again is quicker than to read it again."""
    act = ACTIVATIONS[activation]
    numbers = columns(e, width)
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j:
            weights, Rweights = ([e.load(e.at(m, c * ldw), j) for c in numbers] for m in (w, Rw))
            start, Rstart = e.load(bias, j), e.load(Rbias, j)
            for r, line in zip(rows, factors, strict=True):
                h = act.value(e, affine(e, line, weights, start))
                e.store(h, out, r * ldo + j)
                e.store(act.slope(e, h) * affine(e, line, Rweights, Rstart), Rout, r * ldo + j)


def thin_accumulate(
    e: Emitter,
    width: int,
    x: Address,
    ldx: Count,
    d: Address,
    ldd: Count,
    dw: Address,
    db: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``dw += x^T d`` and ``db += sum_r d``."""
    places = [*(e.at(dw, c * ldo) for c in columns(e, width)), db]
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j, added(e, places, j) as sums:
            for r, line in zip(rows, factors, strict=True):
                cotangent = e.load(d, r * ldd + j)
                for c, factor in enumerate(line):
                    sums[c] = e.fma(factor, cotangent, sums[c])
                sums[-1] = sums[-1] + cotangent


def dots(
    e: Emitter,
    width: int,
    a: Address,
    lda: Count,
    wt: Address,
    ldw: Count,
    bias: Address,
    out: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``out = a w + bias`` for w of `width` columns, given as the rows of `wt`."""
    _dots(e, width, [(a, lda, wt, ldw)], bias, out, ldo, n)


def dots_tangent(
    e: Emitter,
    width: int,
    moving: bool,
    a: Address,
    Ra: Address,
    lda: Count,
    wt: Address,
    Rwt: Address,
    ldw: Count,
    Rbias: Address,
    Rout: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``Rout = Ra w + a Rw + Rbias``, without the first term if a is not `moving`."""
    terms = [(Ra, lda, wt, ldw)] if moving else []
    _dots(e, width, [*terms, (a, lda, Rwt, ldw)], Rbias, Rout, ldo, n)


def top(
    e: Emitter,
    activation: str,
    width: int,
    h: Address,
    ldh: Count,
    wt: Address,
    ldw: Count,
    ds: Address,
    lds: Count,
    d: Address,
    dwt: Address,
    db: Address,
    n: Count,
) -> None:
    """Back through the last layer: ``d = (ds w^T) act'(z)``, ``dw += h^T ds``, ``db += sum_r ds``.

    `ds` are the cotangents of its `width` outputs; w and dw are given as rows, `wt` and `dwt`.
    """
    act = ACTIVATIONS[activation]
    numbers = columns(e, width)
    places = [e.at(dwt, c * ldw) for c in numbers]
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        factors = broadcast_rows(e, ds, lds, width, rows)
        with e.loop(n, step=e.lanes) as j, added(e, places, j) as sums:
            weights = [e.load(e.at(wt, c * ldw), j) for c in numbers]
            for r, line in zip(rows, factors, strict=True):
                height = e.load(h, r * ldh + j)
                cotangent = line[0] * weights[0]
                for factor, weight in zip(line[1:], weights[1:], strict=True):
                    cotangent = e.fma(factor, weight, cotangent)
                e.store(cotangent * act.slope(e, height), d, r * ldh + j)
                sums[:] = [e.fma(factor, height, s) for factor, s in zip(line, sums, strict=True)]
    add_sums(e, ds, lds, db, width)


def top_tangent(
    e: Emitter,
    activation: str,
    moving: bool,
    h: Address,
    Rh: Address,
    ldh: Count,
    w: Address,
    Rw: Address,
    ds: Address,
    Rds: Address,
    d: Address,
    Rd: Address,
    Rdw: Address,
    Rdb: Address,
    n: Count,
) -> None:
    """`top` for one output again, and its derivative.

    ``Rd = (Rds w + ds Rw) act'(z) + ds w act''(z) Rz``, ``Rdw += sum_r ds Rh + Rds h`` and
    ``Rdb += sum_r Rds``; Rh is zero if h is not `moving`.
    """
    act = ACTIVATIONS[activation]
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        factors = [[e.broadcast(e.load_scalar(x, r)) for x in (ds, Rds)] for r in rows]
        with e.loop(n, step=e.lanes) as j, added(e, [Rdw], j) as sums:
            weight, Rweight = e.load(w, j), e.load(Rw, j)
            for r, (s, Rs) in zip(rows, factors, strict=True):
                height = e.load(h, r * ldh + j)
                slope, cotangent = act.slope(e, height), s * weight
                Rcotangent = e.fma(Rs, weight, s * Rweight) * slope
                sums[0] = e.fma(Rs, height, sums[0])
                if moving:
                    Rheight = e.load(Rh, r * ldh + j)
                    sums[0] = e.fma(s, Rheight, sums[0])
                    if act.curved:
                        bend = act.bend(e, height, Rheight)
                        Rcotangent = e.fma(cotangent, bend, Rcotangent)
                e.store(cotangent * slope, d, r * ldh + j)
                e.store(Rcotangent, Rd, r * ldh + j)
    add_sums(e, Rds, e.index(1), Rdb, 1)


@contextlib.contextmanager
def added(e: Emitter, places: list[Value], j: Value) -> Iterator[list[Value]]:
    """Sums in memory that a strip of rows is added to."""
    sums = [e.load(place, j) for place in places]
    yield sums
    for place, total in zip(places, sums, strict=True):
        e.store(total, place, j)


def add_sums(e: Emitter, x: Value, ldx: Value, out: Value, width: int) -> None:
    """``out += sum_r x`` for x of `width` columns."""

    def add(r: Value, sums: list[Value]) -> list[Value]:
        return [s + e.load_scalar(x, r * ldx + c) for c, s in enumerate(sums)]

    totals = sums_over_rows(e, [e.load_scalar(out, c) for c in range(width)], add)
    for c, total in enumerate(totals):
        e.store_scalar(total, out, c)


def columns(e: Emitter, width: int) -> list[Value]:
    """The numbers of the columns of the thin side."""
    return [e.index(c) for c in range(width)]


def _combine(
    e: Emitter,
    width: int,
    x: Value,
    ldx: Value,
    w: Value,
    ldw: Value,
    bias: Value,
    n: Value,
    finish: Callable[[Value, Value, Value], None],
) -> None:
    """``finish(r, j, z)`` for all vectors of ``z = x w + bias``."""
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j:
            weights = [e.load(e.at(w, c * ldw), j) for c in columns(e, width)]
            start = e.load(bias, j)
            for r, line in zip(rows, factors, strict=True):
                finish(r, j, affine(e, line, weights, start))


def affine(e: Emitter, factors: list[Value], weights: list[Value], start: Value) -> Value:
    """``start + sum factors weights``."""
    total = start
    for factor, weight in zip(factors, weights, strict=True):
        total = e.fma(factor, weight, total)
    return total


def _dots(
    e: Emitter,
    width: int,
    terms: list[tuple[Value, Value, Value, Value]],
    bias: Value,
    out: Value,
    ldo: Value,
    n: Value,
) -> None:
    with e.loop(e.rows, step=STRIP) as start:
        rows = strip(start)
        sums = _dot_rows(e, width, rows, terms, n)
        for r, line in zip(rows, sums, strict=True):
            for c, total in enumerate(line):
                e.store_scalar(total + e.load_scalar(bias, c), out, r * ldo + c)


def _dot_rows(
    e: Emitter,
    width: int,
    rows: list[Value],
    terms: list[tuple[Value, Value, Value, Value]],
    n: Value,
) -> list[list[Value]]:
    """``sum over terms (a, wt) of a[r] . wt[c]`` for these rows r and all columns c."""
    sums = [[e.variable(e.zero()) for _ in range(width)] for _ in rows]
    with e.loop(n, step=e.lanes) as j:
        for a, lda, wt, ldw in terms:
            weights = [e.load(e.at(wt, c * ldw), j) for c in columns(e, width)]
            for r, line in zip(rows, sums, strict=True):
                x = e.load(a, r * lda + j)
                for weight, total in zip(weights, line, strict=True):
                    total.set(e.fma(x, weight, total.get()))
    return [[e.sum(total.get()) for total in line] for line in sums]
