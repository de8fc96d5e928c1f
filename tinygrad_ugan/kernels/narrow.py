"""Layers with few inputs or few outputs, four rows at a time.

Examples are the first layer of a network of points in the plane, and the last one of a
discriminator. For them a tile of a matrix product would be mostly padding. The narrow side has
`width` columns, at most `NARROW`, a number that is fixed at compile time.

An R marks tangents. Unrolling differentiates parameters only; a *full* tangent has a tangent of the
layer's input, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value
from tinygrad_ugan.kernels.row_quads import QUAD, broadcast_rows, quad, sums_over_rows

NARROW = 4


def narrow_input(
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

    _each_affine(e, width, x, ldx, w, ldw, bias, n, finish)


def narrow_input_tangent(
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
    """``Rout = act'(z) (x Rw + Rbias)``, with ``act'(z)`` from ``h = act(z)``: x is constant."""
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, Rz: Value) -> None:
        e.store(act.slope(e, e.load(h, r * ldo + j)) * Rz, Rout, r * ldo + j)

    _each_affine(e, width, x, ldx, Rw, ldw, Rbias, n, finish)


def narrow_input_and_tangent(
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
    """`narrow_input` and `narrow_input_tangent` in one pass.

    Recomputing `out` is cheaper than loading it.
    """
    act = ACTIVATIONS[activation]
    indices = column_indices(e, width)
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j:
            weights, Rweights = ([e.load(e.at(m, c * ldw), j) for c in indices] for m in (w, Rw))
            start, Rstart = e.load(bias, j), e.load(Rbias, j)
            for r, line in zip(rows, factors, strict=True):
                h = act.value(e, affine(e, line, weights, start))
                e.store(h, out, r * ldo + j)
                e.store(act.slope(e, h) * affine(e, line, Rweights, Rstart), Rout, r * ldo + j)


def narrow_input_full_tangent(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    Rx: Address,
    ldx: Count,
    w: Address,
    Rw: Address,
    ldw: Count,
    Rbias: Address,
    h: Address,
    Rout: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``Rout = act'(z) (Rx w + x Rw + Rbias)`` for x of `width` columns."""
    act = ACTIVATIONS[activation]
    indices = column_indices(e, width)
    with e.loop(n, step=e.lanes) as j:
        weights = [e.load(e.at(m, c * ldw), j) for m in (w, Rw) for c in indices]
        start = e.load(Rbias, j)
        with e.loop(e.rows) as r:
            Rz = start
            factors = [e.load_scalar(m, r * ldx + c) for m in (Rx, x) for c in indices]
            for factor, weight in zip(factors, weights, strict=True):
                Rz = e.fma(e.broadcast(factor), weight, Rz)
            place = r * ldo + j
            e.store(act.slope(e, e.load(h, place)) * Rz, Rout, place)


