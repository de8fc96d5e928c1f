"""Thin layers of which everything moves: what `rows` leaves out, for unrolling does not need it.

An R before a name is the derivative along the direction in which input, weights and cotangents
move.
"""

from __future__ import annotations

from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value
from tinygrad_ugan.kernels.rows import add_sums
from tinygrad_ugan.kernels.strips import sums_over_rows


def thin_tangent_moving(
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
    columns = [e.index(c) for c in range(width)]
    with e.loop(n, step=e.lanes) as j:
        weights = [e.load(e.at(m, c * ldw), j) for m in (w, Rw) for c in columns]
        start = e.load(Rbias, j)
        with e.loop(e.rows) as r:
            Rz = start
            factors = [e.load_scalar(m, r * ldx + c) for m in (Rx, x) for c in columns]
            for factor, weight in zip(factors, weights, strict=True):
                Rz = e.fma(e.broadcast(factor), weight, Rz)
            place = r * ldo + j
            e.store(act.slope(e, e.load(h, place)) * Rz, Rout, place)


def top_tangent_moving(
    e: Emitter,
    activation: str,
    width: int,
    moving: bool,
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
    """`rows.top` again, and its derivative, for `width` outputs.

    ``Rd = (Rds w^T + ds Rw^T) act'(z) + (ds w^T) act''(z) Rz``, ``Rdw += Rh^T ds + h^T Rds`` and
    ``Rdb += sum_r Rds``; Rh is zero if h is not `moving`.
    """
    act = ACTIVATIONS[activation]
    columns = [e.index(c) for c in range(width)]
    with e.loop(n, step=e.lanes) as j:
        weights, Rweights = ([e.load(e.at(m, c * ldw), j) for c in columns] for m in (wt, Rwt))
        places = [e.at(Rdwt, c * ldw) for c in columns]

        def add(r: Value, sums: list[Value]) -> list[Value]:
            place = r * ldh + j
            height = e.load(h, place)
            factors, Rfactors = (
                [e.broadcast(e.load_scalar(m, r * lds + c)) for c in columns] for m in (ds, Rds)
            )
            cotangent = Rcotangent = e.zero()
            for f, Rf, weight, Rweight in zip(factors, Rfactors, weights, Rweights, strict=True):
                cotangent = e.fma(f, weight, cotangent)
                Rcotangent = e.fma(Rf, weight, e.fma(f, Rweight, Rcotangent))
            sums = [e.fma(Rf, height, s) for Rf, s in zip(Rfactors, sums, strict=True)]
            slope = act.slope(e, height)
            Rcotangent = Rcotangent * slope
            if moving:
                Rheight = e.load(Rh, place)
                sums = [e.fma(f, Rheight, s) for f, s in zip(factors, sums, strict=True)]
                if act.curved:
                    Rcotangent = e.fma(cotangent, act.bend(e, height, Rheight), Rcotangent)
            e.store(cotangent * slope, d, place)
            e.store(Rcotangent, Rd, place)
            return sums

        totals = sums_over_rows(e, [e.load(line, j) for line in places], add)
        for line, total in zip(places, totals, strict=True):
            e.store(total, line, j)
    add_sums(e, Rds, lds, Rdb, width)
