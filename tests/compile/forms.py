"""Kernel forms: random ones, what they mean in NumPy, and how to run their machine code."""

import ctypes
import itertools
import mmap
from dataclasses import replace

import llvmlite.binding as llvm
import numpy as np
from hypothesis import strategies as st

from tests.kernels.test_windows import places
from tinygrad_ugan.compile.emission import emit_module
from tinygrad_ugan.compile.kernel_form import Access, KernelForm, Reduction, Segment, Step, Store
from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.jit_cache import compile_module

VECTOR = {
    "add": lambda e, x, y: x + y,
    "multiply": lambda e, x, y: x * y,
    "less": lambda e, x, y: x < y,
    "where": lambda e, c, x, y: e.where(c, x, y),
    "tanh": vecmath.tanh,
}
NUMPY = {name: getattr(np, name) for name in VECTOR}


# Meaning


def interpret(form, arrays, first, rows, functions=NUMPY):
    """Run a form in NumPy, on arrays in the order of its arguments; b of a segment as ``b[k, j]``.

    Every array has the axes of its access, so that one of stride 0 has one element along it.
    """
    part = slice(first, first + rows)
    space = (rows, *form.space[1:])

    def here(x):
        return x if x.shape[0] == 1 else x[part]

    arrays = iter(arrays)
    values = [here(next(arrays)) for _ in form.loads]
    if form.segments:
        pairs = [(next(arrays), next(arrays)) for _ in form.segments]
        shapes = [((rows, s.depth), (s.depth, space[1])) for s in form.segments]
        values.append(
            sum(
                np.broadcast_to(here(a), left) @ np.broadcast_to(b, right)
                for (a, b), (left, right) in zip(pairs, shapes, strict=True)
            )
        )
    for step in form.steps:
        operands = [values[x] if isinstance(x, int) else x for x in step.operands]
        values.append(functions[step.operation](*operands))
    for store in form.stores:
        here(next(arrays))[...] = np.broadcast_to(values[store.value], space)
    axes = tuple(a for a, is_reduced in enumerate(form.reduced) if is_reduced)
    for reduction in form.reductions:
        whole = np.broadcast_to(values[reduction.value], space)
        out = next(arrays)
        out = out if out.shape[0] == 1 else out[part]
        if reduction.operation == "add":
            out[...] = np.sum(whole, axes, dtype=np.float64, keepdims=True)
        else:
            out[...] = getattr(np, reduction.operation).reduce(whole, axes, keepdims=True)


def by_elements(form, source, out, first, rows):
    """Run a form of windows, on arrays of shape (images, *places, channels)."""
    part = slice(first, first + rows)
    if form.is_sum:
        out[part] = 0
    for window, place in places(form.windows):
        if form.is_sum and place is not None:
            out[part, *place] += source[part, *window]
        elif not form.is_sum:
            out[part, *window] = 0 if place is None else source[part, *place]


def join(form, arrays, out, part):
    """Run a `JoinedForm` in NumPy, on some rows."""
    arrays = iter(arrays)
    zeros = np.zeros((form.rows, form.repeats, form.columns))
    runs = [next(arrays) if is_given else zeros[..., :run] for run, is_given in form.runs]
    out[part] = np.concatenate([x[part] for x in runs], axis=2)


# Memory


def between_forbidden_pages(size, *, at_end):
    """Bytes whose neighbours, behind the last one or before the first one, may not be touched."""
    pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, pages + 2 * mmap.PAGESIZE)
    whole = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    for guard in (0, pages + mmap.PAGESIZE):
        place = ctypes.c_void_p(whole.ctypes.data + guard)
        assert libc.mprotect(place, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    inside = whole[mmap.PAGESIZE : -mmap.PAGESIZE]
    return inside[pages - size :] if at_end else inside[:size]


def unguarded(size):
    """Bytes."""
    return np.zeros(size + 8, np.uint8)[:size]


def array(access, shape, dtype, allocate=unguarded):
    """An array with the strides of an access, and its memory."""
    dtype = np.dtype(np.bool_ if access.is_mask else dtype)
    shape = [n if s else 1 for n, s in zip(shape, access.strides, strict=True)]
    reach = [(n - 1) * s for n, s in zip(shape, access.strides, strict=True)]
    size = 1 + sum(map(abs, reach))
    memory = allocate(size * dtype.itemsize).view(dtype)
    start = memory[-sum(r for r in reach if r < 0) :]
    strides = [s * dtype.itemsize for s in access.strides]
    return np.lib.stride_tricks.as_strided(start, shape, strides)


def shapes(form):
    """The shape of the space of each argument: of a segment's, (rows, depth) and (depth, n)."""
    inner = [((form.space[0], s.depth), (s.depth, form.space[1])) for s in form.segments]
    written = len(form.stores) + len(form.reductions)
    return [
        *[form.space] * len(form.loads),
        *itertools.chain.from_iterable(inner),
        *[form.space] * written,
    ]


def arrays(form, dtype, seed=0, allocate=unguarded):
    """Arrays for the arguments of a form, with small numbers in them."""
    rng = np.random.default_rng(seed)
    result = [
        array(a, n, dtype, allocate) for a, n in zip(form.arguments, shapes(form), strict=True)
    ]
    for x in result:
        x[...] = rng.integers(0, 2, x.shape) if x.dtype == bool else rng.normal(size=x.shape)
    return result


# Machine code


class Compiled:
    """The machine code of a form: call it with arrays, the first row and the number of rows."""

    def __init__(self, form, target, dtype, operations=VECTOR):
        self.form = form
        module = emit_module(["kernel"], [form], operations, target, dtype)
        self.code = compile_module(module, target)
        self.engine = llvm.create_mcjit_compiler(
            llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine()
        )
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(self.code))
        self.engine.finalize_object()
        address = self.engine.get_function_address("kernel")
        self.kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)

    def __call__(self, arrays, first=0, rows=None):
        words = np.array([first, *(x.ctypes.data for x in arrays)], np.int64)
        self.kernel(words.ctypes.data, self.form.space[0] if rows is None else rows)


