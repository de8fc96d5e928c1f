"""Machine code, memory and calls of pieces, on every target."""

import gc
import itertools
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_ugan as ug
from tests.compile.matrix_functions import arguments, functions
from tests.compile.pieces import lowered, pieces, simplified
from tests.kernels import test_bounds
from tests.kernels.emitted import TARGETS
from tinygrad_ugan.autodiff.primitive import elementwise
from tinygrad_ugan.compile import assembly, row_sums, scheduling
from tinygrad_ugan.compile.lowering import with_kernels
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.scheduling import CHUNKS
from tinygrad_ugan.kernels.program import NOWHERE, Place, Program
from tinygrad_ugan.kernels.target import host_target as target_of_host


@pytest.fixture(params=TARGETS)
def target(request, monkeypatch):
    """What pieces are assembled for."""
    monkeypatch.setattr(assembly, "host_target", lambda: TARGETS[request.param])


def layers(x, w, b):
    """A network, its loss, and the gradients of its last layer."""
    for _ in range(2):
        x = np.maximum(x @ w + b, 0.1 * x)
    y = np.tanh(x @ w[:, :1])
    return np.mean(y**2), x.T @ (y * (1 - y * y)), np.max(x, axis=0), np.sum(x, axis=1)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 37, 320])
def test_whole_programs_on_every_target(rows, dtype, rng):
    shapes = (rows, 24), (24, 24), (24,)
    xs = [np.asarray(rng.standard_normal(shape) / 3, dtype) for shape in shapes]
    program = simplified(layers, *xs)
    found = Replay(with_kernels(program))(xs)
    for x, y in zip(found, Replay(program)(xs), strict=True):
        scale = 100 * np.finfo(dtype).eps * max(1, np.abs(y).max())
        np.testing.assert_allclose(x, y, rtol=0, atol=scale)


def run_guarded(target):
    """Random functions, whose arrays and memory lie before forbidden pages."""
    test_bounds.guard()
    assembly.host_target = lambda: TARGETS[target]
    scheduling.PARALLEL = row_sums.CACHE = 0

    @settings(max_examples=settings().max_examples // 5)
    @given(f=functions())
    def run(f):
        xs = [test_bounds.guarded(x) for x in arguments(f)]
        program = simplified(f, *xs)
        for x, y in zip(Replay(with_kernels(program))(xs), Replay(program)(xs), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)

    run()


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_behind_the_arrays_is_touched(target):
    code = f"""
import tests.conftest
from tests.compile.test_assembly import run_guarded
run_guarded({target!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)


def parallel(x, w):
    """Layers, and sums over rows in parts."""
    y = np.tanh(x @ w)
    z = np.tanh(y @ w) * np.sum(y, axis=1, keepdims=True)
    return x.T @ z, y.T @ z, np.sum(z, axis=0), np.max(z, axis=0), np.mean(y)


def test_any_number_of_threads_gives_the_same_bits(rng):
    x = np.asarray(rng.standard_normal((1024, 128)), np.float32)
    w = np.asarray(rng.standard_normal((128, 128)) / 10, np.float32)
    (piece,) = pieces(lowered(parallel, x, w))
    assert max(phase.chunks for phase in piece.phases) == CHUNKS
    assert any(section.row_products for phase in piece.phases for section in phase.sections)
    found, before = set(), ug.get_num_threads()
    for threads in (1, 2, 3, 4):
        ug.set_num_threads(threads)
        found |= {b"".join(y.tobytes() for y in piece(x, w)) for _ in range(100)}
    ug.set_num_threads(before)
    assert len(found) == 1


def multiplied_by(k):
    """A function of the name of others."""

    def multiplied(x):
        return k * x

    return elementwise(multiplied, lambda ans, x: k, vector=lambda e, x: float(k) * x)


def test_functions_of_one_name_have_their_own_code():
    """In one program, and in the cache."""
    two, three, x = multiplied_by(2), multiplied_by(3), np.ones(5)
    for f in (lambda x: two(x) + 10 * three(x), lambda x: two(x) + 1, lambda x: three(x) + 1):
        np.testing.assert_array_equal(ug.compile(f)(x), f(x))


def test_a_dropped_function_gives_its_machine_code_and_memory_back():
    compiled = ug.compile(lambda x: np.tanh(x) * np.exp(x) + 12345.0)
    compiled(np.ones(5))
    (entry,) = compiled._programs.values()
    (piece,) = pieces(entry.lowered)
    (executable,) = piece._idle
    (code,) = executable._code
    assert executable.nbytes >= code.nbytes
    kept = [weakref.ref(x) for x in (piece, executable, code, executable._memory.base)]
    del compiled, entry, piece, executable, code
    gc.collect()
    assert [x() for x in kept] == [None] * len(kept)


def resident():
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs procfs")
def test_changing_shapes_do_not_let_the_process_grow():
    """But for what is kept, and what Python and the system have not given back yet."""
    compiled = ug.compile(lambda x: np.exp(np.tanh(x) * 2) + 1, max_bytes=2**18)
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    shapes = iter(range(1000, 10_000))
    for _ in range(50):
        compiled(np.ones(next(shapes)))
    growth = []
    for _ in range(3):  # the system may take some memory once, a leak takes it every time
        before = resident()
        for _ in range(1700 if deep else 70):
            compiled(np.ones(next(shapes)))
        growth.append(resident() - before)
    assert compiled.nbytes <= 2**18
    assert min(growth) < (2**24 if deep else 2**21)


def test_kernels_that_are_alike_share_their_code(monkeypatch):
    loaded = []
    load = assembly.load
    monkeypatch.setattr(assembly, "load", lambda forms, *_: loaded.extend(forms) or load(forms, *_))
    (piece,) = pieces(lowered(lambda x: np.tanh(np.tanh(x @ x) @ x), np.ones((16, 16))))
    assert len(piece.kernels) == 2
    assert len(loaded) == 1


def test_pieces_run_one_after_the_other_in_one_program(rng):
    """The same piece several times, from and to other places."""
    x, w = rng.standard_normal((40, 8)), rng.standard_normal((8, 8)) / 3
    (piece,) = pieces(lowered(lambda x, w: np.tanh(x @ w), x, w))
    program = Program(target_of_host(), piece.dtype)
    first, weights = (Place(NOWHERE, program.input("input", each.shape)) for each in (x, w))
    last = Place(NOWHERE, program.result(x.shape))
    rooms = [program.memory(x.nbytes) for _ in range(2)]
    chain = assembly.Assembly(program, [piece])
    for source, goal in itertools.pairwise([first, *rooms, last]):
        chain.add(piece, [source, weights], [goal])
    (found,) = program.compile().run([x, w])
    for _ in range(3):
        x = np.tanh(x @ w)
    np.testing.assert_allclose(found, x, rtol=1e-13)


def test_constants_live_as_long_as_their_executable():
    program = Program(target_of_host(), np.float64)
    (piece,) = pieces(lowered(lambda x: np.tanh(x) + 1.0, np.ones(6)))
    goal = Place(NOWHERE, program.result((6,)))
    constant = np.full(6, 0.5)
    chain = assembly.Assembly(program, [piece])
    chain.add(piece, [Place(NOWHERE, constant=constant)], [goal])
    executable, kept = program.compile(), weakref.ref(constant)
    del program, chain, constant
    gc.collect()
    assert kept() is not None
    np.testing.assert_allclose(executable.run()[0], np.tanh(0.5) + 1.0, rtol=1e-13)
