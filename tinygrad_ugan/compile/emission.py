"""Machine code of kernels that are given as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llvmlite import ir
from numpy.typing import DTypeLike

from tinygrad_ugan.compile.joined_runs import emit_joined
from tinygrad_ugan.compile.kernel_form import Access, AnyForm, JoinedForm, KernelForm, WindowsForm
from tinygrad_ugan.compile.loop_nest import LoopNest, best_vector_axis, collapsed, moved
from tinygrad_ugan.compile.product_tiles import emit_products, is_shallow, with_steps
from tinygrad_ugan.compile.transposed_blocks import crossing_axis, emit_blocks
from tinygrad_ugan.compile.window_copies import emit_windows
from tinygrad_ugan.kernels.emitter import I8, Emitter, Value
from tinygrad_ugan.kernels.target import Target
from tinygrad_ugan.kernels.ufunc_emitter import UfuncEmitter


def emit_module(
    names: Sequence[str],
    forms: Sequence[AnyForm],
    operations: Mapping[str, Callable[..., Value]],
    target: Target,
    dtype: DTypeLike,
) -> ir.Module:
    """Write kernels as the functions of a module: see `emit`."""
    module = ir.Module("kernels")
    for name, form in zip(names, forms, strict=True):
        e = UfuncEmitter(name, target, dtype, module)
        if isinstance(form, WindowsForm):
            emit_windows(e, form)
        elif isinstance(form, JoinedForm):
            emit_joined(e, form)
        else:
            emit(e, form, operations)
        e.finish()
    return module


def emit(e: Emitter, form: KernelForm, operations: Mapping[str, Callable[..., Value]]) -> None:
    """Write the body of a kernel.

    Parameters
    ----------
    e : Emitter
    form : KernelForm
    operations : Mapping of str to callable
        The vector form of every operation of a step, ``f(e, *vectors) -> vector``.
    """
    first = e.integer()
    addresses = [_address(e, access) for access in form.arguments]
    starts = [
        address if stays or form.is_whole else moved(e, address, first, access.strides[0])
        for address, access, stays in zip(
            addresses, form.arguments, _along_depth(form), strict=True
        )
    ]
    is_static = form.is_whole or form.space[0] == 1
    rows: Value | int = form.space[0] if is_static else e.rows
    if is_shallow(form):
        form, operations, starts = with_steps(e, form, operations, starts)
    if form.segments:
        emit_products(e, form, operations, starts, rows)
    else:
        flat, counts = collapsed(form, rows)
        vector_axis = best_vector_axis(flat, e.lanes)
        axis = crossing_axis(flat, vector_axis, e.lanes)
        if axis is None:
            LoopNest(e, flat, operations, vector_axis).emit(starts, counts)
        else:
            emit_blocks(e, flat, operations, starts, counts, (axis, vector_axis))


def _address(e: Emitter, access: Access) -> Value:
    return e.address(e.integer(), I8 if access.is_mask else e.scalar)


def _along_depth(form: KernelForm) -> list[bool]:
    """Whether the first axis of an argument is not that of the space: of b, it is the depth."""
    written = len(form.stores) + len(form.reductions)
    return [False] * len(form.loads) + [False, True] * len(form.segments) + [False] * written
