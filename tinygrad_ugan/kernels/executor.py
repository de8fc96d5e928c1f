"""The executor: one compiled loop that runs any program, on any number of threads.

A program is a table of numbers. Its *schedule* is a list of entries ``(phase, k, i, j)``, run one
after the other. A *phase* has a number of independent chunks: threads claim them by an atomic
counter, and all wait for the last chunk before the next entry. The thread that starts the program
claims chunks from the front and helpers from the back, so that a chunk is likely to run on the
processor that has its data in cache from the phase before. A chunk runs its *sections*; a section
iterates over blocks of rows and makes the same *calls* on each.

A call receives 16 numbers, each an affine function of the position in the program::

    base + row * s_row + chunk * s_chunk + k * s_k + i * s_i + j * s_j

so that one call serves all rows, chunks and steps. Results depend on chunks and blocks alone, never
on threads, so they are bit-identical for any number of threads.
"""

from __future__ import annotations

import contextlib
import platform
import sys
from collections.abc import Callable, Iterator

import numpy as np
from llvmlite import ir

from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.emitter import I64, Emitter, Value
from tinygrad_ugan.kernels.kernel import MAX_ARGUMENTS
from tinygrad_ugan.kernels.target import Target

# Words of the header of a program, and of a job.
ENTRIES, SCHEDULE, PHASES, SECTIONS, CALLS, BLOCKS, CLAIMED, DONE = range(8)
PROGRAM, INSIDE, TAKEN = range(3)
# Words of a call: the address of the kernel, room, and then base and strides.
CALL_WORDS = 8 + 6 * MAX_ARGUMENTS

_SPINS = 200  # of a waiting thread before it yields, as threads of BLAS spin too
_IDLE_YIELDS = 300  # of a helper without work, before it sleeps
_HALF = 8  # the arguments of a call are computed in two vectors


def runner(target: Target) -> int:
    """The address of ``run(header, job)``: run a program, helped by the threads that serve `job`.

    It runs alone if `job` is 0, or taken by another program. The job is taken in compiled code,
    because in Python an interrupt could come between taking it and giving it back.
    """
    return jit_cache.load_function("run", target, lambda: _emit_run(target))


def server(target: Target) -> int:
    """The address of ``serve(job)``: help to run the job's programs until none comes for long."""
    return jit_cache.load_function("serve", target, lambda: _emit_serve(target))


def _emit_run(target: Target) -> ir.Module:
    e = Emitter("run", target, np.float64)
    header = Value(e, e.function.args[0])
    job = Value(e, e.function.args[1])
    jobs = _words(e, job)
    is_mine = e.variable(e.index(0))
    with e.when(job > 0):
        is_mine.set(e.index(1) - _exchange(e, jobs, TAKEN, e.index(1)))
    with e.when(is_mine.get() > 0):
        _exchange(e, jobs, PROGRAM, _address(e, header))
    _run(e, header, from_front=True)
    with e.when(is_mine.get() > 0):
        _exchange(e, jobs, PROGRAM, e.index(0))
        _wait(e, lambda: _atomic_load(e, jobs, INSIDE) <= 0)
        _exchange(e, jobs, TAKEN, e.index(0))
    return e.finish()


def _emit_serve(target: Target) -> ir.Module:
    e = Emitter("serve", target, np.float64)
    job = Value(e, e.function.args[0])
    idle = e.variable(e.index(0))
    with _until(e) as leave:
        _spin(e, lambda: _atomic_load(e, job, PROGRAM) > 0)
        idle.set(idle.get() + 1)
        with e.when(_atomic_load(e, job, PROGRAM) > 0):
            _atomic_add(e, job, INSIDE, 1)
            program = _atomic_load(e, job, PROGRAM)
            with e.when(program > 0):  # still running, and it waits for all threads inside
                _run(e, _words(e, program), from_front=False)
            _atomic_add(e, job, INSIDE, -1)
            idle.set(e.index(0))
        with e.when(idle.get() > 0):
            _yield_processor(e)
        leave(idle.get() > _IDLE_YIELDS)
    return e.finish()


def _run(e: Emitter, header: Value, *, from_front: bool) -> None:
    word = [_load(e, header, i) for i in range(8)]
    schedule, phases, claimed, done = (
        _words(e, word[i]) for i in (SCHEDULE, PHASES, CLAIMED, DONE)
    )
    with e.loop(word[ENTRIES]) as entry:
        phase, k, i, j = (_load(e, schedule, 4 * entry + c) for c in range(4))
        chunks = _load(e, phases, 3 * phase)
        sections = [_load(e, phases, 3 * phase + c) for c in (1, 2)]
        mine = e.variable(e.index(0))
        with _until(e) as leave:
            front, back = _claim(e, claimed, entry, from_front=from_front)
            leave(front + back >= chunks)
            chunk = front if from_front else chunks - 1 - back
            _run_chunk(e, word, sections, chunk, (k, i, j))
            mine.set(mine.get() + 1)
        _atomic_add(e, done, entry, mine.get())
        _wait(e, lambda: _atomic_load(e, done, entry) >= chunks)


def _claim(e: Emitter, claimed: Value, entry: Value, *, from_front: bool) -> tuple[Value, Value]:
    """Claim a chunk; return how many had been claimed from the front and from the back.

    Both counts are halves of one word, so that one atomic addition claims.
    """
    before = _atomic_add(e, claimed, entry, 1 if from_front else 1 << 32)
    return before & e.index(2**32 - 1), before >> 32


