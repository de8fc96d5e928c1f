"""How programs lay out their memory and deal out their rows."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import parameters, threads
from tinygrad_ugan.kernels.program import (
    BASE,
    FIRST_ROW,
    K,
    Program,
    Slot,
    aligned,
    split,
)

LINE = 64  # bytes, of a cache line
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@each_dtype
@each_target
def test_arrays_begin_at_cache_lines_and_have_room_of_their_own(target, dtype):
    p, itemsize = Program(target, dtype), np.dtype(dtype).itemsize
    p.phase(1)
    end = 0
    for rows, columns, copies in itertools.product((1, 3, 17), (1, 8, 33, 128), (1, 3)):
        for array, tall in (
            (p.array(rows, columns, copies), target.padded(rows, dtype)),
            (p.vector(columns, copies), 1),
        ):
            start = array.address[BASE]
            assert start % LINE == array.copy % LINE == 0
            assert start > end or start == 0  # and equal places are not on each other in the cache
            end = start + copies * array.copy
            assert array.ld >= target.padded(columns, dtype)
            assert array.copy == array.size * itemsize >= tall * array.ld * itemsize
            assert array.address[BASE + 1 :] == (0, 0, 0, 0, 0)
    executable = p.compile()
    assert executable._memory.nbytes == p._size > end
    assert executable.nbytes > p._size  # and the tables
    assert executable._memory.ctypes.data % LINE == 0


@each_target
def test_rows_do_not_fall_on_each_other_in_the_cache(target):
    p = Program(target, np.float32)
    assert all(p.array(8, columns).ld * 4 % 512 != 0 for columns in range(1, 600))


def test_arrays_outside_lie_in_memory_of_their_own():
    p = Program(TARGETS["avx2"], np.float64)
    inner = p.array(3, 5)
    with p.external():
        first, second = p.array(3, 5), p.array(3, 5)
    after = p.array(3, 5)
    assert [a.external for a in (inner, first, second, after)] == [False, True, True, False]
    assert inner.address[BASE] == first.address[BASE] == 0
    assert second.address[BASE] == after.address[BASE] == p.external_size // 2 == p._size // 2


def test_what_is_outside_is_read_where_a_run_is_told():
    p = Program(TARGETS["avx2"], np.float64)
    with p.external():
        p.array(2, 3)
        x = p.array(2, 8)
    y = p.array(2, 8)
    p.run_phase(p.phase(1))
    p.once(rows=2)
    p.call(parameters.scaled, x=x, ld=x.ld, scale=p.constant(3.0), out=y, n=8)
    executable = p.compile()
    for value in (1.0, 2.0):
        memory = aligned(p.external_size)
        memory[x.address[BASE] : x.address[BASE] + x.copy].view(np.float64)[:] = value
        executable.run(external=memory)
        np.testing.assert_array_equal(executable.view(y), np.full((2, 8), 3 * value))


def test_constants_are_there_before_the_first_run_and_once_each():
    p = Program(TARGETS["avx2"], np.float32)
    p.phase(1)
    one, row = p.constant(1.5), p.constants([1.0, 2.0, 3.0])
    assert p.constant(1.5) is one
    assert p.constant(2.5) is not one
    executable = p.compile()
    np.testing.assert_array_equal(executable.view(one), [[1.5]])
    np.testing.assert_array_equal(executable.view(row), [[1.0, 2.0, 3.0]])


def test_copies_are_views_one_after_the_other():
    p = Program(TARGETS["avx2"], np.float64)
    p.phase(1)
    x = p.array(3, 5, copies=2)
    executable = p.compile()
    for copy in range(2):
        executable.view(x, copy)[:] = copy + 1
    assert executable.view(x).shape == (3, 5)
    assert executable._memory.view(np.float64).sum() == 15 * (1 + 2)
    assert x.along(K).address[K] == x.copy
    assert x.row(2).address[BASE] - x.address[BASE] == 2 * x.ld * 8


def test_places_are_numbered_one_after_the_other():
    p = Program(TARGETS["avx2"], np.float64)
    assert [p.input("x", (2,)), p.input("y", (1,), 3), p.input("z", ())] == [
        Slot(0),
        Slot(1),
        Slot(4),
    ]
    assert p.result((2,)).along_steps == Slot(5, per_step=True)
    assert [p.number(), p.number()] == [Slot(0), Slot(1)]


def test_steps_take_slots_one_after_the_other():
    p = Program(TARGETS["avx2"], np.float64)
    one, many = p.constant(1.0), p.result((), 3)
    x = p.array(1, 4)
    phase = p.phase(1)
    p.once()
    p.call(parameters.copy_out, x=one, ldx=4, first=FIRST_ROW, out=many.along_steps, n=1)
    p.call(parameters.copy_out, x=x, ldx=4, first=FIRST_ROW, out=many, n=1)
    for k in (2, 1):
        p.run_phase(phase, k)
    out = np.full(3, 7.0)
    p.compile().run(results=[out[i : i + 1].reshape(()) for i in range(3)])
    assert out.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("chunks", "alone"), [((1, 1), True), ((1, 2), False), ((2, 2), False)])
def test_a_program_runs_alone_where_no_phase_is_for_several_threads(monkeypatch, chunks, alone):
    p, asked = Program(TARGETS["avx2"], np.float64), []
    for n in chunks:
        p.run_phase(p.phase(n))
    executable = p.compile()
    pool = SimpleNamespace(run=lambda *given, alone: asked.append((given, alone)))
    monkeypatch.setattr(threads, "pool", lambda: pool)
    executable.run()
    assert asked == [((executable._header_address, TARGETS["avx2"]), alone)]


def test_a_call_needs_all_arguments_and_no_others():
    p = Program(TARGETS["avx2"], np.float64)
    x = p.array(1, 8)
    p.phase(1)
    p.once()
    with pytest.raises(AssertionError, match="scaled"):
        p.call(parameters.scaled, x=x, ld=8, out=x, n=8)
    with pytest.raises(AssertionError, match="scaled"):
        p.call(parameters.scaled, x=x, ld=8, scale=x, out=x, n=8, m=8)


@pytest.mark.parametrize("chunks", [1, 2, 5])
@pytest.mark.parametrize(
    ("rows", "block", "unit"), [(1, 4, 1), (64, 16, 8), (70, 16, 8), (5, 2, 2)]
)
def test_rows_are_dealt_out_in_order_and_in_whole_units(rows, chunks, block, unit):
    dealt = split(rows, chunks, block, unit)
    assert len(dealt) == chunks
    sizes = [sum(n for _, n in blocks) for blocks in dealt]
    assert max(sizes) - min(sizes) <= unit
    every = list(itertools.chain(*dealt))
    ends = [0, *itertools.accumulate(n for _, n in every)]
    assert [start for start, _ in every] == ends[:-1]
    assert all(0 < n <= block and start % unit == n % unit == 0 for start, n in every)
    assert rows <= ends[-1] < rows + unit


@pytest.mark.parametrize("size", [0, 1, 64, 1000])
def test_aligned_memory_is_zero_and_begins_at_a_cache_line(size):
    for _ in range(10):
        memory = aligned(size)
        assert memory.size == size
        assert memory.ctypes.data % LINE == 0 or size == 0
        assert not memory.any()
