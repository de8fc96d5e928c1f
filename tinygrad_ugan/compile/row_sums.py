"""Sums over rows within the section that makes the rows: while these are in the cache.

The gradient of a layer's weights is a product over the rows of a batch, and that of its biases a
sum. In a program whose values do not fit into the cache, each block of rows is added to the sums of
its part as soon as it is there; the sums of the parts are added up afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from tinygrad_ugan.compile.fusion import Group, count_uses, reduced
from tinygrad_ugan.compile.operations import Operation, Product, Reduce, RowProduct
from tinygrad_ugan.compile.scheduling import BLOCK, CHUNKS, is_by_row, is_row_by_row, rows_of
from tinygrad_ugan.compile.strided import Storage, View

CACHE = 2**20
"""Bytes that the values of a program need to exceed."""


def with_row_sums(groups: Sequence[Group], results: Iterable[Storage]) -> list[Group]:
    """Let sums over rows run block by block, where these are made in this program."""
    uses = count_uses((each for group in groups for each in group.operations), results)
    if sum(x.nbytes for group in groups for x in group.stored(uses)) < CACHE:
        return list(groups)
    rows = {x.out: rows_of(group) for group in groups if is_by_row(group) for x in group.operations}
    return [part for group in groups for part in _in_blocks(group, rows) or [group]]


def _in_blocks(group: Group, rows: dict[Storage, int]) -> list[Group] | None:
    """The groups that do what one does, which sums over rows; None if it is no such group."""
    first, *rest = group.operations
    terms = _factors(first) if not rest or isinstance(first, Product) else None
    if terms is None:
        return None
    depth = terms[0][0].shape[0]
    factors = [x for term in terms for x in term]
    made_here = any(rows.get(x.storage) == depth for x in factors)
    if depth % BLOCK or depth == BLOCK or not made_here:
        return None
    if not all(_is_uniform(x) or is_row_by_row(x, depth) for x in factors):
        return None
    return _split(group.space, first, rest, terms, depth)


def _factors(each: Operation) -> list[tuple[View, View]] | None:
    """Pairs of matrices whose rows are multiplied and added up: ``sum_r a[r, i] b[r, j]``."""
    if isinstance(each, Product):
        return [(_mT(a), b) for a, b in each.terms]
    if isinstance(each, Reduce) and each.operation == "add":
        axes = [
            (n, s) for n, s in zip(each.operand.shape, each.operand.strides, strict=True) if n != 1
        ]
        over = reduced(each)
        if 1 <= len(axes) <= 2 and over[0] and not any(over[1:]):
            shape, strides = zip(*axes, *[(1, 0)] * (2 - len(axes)), strict=True)
            ones = Storage((), each.out.dtype, np.ones((), each.out.dtype))
            return [
                (
                    View(ones, (shape[0], 1), (0, 0)),
                    replace(each.operand, shape=shape, strides=strides),
                )
            ]
    return None


def _is_uniform(x: View) -> bool:
    return not any(x.strides)


def _split(
    space: tuple[int, ...],
    first: Operation,
    rest: Sequence[Operation],
    terms: Sequence[tuple[View, View]],
    rows: int,
) -> list[Group]:
    columns = terms[0][0].shape[1], terms[0][1].shape[1]
    parts = Storage((CHUNKS, *columns), first.out.dtype)
    blocks = tuple(
        (replace(_mT(a), shape=(columns[0], BLOCK)), replace(b, shape=(BLOCK, columns[1])))
        for a, b in terms
    )
    sums = Group(_long(columns), [RowProduct(blocks, parts, rows)])
    total = Group(_long(parts.shape), [Reduce("add", View.of(parts), (0,), first.out)])
    return [sums, total, *([Group(space, list(rest))] if rest else [])]


def _long(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _mT(x: View) -> View:
    return replace(x, shape=x.shape[::-1], strides=x.strides[::-1])
