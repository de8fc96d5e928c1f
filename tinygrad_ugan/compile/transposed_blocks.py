"""Machine code that reads along one axis and writes along another, by square blocks.

A block has as many rows as a vector has elements. It is transposed in registers, and put into a
scratch, which a loop nest loads along its vectors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from tinygrad_ugan.compile.kernel_form import Access, KernelForm
from tinygrad_ugan.compile.loop_nest import Count, LoopNest, Operations, counted, least, moved
from tinygrad_ugan.kernels.emitter import Emitter, Value


def crossing_axis(form: KernelForm, vector_axis: int, lanes: int) -> int | None:
    """The axis along which a load of a map is contiguous, if it is not the vector axis.

    None if there is no such load, or if blocks would be almost empty.
    """
    axes = (_axis_of_crossing(x, vector_axis) for x in form.loads)
    long = (a for a in axes if a is not None and 2 * form.space[a] >= lanes)
    is_map = not form.reductions and 2 * form.space[vector_axis] >= lanes
    return next(long, None) if is_map else None


def _axis_of_crossing(access: Access, vector_axis: int) -> int | None:
    if access.is_mask or access.strides[vector_axis] in (0, 1) or 1 not in access.strides:
        return None
    return access.strides.index(1)


def emit_blocks(
    e: Emitter,
    form: KernelForm,
    operations: Operations,
    addresses: Sequence[Value],
    counts: Sequence[Count],
    axes: tuple[int, int],
) -> None:
    """Run through the first points along each axis of a map.

    `axes` are that along which some loads are contiguous, and the vector axis.
    """
    steps = [e.lanes if a in axes else 1 for a in range(len(counts))]
    blocks = {
        n: e.scratch(e.lanes**2)
        for n, x in enumerate(form.loads)
        if _axis_of_crossing(x, axes[1]) == axes[0]
    }
    strides = tuple({axes[0]: e.lanes, axes[1]: 1}.get(a, 0) for a in range(len(counts)))
    loads = (replace(x, strides=strides) if n in blocks else x for n, x in enumerate(form.loads))
    inner = replace(form, space=tuple(map(min, form.space, steps)), loads=tuple(loads))
    nest = LoopNest(e, inner, operations, axes[1])
    with contextlib.ExitStack() as loops:
        starts = [loops.enter_context(counted(e, n, s)) for n, s in zip(counts, steps, strict=True)]
        parts = [part(e, *each) for each in zip(counts, starts, steps, strict=True)]
        places = list(addresses)
        for n, access in enumerate(form.arguments):
            for i, stride in zip(starts, access.strides, strict=True):
                places[n] = moved(e, places[n], i, stride)
        for n, block in blocks.items():
            stride = form.loads[n].strides[axes[1]]
            store_transposed(e, places[n], stride, parts[axes[0]], parts[axes[1]], block, e.lanes)
            places[n] = block
        nest.emit(places, parts)


def part(e: Emitter, count: Count, start: Value, step: int) -> Count:
    """The number of elements of a part that begins at a multiple of its length, the step."""
    if isinstance(count, int) and (count % step == 0 or count < step):
        return min(count, step)
    return least(e, e.like(count, start) - start, step)


def store_transposed(
    e: Emitter, source: Value, stride: int, rows: Count, columns: Count, place: Value, width: int
) -> None:
    """Store the transpose of a block, of which so many rows and columns are to be read.

    In memory, neighbours in a row are `stride` elements apart, and those in a column are side by
    side; when stored, those in a row are side by side, and rows are `width` elements apart. As many
    rows and columns are stored as a vector has elements.
    """
    mask = None if rows == e.lanes else e.first_lanes(rows)
    places = [_at_most(e, c, columns) * stride for c in range(e.lanes)]
    lines = [e.load(source, x, mask) for x in places]
    for i, x in enumerate(_transposed(e, lines)):
        e.store(x, place, i * width)


def _at_most(e: Emitter, c: int, columns: Count) -> Count:
    """The column, or another that may be read."""
    return min(c, columns - 1) if isinstance(columns, int) else least(e, columns - 1, c)


def _transposed(e: Emitter, lines: Sequence[Value]) -> list[Value]:
    """The columns of a square of elements, by exchanging ever larger blocks."""
    result = list(lines)
    size = 1
    while size < e.lanes:
        first = [i if not i & size else i - size + e.lanes for i in range(e.lanes)]
        second = [i + size for i in first]
        for i in range(e.lanes):
            if not i & size:
                x, y = result[i], result[i + size]
                result[i], result[i + size] = e.shuffle(x, y, first), e.shuffle(x, y, second)
        size *= 2
    return result