# Random forms


@st.composite
def accesses(draw, space, *, dense=False, is_mask=False, written=False):
    """An access: axes in any order, some left out, some backwards, with gaps here and there."""
    order = draw(st.permutations(range(len(space))))
    if draw(st.booleans()):
        order = sorted(order)
    strides, step = [0] * len(space), 1
    for axis in reversed(order):
        if dense or written or draw(st.integers(0, 3)):
            sign = draw(st.sampled_from([1, 1, 1, -1]))
            strides[axis] = step * sign
            step = step * space[axis] + draw(st.sampled_from([0, 0, 0, 1, 3]))
    return Access(tuple(strides), is_mask)


def spaces(axes=(1, 3)):
    """Spaces of a few axes."""
    extent = st.one_of(st.integers(1, 9), st.integers(1, 40))
    return st.lists(extent, min_size=axes[0], max_size=axes[1]).map(tuple)


@st.composite
def steps(draw, floats, masks, loads):
    """Steps, and the numbers of the values that are floats, and masks."""
    floats, masks, count = list(floats), list(masks), max([*floats, *masks]) + 1
    result = []
    for n in range(count, count + draw(st.integers(0, 5))):
        name = draw(st.sampled_from(["add", "multiply", "tanh", "less", "where"]))
        float_ = st.sampled_from(floats)
        operand = st.one_of(float_, float_, st.floats(-2, 2, width=16))
        if not {"where": masks, "less": loads}.get(name, floats):
            name = "add"
        if name == "less":  # of what has no rounding
            operands = (draw(st.sampled_from(loads)), draw(st.sampled_from(loads)))
        elif name == "where":
            operands = (draw(st.sampled_from(masks)), draw(float_), draw(operand))
        elif name == "tanh":
            operands = (draw(float_),)
        else:
            operands = (draw(float_), draw(operand))
        (masks if name == "less" else floats).append(n)
        result.append(Step(name, operands))
    return tuple(result), floats, masks


@st.composite
def stores(draw, space, floats, masks, least):
    """Stores of some values."""
    result = []
    for _ in range(draw(st.integers(least, 2))):
        value = draw(st.sampled_from([*floats[-2:], *floats, *masks]))
        result.append(Store(value, draw(accesses(space, written=True, is_mask=value in masks))))
    return tuple(result)


@st.composite
def nests(draw):
    """Forms without products."""
    space = draw(spaces())
    loads = [draw(accesses(space)) for _ in range(draw(st.integers(1, 3)))]
    floats = list(range(len(loads)))
    if draw(st.booleans()):
        loads.append(draw(accesses(space, is_mask=True)))
    masks = list(range(len(floats), len(loads)))
    body, floats, masks = draw(steps(floats, masks, list(floats)))
    is_reduction = draw(st.booleans())
    reduced, reductions = (), []
    if is_reduction:
        reduced = tuple(draw(st.booleans()) for _ in space)
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(["add", "maximum", "minimum"]))
            kept = tuple(1 if r else n for n, r in zip(space, reduced, strict=True))
            access = draw(accesses(kept, written=True))
            strides = [0 if r else s for s, r in zip(access.strides, reduced, strict=True)]
            access = replace(access, strides=tuple(strides))
            reductions.append(Reduction(draw(st.sampled_from(floats)), name, access))
    written = draw(stores(space, floats, masks, 0 if is_reduction else 1))
    return KernelForm(space, tuple(loads), (), body, written, tuple(reductions), reduced)


@st.composite
def products(draw):
    """Forms with products."""
    space = draw(spaces((2, 2)))
    loads = [draw(accesses(space)) for _ in range(draw(st.integers(0, 2)))]
    segments = []
    for _ in range(draw(st.integers(1, 3))):
        depth = draw(st.one_of(st.integers(1, 6), st.integers(1, 40)))
        a, b = draw(accesses((space[0], depth))), draw(accesses((depth, space[1])))
        segments.append(Segment(depth, a, b))
    floats = list(range(len(loads) + 1))
    body, floats, masks = draw(steps(floats, [], floats[:-1]))
    written = draw(stores(space, floats, masks, 1))
    return KernelForm(space, tuple(loads), tuple(segments), body, written)


@st.composite
def parts(draw, form):
    """Some rows: the first, and their number."""
    if draw(st.booleans()):
        return 0, form.space[0]
    first = draw(st.integers(0, form.space[0] - 1))
    return first, draw(st.integers(1, form.space[0] - first))
