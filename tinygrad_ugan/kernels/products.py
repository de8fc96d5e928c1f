"""Matrix products with fused epilogues.

A product iterates over register tiles of a few rows by a few vectors: the sums stay in registers
during the loop over the inner dimension, and the epilogue (bias, activation or its derivative) is
applied to the tile before it is stored. The tangent of a product has two terms, ``Ra b + a Rb``,
accumulated in the same registers.

All matrices are row-major with padded rows. The pads are zero, so no loop needs a mask: `n` is a
number of columns in whole vectors, and rows come in whole tiles. `ld` is the leading dimension, the
distance between rows in elements.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
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
    prefetched: Sequence[tuple[Value, Value]] = (),
) -> None:
    """``finish(r, j, tile)`` for every tile of ``sum_s a_s b_s``, of `rows` x `n` elements.

    `prefetched` are matrices ``(address, ld)`` of which `finish` reads the same tile: prefetched
    before the product begins, they are in cache by its end.
    """
    heights, widths = e.target.tile_heights, range(e.target.tile_vectors, 0, -1)
    for width, left, right in _panels(e, n, [v * e.lanes for v in widths]):
        with e.loop(right, left, width) as j:
            for height, top, bottom in _panels(e, rows, heights):
                with e.loop(bottom, top, height) as r:
                    for (address, ld), i, v in itertools.product(
                        prefetched, range(height), range(0, width, e.lanes)
                    ):
                        e.prefetch(address, (r + i) * ld + j + v)
                    finish(r, j, _tile(e, segments, r, j, depth, height, width // e.lanes))


def _panels(e: Emitter, length: Value, sizes: Sequence[int]) -> Iterator[tuple[int, Value, Value]]:
    """Split a length into panels of the sizes, the largest first: ``(size, start, stop)``.

    There are only so many smaller ones that nothing is left: with 6 and 4, ``8 = 4 + 4``.
    """
    start = e.index(0)
    for size, smaller in itertools.zip_longest(sizes, sizes[1:]):
        stop = length
        if smaller:
            units = size // (size - smaller)  # a smaller panel is one short
            lacking = (length - start) / (size - smaller) * (units - 1)
            lacking = lacking - lacking / units * units
            stop = start + e.maximum(length - start - lacking * smaller, 0)
        yield size, start, stop
        start = stop


def _tile(
    e: Emitter,
    segments: Sequence[Segment],
    r: Value,
    j: Value,
    depth: Value,
    height: int,
    vectors: int,
) -> Tile:
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
    """The vectors of a tile with their columns and offsets in a matrix: ``(x, j, offset)``."""
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
    """``e_out = d w^T`` and ``d_out = e_out act'(z)``: cotangents of a layer's input h and its z.

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
    """`pullback` with a given ``e_out``, and its tangent.

    ``d_out = e_out act'(z)`` and ``Rd_out = (Rd w^T + d Rw^T) act'(z) + e_out act''(z) Rz``.
    """
    act = ACTIVATIONS[activation]

    def finish(r: Value, j: Value, tile: Tile) -> None:
        for x, _, offset in each(e, tile, r, j, ldo):
            height, cotangent = e.load(h, offset), e.load(e_out, offset)
            slope = act.slope(e, height)
            result = x * slope
            if act.curved:
                Rslope = act.slope_tangent(e, height, e.load(Rh, offset))
                result = e.fma(cotangent, Rslope, result)
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
    """``dw += a^T d`` and ``db += sum_r d``: the gradients of a layer, summed over `rows`.

    m counts rows of `dw` in whole tiles.
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
    """``Rdw += Ra^T d + a^T Rd`` and ``Rdb += sum_r Rd``: the tangent of `accumulate`."""
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