def narrow_input_accumulate(
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
    addresses = [*(e.at(dw, c * ldo) for c in column_indices(e, width)), db]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j, accumulators(e, addresses, j) as sums:
            for r, line in zip(rows, factors, strict=True):
                cotangent = e.load(d, r * ldd + j)
                for c, factor in enumerate(line):
                    sums[c] = e.fma(factor, cotangent, sums[c])
                sums[-1] = sums[-1] + cotangent


def narrow_output(
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
    """``out = a w + bias`` for w of `width` columns, the rows of `wt`."""
    _narrow_output(e, width, [(a, lda, wt, ldw)], bias, out, ldo, n)


def narrow_output_tangent(
    e: Emitter,
    width: int,
    has_tangent: bool,
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
    """``Rout = Ra w + a Rw + Rbias``, without the first term unless a `has_tangent`."""
    terms = [(Ra, lda, wt, ldw)] if has_tangent else []
    _narrow_output(e, width, [*terms, (a, lda, Rwt, ldw)], Rbias, Rout, ldo, n)


def output_backward(
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
    """Pull `ds` back through the last layer: ``d = (ds w^T) act'(z)``, and the layer's gradients.

    ``dw += h^T ds`` and ``db += sum_r ds``; `ds` are the cotangents of its `width` outputs, and w
    and dw are transposed, `wt` and `dwt`.
    """
    act = ACTIVATIONS[activation]
    indices = column_indices(e, width)
    addresses = [e.at(dwt, c * ldw) for c in indices]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, ds, lds, width, rows)
        with e.loop(n, step=e.lanes) as j, accumulators(e, addresses, j) as sums:
            weights = [e.load(e.at(wt, c * ldw), j) for c in indices]
            for r, line in zip(rows, factors, strict=True):
                height = e.load(h, r * ldh + j)
                cotangent = line[0] * weights[0]
                for factor, weight in zip(line[1:], weights[1:], strict=True):
                    cotangent = e.fma(factor, weight, cotangent)
                e.store(cotangent * act.slope(e, height), d, r * ldh + j)
                sums[:] = [e.fma(factor, height, s) for factor, s in zip(line, sums, strict=True)]
    add_sums(e, ds, lds, db, width)


def output_backward_tangent(
    e: Emitter,
    activation: str,
    has_tangent: bool,
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
    """`output_backward` for one output again, and its tangent.

    ``Rd = (Rds w + ds Rw) act'(z) + ds w act''(z) Rz``, ``Rdw += sum_r ds Rh + Rds h`` and
    ``Rdb += sum_r Rds``; Rh is read only if h `has_tangent`.
    """
    act = ACTIVATIONS[activation]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = [[e.broadcast(e.load_scalar(x, r)) for x in (ds, Rds)] for r in rows]
        with e.loop(n, step=e.lanes) as j, accumulators(e, [Rdw], j) as sums:
            weight, Rweight = e.load(w, j), e.load(Rw, j)
            for r, (s, Rs) in zip(rows, factors, strict=True):
                height = e.load(h, r * ldh + j)
                slope, cotangent = act.slope(e, height), s * weight
                Rcotangent = e.fma(Rs, weight, s * Rweight) * slope
                sums[0] = e.fma(Rs, height, sums[0])
                if has_tangent:
                    Rheight = e.load(Rh, r * ldh + j)
                    sums[0] = e.fma(s, Rheight, sums[0])
                    if act.curved:
                        Rslope = act.slope_tangent(e, height, Rheight)
                        Rcotangent = e.fma(cotangent, Rslope, Rcotangent)
                e.store(cotangent * slope, d, r * ldh + j)
                e.store(Rcotangent, Rd, r * ldh + j)
    add_sums(e, Rds, e.index(1), Rdb, 1)


def output_backward_full_tangent(
    e: Emitter,
    activation: str,
    width: int,
    has_tangent: bool,
    h: Address,
    Rh: Address,
    ldh: Count,
    wt: Address,
    Rwt: Address,
    ldw: Count,
    ds: Address,
    Rds: Address,
    lds: Count,
    d: Address,
    Rd: Address,
    Rdwt: Address,
    Rdb: Address,
    n: Count,
) -> None:
    """`output_backward` again, and its full tangent, for `width` outputs.

    ``Rd = (Rds w^T + ds Rw^T) act'(z) + (ds w^T) act''(z) Rz``, ``Rdw += Rh^T ds + h^T Rds`` and
    ``Rdb += sum_r Rds``; Rh is read only if h `has_tangent`.
    """
    act = ACTIVATIONS[activation]
    indices = column_indices(e, width)
    with e.loop(n, step=e.lanes) as j:
        weights, Rweights = ([e.load(e.at(m, c * ldw), j) for c in indices] for m in (wt, Rwt))
        addresses = [e.at(Rdwt, c * ldw) for c in indices]

        def add(r: Value, sums: list[Value]) -> list[Value]:
            place = r * ldh + j
            height = e.load(h, place)
            factors, Rfactors = (
                [e.broadcast(e.load_scalar(m, r * lds + c)) for c in indices] for m in (ds, Rds)
            )
            cotangent = Rcotangent = e.zero()
            for f, Rf, weight, Rweight in zip(factors, Rfactors, weights, Rweights, strict=True):
                cotangent = e.fma(f, weight, cotangent)
                Rcotangent = e.fma(Rf, weight, e.fma(f, Rweight, Rcotangent))
            sums = [e.fma(Rf, height, s) for Rf, s in zip(Rfactors, sums, strict=True)]
            slope = act.slope(e, height)
            Rcotangent = Rcotangent * slope
            if has_tangent:
                Rheight = e.load(Rh, place)
                sums = [e.fma(f, Rheight, s) for f, s in zip(factors, sums, strict=True)]
                if act.curved:
                    Rcotangent = e.fma(cotangent, act.slope_tangent(e, height, Rheight), Rcotangent)
            e.store(cotangent * slope, d, place)
            e.store(Rcotangent, Rd, place)
            return sums

        totals = sums_over_rows(e, [e.load(line, j) for line in addresses], add)
        for line, total in zip(addresses, totals, strict=True):
            e.store(total, line, j)
    add_sums(e, Rds, lds, Rdb, width)


@contextlib.contextmanager
def accumulators(e: Emitter, addresses: list[Value], j: Value) -> Iterator[list[Value]]:
    """Load sums of vectors from memory, let a quad of rows add to them, store them."""
    sums = [e.load(place, j) for place in addresses]
    yield sums
    for place, total in zip(addresses, sums, strict=True):
        e.store(total, place, j)


def add_sums(e: Emitter, x: Value, ldx: Value, out: Value, width: int) -> None:
    """``out += sum_r x`` for x of `width` columns."""

    def add(r: Value, sums: list[Value]) -> list[Value]:
        return [s + e.load_scalar(x, r * ldx + c) for c, s in enumerate(sums)]

    totals = sums_over_rows(e, [e.load_scalar(out, c) for c in range(width)], add)
    for c, total in enumerate(totals):
        e.store_scalar(total, out, c)


def column_indices(e: Emitter, width: int) -> list[Value]:
    """The indices of the columns of the narrow side."""
    return [e.index(c) for c in range(width)]


def _each_affine(
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
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        with e.loop(n, step=e.lanes) as j:
            weights = [e.load(e.at(w, c * ldw), j) for c in column_indices(e, width)]
            start = e.load(bias, j)
            for r, line in zip(rows, factors, strict=True):
                finish(r, j, affine(e, line, weights, start))


def affine(e: Emitter, factors: list[Value], weights: list[Value], start: Value) -> Value:
    """``start + sum factors weights``."""
    total = start
    for factor, weight in zip(factors, weights, strict=True):
        total = e.fma(factor, weight, total)
    return total


def _narrow_output(
    e: Emitter,
    width: int,
    terms: list[tuple[Value, Value, Value, Value]],
    bias: Value,
    out: Value,
    ldo: Value,
    n: Value,
) -> None:
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        sums = _row_dots(e, width, rows, terms, n)
        for r, line in zip(rows, sums, strict=True):
            for c, total in enumerate(line):
                e.store_scalar(total + e.load_scalar(bias, c), out, r * ldo + c)


def _row_dots(
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
            weights = [e.load(e.at(wt, c * ldw), j) for c in column_indices(e, width)]
            for r, line in zip(rows, sums, strict=True):
                x = e.load(a, r * lda + j)
                for weight, total in zip(weights, line, strict=True):
                    total.set(e.fma(x, weight, total.get()))
    return [[e.sum(total.get()) for total in line] for line in sums]
