"""Pieces of programs that run in kernels, with NumPy in the place of machine code.

The tables are read as the executor reads them. Parts of a phase take turns in a random order, call
by call, as on many threads.
"""

import contextlib
from types import SimpleNamespace

import numpy as np

from tests.compile.forms import by_elements, interpret, join, shapes
from tests.compile.programs import recorded
from tinygrad_ugan.compile import assembly
from tinygrad_ugan.compile.kernel_form import JoinedForm, WindowsForm
from tinygrad_ugan.compile.kernels import Kernels
from tinygrad_ugan.compile.lowering import with_kernels
from tinygrad_ugan.compile.operations import ADD, AS_NUMBER, COPY, Translation
from tinygrad_ugan.compile.passes import improved
from tinygrad_ugan.compile.strided import c_strides
from tinygrad_ugan.kernels import threads
from tinygrad_ugan.kernels.executor import CALL_WORDS
from tinygrad_ugan.kernels.plain import WORD, memory

OWN = {
    COPY: lambda x: x,
    ADD: np.add,
    "divide": np.divide,
    AS_NUMBER: lambda x: np.where(x, 1.0, 0.0),
}


def simplified(f, *xs):
    """The program of a function as it is lowered."""
    return improved(recorded(f, *xs))


def lowered(f, *xs):
    """The program of a function, with kernels."""
    return with_kernels(simplified(f, *xs))


def pieces(program):
    """What runs in kernels, of a lowered program."""
    found = (each.function for each in program.instructions)
    return [each for each in found if isinstance(each, Kernels)]


def translated(f, *xs):
    """The operations of a function of which kernels can do everything, and its outputs."""
    program = simplified(f, *xs)
    translation = Translation(xs[0].dtype)
    for x in program.inputs:
        translation.add_input(x)
    for call in program.instructions:
        translation.add(call)
    outputs = [translation.whole(translation.result(y)) for y in program.outputs]
    return translation.operations, outputs


@contextlib.contextmanager
def by_numpy(monkeypatch, program, seed=0):
    """Let NumPy run what is lowered meanwhile, parts of `program`."""
    named = {
        f"{getattr(each.function, '__module__', 'numpy')}.{each.function.__name__}": each.function
        for each in program.instructions
        if hasattr(each.function, "__name__")
    }
    run = _Runner({**named, **OWN}, np.random.default_rng(seed))
    with monkeypatch.context() as patch:
        patch.setattr(assembly, "load", run.load)
        patch.setattr(threads, "pool", lambda: SimpleNamespace(run=run))
        yield


def poison(program):
    """Fill the memory of all pieces with NaN."""
    for piece in pieces(program):
        for executable in piece._idle:
            executable._memory[:] = 255


class _Runner:
    def __init__(self, functions, rng):
        self._functions, self._rng = functions, rng
        self._forms = []

    def load(self, forms, operations, target, dtype):
        """The numbers of kernels, in place of addresses."""
        first = len(self._forms)
        self._forms += [(form, dtype) for form in forms]
        return SimpleNamespace(addresses=range(first, len(self._forms)), nbytes=0)

    def __call__(self, header, target, *, alone):
        entries, schedule, *tables = _words(header, 6).tolist()
        for phase, *steps in _words(schedule, entries * 4).reshape(-1, 4).tolist():
            for place, row, rows, chunk in self._shuffled(phase, *tables):
                call = _words(place, CALL_WORDS)
                numbers = np.array([1, row, chunk, *steps]) @ call[8:].reshape(6, -1)
                self._call(*self._forms[call[0]], numbers.tolist(), rows)

    def _shuffled(self, phase, phases, sections, calls, blocks):
        chunks, first, last = _words(phases + 24 * phase, 3).tolist()
        queues = [[] for _ in range(chunks)]
        for section in range(first, last):
            begin, end, starts = _words(sections + 24 * section, 3).tolist()
            for chunk, queue in enumerate(queues):
                for block in range(*_words(starts + 8 * chunk, 2).tolist()):
                    row, rows = _words(blocks + 16 * block, 2).tolist()
                    places = (calls + 8 * CALL_WORDS * c for c in range(begin, end))
                    queue += [(place, row, rows, chunk) for place in places]
        order = [chunk for chunk, queue in enumerate(queues) for _ in queue]
        self._rng.shuffle(order)
        turns = [iter(queue) for queue in queues]
        return [next(turns[chunk]) for chunk in order]

    def _call(self, form, dtype, numbers, rows):
        first, *addresses = numbers
        if isinstance(form, WindowsForm):
            self._window(form, np.dtype(dtype), addresses, first, rows)
            return
        if isinstance(form, JoinedForm):
            _join(form, addresses, dtype, slice(first, first + rows))
            return
        if form.is_whole:
            first, rows = 0, form.space[0]
        arrays = [
            memory(
                address,
                tuple(n if s else 1 for n, s in zip(shape, access.strides, strict=True)),
                access.strides,
                np.dtype(np.bool_ if access.is_mask else dtype),
            )
            for address, access, shape in zip(addresses, form.arguments, shapes(form), strict=False)
        ]
        interpret(form, arrays, first, rows, self._functions)

    def _window(self, form, dtype, addresses, first, rows):
        places = [form.windows.size, (*form.windows.counts, *form.windows.kernel)]
        shapes = [(form.images, *place, form.channels) for place in places]
        pairs = zip(addresses, reversed(shapes) if form.is_sum else shapes, strict=False)
        arrays = (memory(address, shape, c_strides(shape), dtype) for address, shape in pairs)
        by_elements(form, *arrays, first, rows)


def _join(form, addresses, dtype, part):
    given = [run for run, is_given in form.runs if is_given]
    shapes = [(form.rows, form.repeats, run) for run in (*given, form.columns)]
    *arrays, out = (
        memory(place, shape, c_strides(shape), dtype)
        for place, shape in zip(addresses, shapes, strict=False)
    )
    join(form, arrays, out, part)


def _words(address, count):
    return memory(address, (count,), (1,), WORD)
