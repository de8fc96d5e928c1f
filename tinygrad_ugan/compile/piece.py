"""A piece of a program as kernels: its instructions fused, and put into phases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.compile.fusion import Group, count_uses, fuse, reduced
from tinygrad_ugan.compile.kernel_form import (
    Access,
    AnyForm,
    JoinedForm,
    KernelForm,
    Reduction,
    Segment,
    Step,
    Store,
    WindowsForm,
)
from tinygrad_ugan.compile.operations import (
    ADD,
    Joining,
    Operand,
    Product,
    Reduce,
    RowProduct,
    Translation,
    Windowing,
    reads,
)
from tinygrad_ugan.compile.program import Instruction, Symbol
from tinygrad_ugan.compile.recomputation import recompute
from tinygrad_ugan.compile.row_sums import with_row_sums
from tinygrad_ugan.compile.scheduling import extents, schedule, with_partial_results
from tinygrad_ugan.compile.strided import Storage, View, c_strides, squeezed


class Piece:
    """Some instructions as kernels.

    Attributes
    ----------
    dtype : dtype
        That of all numbers.
    inputs, outputs : list of Storage
    shapes : list of tuple of int
        Those of the outputs.
    phases : list of Phase
    kernels : dict
        The kernel of every group.
    arrays : dict
        The arrays of every group, in the order of its kernel's arguments.
    operations : dict
        The vector forms that kernels use, by name.
    """

    def __init__(
        self,
        instructions: Sequence[Instruction],
        inputs: Sequence[Symbol],
        outputs: Sequence[Any],
        dtype: np.dtype[Any],
    ) -> None:
        self.dtype = dtype
        translation = Translation(dtype)
        self.inputs = [translation.add_input(x) for x in inputs]
        for call in instructions:
            translation.add(call)
        self.outputs = list[Storage]()
        for x in outputs:
            taken = (*self.inputs, *self.outputs)
            self.outputs.append(translation.whole(translation.result(x), taken))
        self.shapes = [x.shape for x in outputs]
        self.operations = translation.forms
        groups = fuse(translation.operations, self.outputs)
        recompute(groups, self.outputs)
        groups = with_partial_results(with_row_sums(groups, self.outputs))
        uses = count_uses((each for group in groups for each in group.operations), self.outputs)
        self.phases = schedule(groups)
        self.kernels: dict[Group, AnyForm] = {}
        self.arrays: dict[Group, list[View]] = {}
        for group in (x for phase in self.phases for each in phase.sections for x in each.groups):
            self.kernels[group], self.arrays[group] = _form(group, group.stored(uses))


def _form(group: Group, written: Sequence[Storage]) -> tuple[AnyForm, list[View]]:
    """The kernel of a group, and its arrays in the order of the arguments."""
    if group.copying:
        return _copies(group.copying)
    product, loads = group.product, group.loads()
    if isinstance(product, RowProduct):
        return _sum_of_rows(product)
    numbers: dict[Storage | View, int] = {x: i for i, x in enumerate(loads)}
    if product:
        numbers[product.out] = len(numbers)
    steps = []
    for each in group.maps:
        steps.append(Step(each.operation, tuple(_number(x, numbers) for x in each.operands)))
        numbers[each.out] = len(numbers)
    stores = [View.of(x).reshaped(extents(group)) for x in written]
    sums = [_result(each) for each in group.reductions]
    space, accesses, over = _collapsed(group, [*loads, *stores, *sums])
    first, last = len(loads), len(loads) + len(stores)
    form = KernelForm(
        space,
        loads=accesses[:first],
        segments=_segments(product) if product else (),
        steps=tuple(steps),
        stores=tuple(map(Store, (numbers[x] for x in written), accesses[first:last])),
        reductions=tuple(
            Reduction(_place(each.operand, numbers), each.operation, access)
            for each, access in zip(group.reductions, accesses[last:], strict=True)
        ),
        reduced=over,
    )
    terms = itertools.chain(*product.terms) if product else ()
    return form, [*loads, *terms, *stores, *sums]


def _copies(each: Windowing | Joining) -> tuple[AnyForm, list[View]]:
    """The kernel of windows, or of arrays that are joined."""
    if isinstance(each, Joining):
        rows, repeats, _ = each.out.shape
        return JoinedForm(rows, repeats, each.runs), [*reads(each), View.of(each.out)]
    *_, channels = each.out.shape
    form = WindowsForm(each.windows, each.out.shape[0], channels, each.is_sum)
    return form, [each.operand, View.of(each.out)]


def _sum_of_rows(product: RowProduct) -> tuple[KernelForm, list[View]]:
    """The kernel that adds a block of rows to the sum of a part."""
    part = View(product.out, product.shape, c_strides(product.shape))
    access = Access(part.strides)
    form = KernelForm(
        product.shape,
        loads=(access,),
        segments=_segments(product),
        steps=(Step(ADD, (0, 1)),),
        stores=(Store(2, access),),
        is_whole=True,
    )
    return form, [part, *itertools.chain(*product.terms), part]


def _number(x: Operand, numbers: dict[Storage | View, int]) -> int | float:
    """The number of the value that an operand is; a constant stands for itself."""
    return _place(x, numbers) if isinstance(x, View) else x


def _place(x: View, numbers: dict[Storage | View, int]) -> int:
    return numbers[x] if x in numbers else numbers[x.storage]


def _segments(product: Product) -> tuple[Segment, ...]:
    return tuple(
        Segment(a.shape[1], Access(a.strides), Access(b.strides)) for a, b in product.terms
    )


def _result(each: Reduce) -> View:
    """The result of a reduction along the axes of its operand."""
    kept = tuple(1 if i in each.axes else n for i, n in enumerate(each.operand.shape))
    strides = (0 if i in each.axes else s for i, s in enumerate(c_strides(kept)))
    return View(each.out, each.operand.shape, tuple(strides))


def _collapsed(
    group: Group, views: Sequence[View]
) -> tuple[tuple[int, ...], tuple[Access, ...], tuple[bool, ...]]:
    """The space of a kernel, its accesses, and the axes of reductions.

    Neighbouring axes become one where all views run through them as through one; but not the first,
    of which calls run parts.
    """
    space = extents(group)
    lines = []
    for x in views:
        strides = iter(squeezed(x.shape, x.strides))
        lines.append([0 if n == 1 else next(strides) for n in space])
    over = list(reduced(group.reductions[0])) if group.reductions else [False] * len(space)
    over = over or [True]  # a number is a sum over one point
    extent = list(space)
    for i in reversed(range(1, len(space) - 1)) if not group.product else ():
        alike = over[i] == over[i + 1]
        if alike and all(line[i] == line[i + 1] * extent[i + 1] for line in lines):
            extent[i : i + 2] = [extent[i] * extent[i + 1]]
            del over[i]
            for line in lines:
                del line[i]
    accesses = tuple(
        Access(tuple(line), is_mask=x.dtype == np.bool_)
        for x, line in zip(views, lines, strict=True)
    )
    return tuple(extent), accesses, tuple(over) if group.reductions else ()
