"""Matrix products whose results never leave the registers unfinished.

A product runs over tiles of a few rows by a few vectors, whose sums stay in registers while the
inner dimension goes by; what follows the product (bias, activation, its derivative) is applied to
the tile before it is stored. A directional derivative of a product has two terms, ``Ra b + a Rb``:
both go into the same sums.

All matrices are row-major with padded rows; `n` counts columns in whole vectors, the pads being
zero, and rows come in whole tiles. `ld` is the distance from one row to the next, in elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value
from tinygrad_ugan.kernels.row_quads import sums_over_rows

Tile = list[list[Value]]


class Segment(NamedTuple):
    """One term of a sum of products: element (r, k) of `a` times row k of `b`.

    Attributes
    ----------
    a : Value
        Address.
    row, column : Value
        Distance between its rows (over r) and between its columns (over k): a transposed operand
        has them exchanged.
    b, ldb : Value
        Address, and distance between rows.
    """

    a: Value
    row: Value
    column: Value
    b: Value
    ldb: Value


def tiled(
    e: Emitter,
    segments: Sequence[Segment],
    rows: Value,
    n: Value,
    depth: Value,
    finish: Callable[[Value, Value, Tile], None],
    wanted: Sequence[tuple[Value, Value]] = (),
) -> None:
    """``finish(r, j, tile)`` for every tile of ``sum_s a_s b_s``, of `rows` x `n` elements.

    `wanted` are matrices ``(address, ld)`` of which `finish` reads the same tile: it is asked for
    before the product begins, and has come by the time that this is done.
    """
    for vectors, start, stop in _panels(e, n):
        with (
            e.loop(stop, start, vectors * e.lanes) as j,
            e.loop(rows, step=e.target.tile_rows) as r,
        ):
            for address, ld in wanted:
                for i, v in itertools.product(range(e.target.tile_rows), range(vectors)):
                    e.prefetch(address, (r + i) * ld + j + v * e.lanes)
            finish(r, j, _tile(e, segments, r, j, depth, vectors))


def _panels(e: Emitter, n: Value) -> list[tuple[int, Value, Value]]:
    """Whole tiles of columns, then single vectors: ``(vectors, start, stop)``."""
    wide = e.target.tile_vectors
    whole = n / (wide * e.lanes) * (wide * e.lanes)
    return [(wide, e.index(0), whole), (1, whole, n)]


def _tile(
    e: Emitter, segments: Sequence[Segment], r: Value, j: Value, depth: Value, vectors: int
) -> Tile:
    height = e.target.tile_rows
    sums = [[e.variable(e.zero()) for _ in range(vectors)] for _ in range(height)]
    for a, row, column, b, ldb in segments:
        starts = [e.at(a, (r + i) * row) for i in range(height)]
        with e.loop(depth) as k:
            operands = [e.load(e.at(b, k * ldb), j + v * e.lanes) for v in range(vectors)]
            for start, line in zip(starts, sums, strict=True):
                factor = e.broadcast(e.load_scalar(start, k * column))
                for operand, total in zip(operands, line, strict=True):
                    total.set(e.fma(factor, operand, total.get()))
    return [[total.get() for total in line] for line in sums]


def each(e: Emitter, tile: Tile, r: Value, j: Value, ld: Value) -> list[tuple[Value, Value, Value]]:
    """The vectors of a tile with their column and their offset in a matrix: ``(x, j, offset)``."""
    return [
        (x, j + v * e.lanes, (r + i) * ld + j + v * e.lanes)
        for i, line in enumerate(tile)
        for v, x in enumerate(line)
    ]


def dense(
    e: Emitter,
    activation: str,
    a: Address,
    lda: Count,
    w: Address,
    ldw: Count,
    bias: Address,
    out: Address,
    ldo: Count,
    n: Count,
    depth: Count,
) -> None:
    """``out = act(a w + bias)``."""
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, tile: Tile) -> None:
        for z, column, offset in each(e, tile, r, j, ldo):
            e.store(act.value(e, z + e.load(bias, column)), out, offset)

    tiled(e, [Segment(a, lda, e.index(1), w, ldw)], e.rows, n, depth, finish)


def dense_tangent(
    e: Emitter,
    activation: str,
    has_tangent: bool,
    a: Address,
    Ra: Address,
    lda: Count,
    w: Address,
    Rw: Address,
    ldw: Count,
    Rbias: Address,
    h: Address,
    Rout: Address,
    ldo: Count,
    n: Count,
    depth: Count,
) -> None:
    """``Rout = act'(z) (Ra w + a Rw + Rbias)``, with ``act'(z)`` from ``h = act(z)``.

    The first term is left out unless a `has_tangent`.
    """
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, tile: Tile) -> None:
        for Rz, column, offset in each(e, tile, r, j, ldo):
            slope = act.slope(e, e.load(h, offset))
            e.store(slope * (Rz + e.load(Rbias, column)), Rout, offset)

    one = e.index(1)
    segments = [Segment(Ra, lda, one, w, ldw)] if has_tangent else []
    tiled(e, [*segments, Segment(a, lda, one, Rw, ldw)], e.rows, n, depth, finish, [(h, ldo)])


def pullback(
    e: Emitter,
    activation: str,
    d: Address,
    ldd: Count,
    wt: Address,
    ldw: Count,
    h: Address,
    e_out: Address,
    d_out: Address,
    ldo: Count,
    n: Count,
    depth: Count,
) -> None:
    """``e_out = d w^T`` and ``d_out = e_out act'(z)``: the cotangents of h and of z below.

    `wt` is the transpose of w.
    """
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, tile: Tile) -> None:
        for x, _, offset in each(e, tile, r, j, ldo):
            e.store(x, e_out, offset)
            e.store(x * act.slope(e, e.load(h, offset)), d_out, offset)

    tiled(e, [Segment(d, ldd, e.index(1), wt, ldw)], e.rows, n, depth, finish, [(h, ldo)])


def pullback_tangent(
    e: Emitter,
    activation: str,
    d: Address,
    Rd: Address,
    ldd: Count,
    wt: Address,
    Rwt: Address,
    ldw: Count,
    h: Address,
    Rh: Address,
    e_out: Address,
    d_out: Address,
    Rd_out: Address,
    ldo: Count,
    n: Count,
    depth: Count,
) -> None:
    """`pullback`, whose ``e_out`` is at hand, and its derivative.

    ``d_out = e_out act'(z)`` and ``Rd_out = (Rd w^T + d Rw^T) act'(z) + e_out act''(z) Rz``.
    """
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, tile: Tile) -> None:
        for x, _, offset in each(e, tile, r, j, ldo):
            height, cotangent = e.load(h, offset), e.load(e_out, offset)
            slope = act.slope(e, height)
            result = x * slope
            if act.curved:
                bend = act.bend(e, height, e.load(Rh, offset))
                result = e.fma(cotangent, bend, result)
            e.store(cotangent * slope, d_out, offset)
            e.store(result, Rd_out, offset)

    one = e.index(1)
    segments = [Segment(Rd, ldd, one, wt, ldw), Segment(d, ldd, one, Rwt, ldw)]
    tiled(e, segments, e.rows, n, depth, finish, [(h, ldo), (Rh, ldo), (e_out, ldo)])


def accumulate(
    e: Emitter,
    a: Address,
    lda: Count,
    d: Address,
    ldd: Count,
    dw: Address,
    db: Address,
    ldo: Count,
    m: Count,
    n: Count,
) -> None:
    """``dw += a^T d`` and ``db += sum_r d``: gradients of a layer, over the rows of this call.

    `dw` has m rows, in whole tiles.
    """
    segments = [Segment(a, e.index(1), lda, d, ldd)]
    tiled(e, segments, m, n, e.rows, _adding(e, dw, ldo))
    column_sums(e, d, ldd, db, n)


def accumulate_tangent(
    e: Emitter,
    a: Address,
    Ra: Address,
    lda: Count,
    d: Address,
    Rd: Address,
    ldd: Count,
    Rdw: Address,
    Rdb: Address,
    ldo: Count,
    m: Count,
    n: Count,
) -> None:
    """``Rdw += Ra^T d + a^T Rd`` and ``Rdb += sum_r Rd``: the derivative of `accumulate`."""
    one = e.index(1)
    segments = [Segment(Ra, one, lda, d, ldd), Segment(a, one, lda, Rd, ldd)]
    tiled(e, segments, m, n, e.rows, _adding(e, Rdw, ldo))
    column_sums(e, Rd, ldd, Rdb, n)


def _adding(e: Emitter, out: Value, ldo: Value) -> Callable[[Value, Value, Tile], None]:
    def finish(r: Value, j: Value, tile: Tile) -> None:
        for x, _, offset in each(e, tile, r, j, ldo):
            e.store(e.load(out, offset) + x, out, offset)

    return finish


def column_sums(e: Emitter, d: Value, ldd: Value, out: Value, n: Value) -> None:
    """``out += sum_r d``."""
    with e.loop(n, step=e.lanes) as j:

        def add(r: Value, sums: list[Value]) -> list[Value]:
            return [sums[0] + e.load(d, r * ldd + j)]

        (total,) = sums_over_rows(e, [e.load(out, j)], add)
        e.store(total, out, j)
