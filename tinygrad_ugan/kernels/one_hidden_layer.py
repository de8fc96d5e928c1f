"""Fused kernels for discriminators with a narrow input, one hidden layer and one output.

Each does the work of two kernels of `narrow` in one pass over the rows, and so uses a vector of the
hidden layer while it is in a register. The logit is ``s = h w' + b'`` with ``h = act(x w + b)``; a
prime marks the second layer in the text, a `2` in names.
"""

from __future__ import annotations

from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.emitter import Address, Count, Emitter, Value
from tinygrad_ugan.kernels.narrow import accumulators, add_sums, affine, column_indices
from tinygrad_ugan.kernels.row_quads import QUAD, broadcast_rows, quad


def one_hidden_forward(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    w: Address,
    ldw: Count,
    bias: Address,
    w2: Address,
    bias2: Address,
    h: Address,
    ldh: Count,
    s: Address,
    lds: Count,
    n: Count,
) -> None:
    """``h = act(x w + bias)`` and ``s = h w' + bias'``."""
    act = ACTIVATIONS[activation]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        sums = [e.variable(e.zero()) for _ in rows]
        with e.loop(n, step=e.lanes) as j:
            weights = [e.load(e.at(w, c * ldw), j) for c in column_indices(e, width)]
            shift, weight2 = e.load(bias, j), e.load(w2, j)
            for r, line, total in zip(rows, factors, sums, strict=True):
                height = act.value(e, affine(e, line, weights, shift))
                e.store(height, h, r * ldh + j)
                total.set(e.fma(height, weight2, total.get()))
        for r, total in zip(rows, sums, strict=True):
            e.store_scalar(e.sum(total.get()) + e.load_scalar(bias2), s, r * lds)


def one_hidden_forward_tangent(
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
    w2: Address,
    Rw2: Address,
    Rbias2: Address,
    h: Address,
    Rh: Address,
    ldh: Count,
    Rs: Address,
    n: Count,
) -> None:
    """The same h again, ``Rh = act'(z) (x Rw + Rbias)`` and ``Rs = Rh w' + h Rw' + Rbias'``."""
    act = ACTIVATIONS[activation]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        sums = [e.variable(e.zero()) for _ in rows]
        with e.loop(n, step=e.lanes) as j:
            weights, Rweights = (
                [e.load(e.at(m, c * ldw), j) for c in column_indices(e, width)] for m in (w, Rw)
            )
            shift, Rshift, weight2, Rweight2 = (e.load(m, j) for m in (bias, Rbias, w2, Rw2))
            for r, line, total in zip(rows, factors, sums, strict=True):
                height = act.value(e, affine(e, line, weights, shift))
                Rheight = act.slope(e, height) * affine(e, line, Rweights, Rshift)
                e.store(height, h, r * ldh + j)
                e.store(Rheight, Rh, r * ldh + j)
                total.set(e.fma(Rheight, weight2, e.fma(height, Rweight2, total.get())))
        for r, total in zip(rows, sums, strict=True):
            e.store_scalar(e.sum(total.get()) + e.load_scalar(Rbias2), Rs, r)


def one_hidden_backward(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    h: Address,
    ldh: Count,
    w2: Address,
    ds: Address,
    lds: Count,
    dw: Address,
    ldw: Count,
    db: Address,
    dw2: Address,
    db2: Address,
    n: Count,
) -> None:
    """Gradients of both layers from the cotangent `ds` of the logit.

    With ``d = ds w' act'(z)``: ``dw += x^T d``, ``db += sum_r d``, ``dw' += sum_r ds h`` and
    ``db' += sum_r ds``.
    """
    act = ACTIVATIONS[activation]
    addresses = [*(e.at(dw, c * ldw) for c in column_indices(e, width)), db, dw2]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        cotangents = [e.broadcast(e.load_scalar(ds, r * lds)) for r in rows]
        with e.loop(n, step=e.lanes) as j, accumulators(e, addresses, j) as sums:
            weight2 = e.load(w2, j)
            for r, line, s in zip(rows, factors, cotangents, strict=True):
                height = e.load(h, r * ldh + j)
                d = s * weight2 * act.slope(e, height)
                _add(e, sums, line, d)
                sums[-1] = e.fma(s, height, sums[-1])
    add_sums(e, ds, lds, db2, 1)


def one_hidden_backward_tangent(
    e: Emitter,
    activation: str,
    width: int,
    x: Address,
    ldx: Count,
    h: Address,
    Rh: Address,
    ldh: Count,
    w2: Address,
    Rw2: Address,
    ds: Address,
    Rds: Address,
    Rdw: Address,
    ldw: Count,
    Rdb: Address,
    Rdw2: Address,
    Rdb2: Address,
    n: Count,
) -> None:
    """The tangent of `one_hidden_backward`; x is constant.

    With ``Rd = (Rds w' + ds Rw') act'(z) + ds w' act''(z) Rz``: ``Rdw += x^T Rd``,
    ``Rdb += sum_r Rd``, ``Rdw' += sum_r ds Rh + Rds h`` and ``Rdb' += sum_r Rds``.
    """
    act = ACTIVATIONS[activation]
    addresses = [*(e.at(Rdw, c * ldw) for c in column_indices(e, width)), Rdb, Rdw2]
    with e.loop(e.rows, step=QUAD) as start:
        rows = quad(start)
        factors = broadcast_rows(e, x, ldx, width, rows)
        pairs = [[e.broadcast(e.load_scalar(m, r)) for m in (ds, Rds)] for r in rows]
        with e.loop(n, step=e.lanes) as j, accumulators(e, addresses, j) as sums:
            weight2, Rweight2 = e.load(w2, j), e.load(Rw2, j)
            for r, line, (s, Rs) in zip(rows, factors, pairs, strict=True):
                height, Rheight = e.load(h, r * ldh + j), e.load(Rh, r * ldh + j)
                Rd = e.fma(Rs, weight2, s * Rweight2) * act.slope(e, height)
                if act.curved:
                    Rd = e.fma(s * weight2, act.slope_tangent(e, height, Rheight), Rd)
                _add(e, sums, line, Rd)
                sums[-1] = e.fma(Rs, height, e.fma(s, Rheight, sums[-1]))
    add_sums(e, Rds, e.index(1), Rdb2, 1)


def _add(e: Emitter, sums: list[Value], factors: list[Value], d: Value) -> None:
    """Add a row's terms to the first sums, those of dw and db."""
    for c, factor in enumerate(factors):
        sums[c] = e.fma(factor, d, sums[c])
    sums[len(factors)] = sums[len(factors)] + d