def _run_chunk(
    e: Emitter, header: list[Value], sections: list[Value], chunk: Value, place: tuple[Value, ...]
) -> None:
    section_words, calls, blocks = (_words(e, header[i]) for i in (SECTIONS, CALLS, BLOCKS))
    first, last = sections
    with e.loop(last, first) as section:
        begin, end = (_load(e, section_words, 3 * section + c) for c in (0, 1))
        starts = _words(e, _load(e, section_words, 3 * section + 2))
        with e.loop(_load(e, starts, chunk + 1), _load(e, starts, chunk)) as block:
            row, rows = (_load(e, blocks, 2 * block + c) for c in (0, 1))
            with e.loop(end, begin) as call:
                _call(e, e.at(calls, call * CALL_WORDS), (row, chunk, *place), rows)


def _call(e: Emitter, call: Value, place: tuple[Value, ...], rows: Value) -> None:
    """Compute the arguments of a call and make it."""
    with e.builder.goto_entry_block():
        slot = e.builder.alloca(ir.ArrayType(I64, MAX_ARGUMENTS))
        slot.align = 64
        arguments = Value(e, e.builder.bitcast(slot, I64.as_pointer()))
    for half in range(0, MAX_ARGUMENTS, _HALF):
        total = _load_half(e, call, 8 + half)
        for c, factor in enumerate(place):
            stride = _load_half(e, call, 8 + (c + 1) * MAX_ARGUMENTS + half)
            total = total + stride * _repeat(e, factor)
        out = e.builder.bitcast(e.at(arguments, half).ir, total.ir.type.as_pointer())
        e.builder.store(total.ir, out, align=64)
    kernel = e.builder.inttoptr(_load(e, call, 0).ir, e.function.type)
    e.builder.call(kernel, [arguments.ir, rows.ir])


def _load_half(e: Emitter, base: Value, offset: int) -> Value:
    kind = ir.VectorType(I64, _HALF)
    place = e.builder.bitcast(e.at(base, offset).ir, kind.as_pointer())
    return Value(e, e.builder.load(place, align=64))


def _repeat(e: Emitter, x: Value) -> Value:
    kind = ir.VectorType(I64, _HALF)
    first = e.builder.insert_element(ir.Constant(kind, ir.Undefined), x.ir, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _HALF), None)
    return Value(e, e.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros))


# Words of memory


def _words(e: Emitter, address: Value) -> Value:
    return Value(e, e.builder.inttoptr(address.ir, I64.as_pointer()))


def _address(e: Emitter, pointer: Value) -> Value:
    return Value(e, e.builder.ptrtoint(pointer.ir, I64))


def _load(e: Emitter, base: Value, offset: Value | int) -> Value:
    return e.load_scalar(base, offset)


def _atomic_load(e: Emitter, base: Value, offset: Value | int) -> Value:
    return Value(e, e.builder.load_atomic(e.at(base, offset).ir, "seq_cst", 8))


def _atomic_add(e: Emitter, base: Value, offset: Value | int, x: Value | int) -> Value:
    place, x = e.at(base, offset).ir, e.like(x, e.index(0))
    return Value(e, e.builder.atomic_rmw("add", place, x.ir, "seq_cst"))


def _exchange(e: Emitter, base: Value, offset: int, x: Value) -> Value:
    return Value(e, e.builder.atomic_rmw("xchg", e.at(base, offset).ir, x.ir, "seq_cst"))


# Waiting


@contextlib.contextmanager
def _until(e: Emitter) -> Iterator[Callable[[Value], None]]:
    """``while True``, left by ``leave(condition)``."""

    def leave(condition: Value) -> None:
        on = e.function.append_basic_block("on")
        e.builder.cbranch(condition.ir, left, on)
        e.builder.position_at_end(on)

    again, left = (e.function.append_basic_block(name) for name in ("again", "left"))
    e.builder.branch(again)
    e.builder.position_at_end(again)
    yield leave
    e.builder.branch(again)
    e.builder.position_at_end(left)


def _wait(e: Emitter, condition: Callable[[], Value]) -> None:
    """Spin until the condition holds, yielding the processor now and then."""
    with _until(e) as leave:
        _spin(e, condition)
        leave(condition())
        _yield_processor(e)


def _spin(e: Emitter, condition: Callable[[], Value]) -> None:
    """Spin for the condition, at most `_SPINS` times."""
    spins = e.variable(e.index(0))
    with _until(e) as leave:
        leave(condition() | (spins.get() >= _SPINS))
        _pause(e)
        spins.set(spins.get() + 1)


def _pause(e: Emitter) -> None:
    """Hint to the processor that this is a spin loop."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        _call_external(e, "llvm.x86.sse2.pause", ir.VoidType())
    elif platform.machine().lower() in ("arm64", "aarch64"):
        _call_external(e, "llvm.aarch64.hint", ir.VoidType(), ir.IntType(32)(1))


def _yield_processor(e: Emitter) -> None:
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    _call_external(e, name, ir.IntType(32))


def _call_external(e: Emitter, name: str, result: ir.Type, *arguments: ir.Constant) -> None:
    kind = ir.FunctionType(result, [x.type for x in arguments])
    function = e.module.globals.get(name) or ir.Function(e.module, kind, name)
    e.builder.call(function, arguments)
