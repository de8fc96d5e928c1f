"""A program for the executor: buffers, phases of calls, and a schedule.

A program is built like the loop nest that it stands for: allocate matrices, open a phase and a
section, add calls by keyword. Nothing is computed until `Executable.run`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.kernels import executor, kernel, threads
from tinygrad_ugan.kernels.addresses import ArraySignature, address_of
from tinygrad_ugan.kernels.jit_cache import MachineCode
from tinygrad_ugan.kernels.target import PLAIN, Target
from tinygrad_ugan.typing import Array

# Addresses that differ by a multiple of a few KiB share a cache set, and evict each other: so equal
# elements of arrays of one size are kept apart, and so are the rows of a matrix.
_LINE = 64  # bytes of a cache line
_STAGGER = 5 * _LINE  # bytes between arrays
_CROWDED = 512  # rows whose distance is a multiple of so many bytes are moved apart by a line
_ARGUMENT_BYTES = 250  # that an argument of a call takes in Python, with the matrix it describes
BASE, ROW, CHUNK, K, I, J = range(6)
Affine = tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix in a program's memory, or several copies of one shape.

    Attributes
    ----------
    address : tuple of int
        Base, and strides along the first row of a block, chunk, and the schedule's k, i and j, in
        bytes.
    ld : int
        Leading dimension: the distance between rows, in elements.
    rows, columns : int
        The shape without pads.
    copy, size : int
        Distance between copies in bytes; number of elements of a copy, pads included.
    external : bool
        Whether it is in the memory that each call of `Executable.run` is given.
    """

    address: Affine
    ld: int
    rows: int
    columns: int
    copy: int
    size: int
    itemsize: int
    external: bool = False

    def along(self, register: int, distance: int | None = None) -> Matrix:
        """Select the copy by a register: the chunk, or the schedule's k, i or j."""
        step = self.copy if distance is None else distance
        return replace(self, address=_changed(self.address, register, step))

    @property
    def by_row(self) -> Matrix:
        """Start at the first row of the block."""
        return self.along(ROW, self.ld * self.itemsize)

    @property
    def by_element(self) -> Matrix:
        """Start at the element whose index is the first row of the block."""
        return self.along(ROW, self.itemsize)

    def row(self, r: int) -> Matrix:
        """Start at row r."""
        return self.along(BASE, r * self.ld * self.itemsize)


@dataclass(frozen=True, slots=True)
class Slot:
    """The index of a caller's array, or of an integer, in an executable's table of them.

    With `per_step`, the entry is the k-th after it.
    """

    index: int
    per_step: bool = False

    @property
    def along_steps(self) -> Slot:
        """The slot for step k."""
        return replace(self, per_step=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in memory: in that of the program, in an array of the caller's, or a fixed one.

    Attributes
    ----------
    address : tuple of int
        See `Matrix`.
    slot : Slot or None
        The caller's array that the base of the address is counted from.
    constant : ndarray or None
        The array that it is counted from, which lives as long as the program.
    """

    address: Affine
    slot: Slot | None = None
    constant: Array | None = None

    def after(self, distance: int) -> Place:
        """The position so many bytes further."""
        return self.along(BASE, distance)

    def along(self, register: int, distance: int) -> Place:
        """The position that moves by so many bytes with a register."""
        return replace(self, address=_changed(self.address, register, distance))


def _changed(numbers: Affine, register: int, step: int) -> Affine:
    base, row, chunk, k, i, j = (x + step * (r == register) for r, x in enumerate(numbers))
    return base, row, chunk, k, i, j


NOWHERE: Affine = (0, 0, 0, 0, 0, 0)
"""The address 0, for a position that is counted from something else."""

FIRST_ROW: Affine = (0, 1, 0, 0, 0, 0)
"""A count: the index of the block's first row."""

Blocks = Sequence[Sequence[tuple[int, int]]]


class Program:
    """A program under construction: see the module's text.

    Parameters
    ----------
    target : Target
    dtype : dtype
        The type of all numbers.
    """

    def __init__(self, target: Target, dtype: DTypeLike) -> None:
        self.target = target
        self.dtype = np.dtype(dtype)
        self._size = 0
        self._is_external = False
        self.external_size = 0
        self._calls: list[tuple[int, list[tuple[Any, str]]]] = []
        self._sections: list[list[Any]] = []
        self._phases: list[list[int]] = []
        self._schedule: list[tuple[int, int, int, int]] = []
        self._constants: dict[float, Matrix] = {}
        self._initial: list[tuple[Matrix, Array]] = []
        self._inputs, self._results = ArraySignature(dtype), ArraySignature(dtype)
        self._numbers = 0
        self._code: list[MachineCode] = []

    # Memory

    def array(self, rows: int, columns: int, copies: int = 1) -> Matrix:
        """Allocate `copies` matrices, initially zero."""
        return self._array(rows, self.target.padded(rows, self.dtype), columns, copies)

    def vector(self, length: int, copies: int = 1) -> Matrix:
        """Allocate `copies` vectors, initially zero."""
        return self._array(1, 1, length, copies)

    def _array(self, rows: int, tall: int, columns: int, copies: int) -> Matrix:
        ld = self.target.padded(columns, self.dtype)
        if tall > 1 and ld * self.dtype.itemsize % _CROWDED == 0:
            ld += _LINE // self.dtype.itemsize
        size = tall * ld
        copy = -(-size * self.dtype.itemsize // _LINE) * _LINE
        itemsize = self.dtype.itemsize
        address = (self._reserve(copies * copy + _STAGGER), 0, 0, 0, 0, 0)
        return Matrix(
            address, ld, rows, columns, copy, copy // itemsize, itemsize, self._is_external
        )

    def _reserve(self, size: int) -> int:
        if self._is_external:
            self.external_size += size
            return self.external_size - size
        self._size += size
        return self._size - size

    @contextlib.contextmanager
    def external(self) -> Iterator[None]:
        """Allocate in memory that the caller passes to each run, initially zero.

        Programs with the same layout of it can hand it on to each other.
        """
        self._is_external = True
        yield
        self._is_external = False

    def constants(self, values: Sequence[float]) -> Matrix:
        """Allocate a vector with given elements."""
        array = self.vector(len(values))
        self._initial.append((array, np.asarray(values, self.dtype)))
        return array

    def constant(self, value: float) -> Matrix:
        """Allocate a number, once for each value."""
        if value not in self._constants:
            self._constants[value] = self.constants([value])
        return self._constants[value]

    def memory(self, size: int) -> Place:
        """Reserve some bytes, a multiple of a cache line."""
        return Place((self._reserve(size + _STAGGER), 0, 0, 0, 0, 0))

    def input(
        self, name: str, shape: tuple[int, ...], copies: int = 1, dtype: DTypeLike | None = None
    ) -> Slot:
        """Add inputs of `Executable.run`, before all results; return the first one's slot."""
        assert not len(self._results)
        self._inputs.expect(name, shape, copies, dtype)
        return Slot(len(self._inputs) - copies)

    def result(
        self, shape: tuple[int, ...], copies: int = 1, dtype: DTypeLike | None = None
    ) -> Slot:
        """Add results of `Executable.run`; return the first one's slot."""
        self._results.expect("result", shape, copies, dtype)
        return Slot(len(self._inputs) + len(self._results) - copies)

    def number(self) -> Slot:
        """Add an integer that the caller sets: see `Executable.numbers`."""
        self._numbers += 1
        return Slot(self._numbers - 1)

    # Code

    def phase(self, chunks: int) -> int:
        """Open a phase, to which the following sections belong; return its index."""
        self._phases.append([chunks, len(self._sections), len(self._sections)])
        return len(self._phases) - 1

    @property
    def chunks(self) -> int:
        """Number of chunks of the open phase."""
        return self._phases[-1][0]

    def section(self, blocks: Blocks) -> None:
        """Open a section of the phase, given the blocks of each chunk."""
        self._sections.append([len(self._calls), len(self._calls), blocks])
        self._phases[-1][2] += 1

    def once(self, rows: int = 1) -> None:
        """Open a section that each chunk runs once, for `rows` rows or elements."""
        self.section([[(0, rows)]] * self.chunks)

    def call(self, emit: Callable[..., None], *statics: Any, **arguments: Any) -> None:
        """Call a kernel on every block of the section."""
        kinds = kernel.parameters(emit)
        assert set(kinds) == set(arguments), (emit.__name__, set(kinds) ^ set(arguments))
        values = [(arguments[name], kind) for name, kind in kinds.items()]
        address = kernel.load(emit, statics, self.target, self.dtype)
        self._calls.append((address, values))
        self._sections[-1][1] = len(self._calls)

    def keep(self, code: MachineCode) -> None:
        """Let machine code stay in memory as long as the executable."""
        self._code.append(code)

    def call_code(self, address: int, arguments: Iterable[Place]) -> None:
        """Call machine code whose arguments are the first row, and positions in memory."""
        values: list[tuple[Any, str]] = [(FIRST_ROW, "Count")]
        values += ((place, "Address") for place in arguments)
        self._calls.append((address, values))
        self._sections[-1][1] = len(self._calls)

    def run_phase(self, phase: int, k: int = 0, i: int = 0, j: int = 0) -> None:
        """Append a phase to the schedule."""
        self._schedule.append((phase, k, i, j))

    @property
    def nbytes(self) -> int:
        """The approximate size of this description."""
        return _ARGUMENT_BYTES * sum(len(values) for _, values in self._calls)

    def compile(self) -> Executable:
        """Build the tables, and allocate the memory."""
        return Executable(self)


class Executable:
    """A program with its memory, ready to run.

    Attributes
    ----------
    numbers : ndarray of int64
        The values of `Program.number`, in order.
    """

    def __init__(self, program: Program) -> None:
        self.target = program.target
        self.dtype = program.dtype
        self._memory = aligned(program._size)
        self._code = program._code
        self._constants: dict[int, Array] = {}  # those that calls have addresses of
        self._inputs, self._results = program._inputs, program._results
        self._slots = np.zeros(len(self._inputs) + len(self._results), np.int64)
        self.numbers = np.zeros(program._numbers, np.int64)
        self._external_size = program.external_size
        self._is_serial = all(chunks == 1 for chunks, _, _ in program._phases)
        self._tables = self._lay_out(program)
        for array, values in program._initial:
            self.view(array)[0, : values.size] = values

    def _lay_out(self, program: Program) -> list[NDArray[np.int64]]:
        blocks: list[tuple[int, int]] = []
        starts: list[int] = []
        sections: list[tuple[int, int, int]] = []
        known: dict[int, int] = {}
        for begin, end, table in program._sections:
            if id(table) not in known:
                known[id(table)] = len(starts)
                for chunk in table:
                    starts.append(len(blocks))
                    blocks.extend(chunk)
                starts.append(len(blocks))
            sections.append((begin, end, known[id(table)]))
        starts_table = np.array(starts, np.int64)
        sections_table = np.array(sections, np.int64).reshape(-1, 3)
        sections_table[:, 2] = starts_table.ctypes.data + 8 * sections_table[:, 2]
        calls = aligned(8 * executor.CALL_WORDS * len(program._calls)).view(np.int64)
        calls = calls.reshape(len(program._calls), executor.CALL_WORDS)
        external, moving = [], []
        for i, (row, (address, values)) in enumerate(zip(calls, program._calls, strict=True)):
            row[0] = address
            numbers = row[8:].reshape(6, -1)
            for c, (value, kind) in enumerate(values):
                numbers[:, c] = self._numbers(value, kind)
                if isinstance(value, Matrix) and value.external:
                    external.append((i, 8 + c))
                if isinstance(value, Place) and value.slot:
                    moving.append((i * executor.CALL_WORDS + 8 + c, value.slot.index))
        self._calls = calls.reshape(-1)
        self._external = np.array([i * executor.CALL_WORDS + c for i, c in external], np.intp)
        self._offsets = self._calls[self._external]
        self._moving, self._moving_slots = np.array(moving, np.intp).reshape(-1, 2).T.copy()
        self._moving_offsets = self._calls[self._moving]
        schedule = np.array(program._schedule, np.int64)
        self._counters = np.zeros((2, len(schedule)), np.int64)
        tables = [
            schedule,
            np.array(program._phases, np.int64),
            sections_table,
            calls,
            np.array(blocks, np.int64),
            self._counters[0],
            self._counters[1],
        ]
        self._header = np.array([len(schedule), *(t.ctypes.data for t in tables)], np.int64)
        self._header_address = self._header.ctypes.data
        return [*tables, starts_table]

    def _numbers(self, value: Any, kind: str) -> Affine:
        if kind == "Count":
            return (value, 0, 0, 0, 0, 0) if isinstance(value, int) else value
        if kind in ("ArraySlot", "IntSlot"):
            table = self._slots if kind == "ArraySlot" else self.numbers
            return (table.ctypes.data + 8 * value.index, 0, 0, 8 * value.per_step, 0, 0)
        address: Affine = value.address
        if isinstance(value, Place) and value.slot:
            return address
        if isinstance(value, Place) and value.constant is not None:
            self._constants[id(value.constant)] = value.constant
            return (value.constant.ctypes.data + address[BASE], *address[1:])
        if isinstance(value, Matrix) and value.external:
            return address
        return (self._memory.ctypes.data + address[BASE], *address[1:])

    @property
    def nbytes(self) -> int:
        """The size of all matrices, tables and machine code of its own."""
        tables, code = (sum(x.nbytes for x in each) for each in (self._tables, self._code))
        return self._memory.nbytes + tables + code

    def run(
        self,
        inputs: Sequence[Array] = (),
        results: list[Array] | None = None,
        external: Array | None = None,
    ) -> list[Array]:
        """Run the program.

        Parameters
        ----------
        inputs : sequence of ndarray
            The arrays of `Program.input`, in any memory layout.
        results : list of ndarray, optional
            Arrays to write the results of `Program.result` to; none may share memory with an
            input. By default, new arrays.
        external : ndarray, optional
            Memory for the matrices that were allocated in `Program.external`.

        Returns
        -------
        list of ndarray
            The results.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If an array does not match its declaration.
        """
        addresses, kept = self._inputs.readable(inputs)
        if results is None:
            places, results = self._results.make()
        else:
            places = self._results.writable(results)
        self._slots[:] = addresses + places
        if self._external_size:
            self._point_to(external)
        if self._moving.size:
            self._calls[self._moving] = self._moving_offsets + self._slots[self._moving_slots]
        self._counters.fill(0)
        if self.target == PLAIN:
            from tinygrad_ugan.kernels import plain  # numba is slow to import

            plain.run(*self._tables[:5])
        else:
            threads.pool().run(self._header_address, self.target, alone=self._is_serial)
        del kept  # copies must live until the program has read them
        return results

    def _point_to(self, external: Array | None) -> None:
        if external is None or external.nbytes < self._external_size:
            given = "none" if external is None else f"{external.nbytes} bytes"
            raise ArgumentError("external", given, f"memory of {self._external_size} bytes")
        self._calls[self._external] = self._offsets + address_of(external)

    def view(self, array: Matrix, copy: int = 0) -> Array:
        """A view of a copy of a matrix, without pads."""
        start = array.address[BASE] + copy * array.copy
        flat = self._memory[start : start + array.copy].view(self.dtype)
        tall = flat.size // array.ld
        return flat[: tall * array.ld].reshape(tall, array.ld)[: array.rows, : array.columns]


def aligned(size: int) -> NDArray[np.uint8]:
    """Zeros that start at a cache line."""
    memory = np.zeros(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size]


def split(rows: int, chunks: int, block: int, unit: int) -> Blocks:
    """Split rows into chunks of blocks ``(first row, rows)``, all multiples of `unit`."""
    units = -(-rows // unit)
    edges = [units * c // chunks * unit for c in range(chunks + 1)]
    return [
        [(r, min(block, stop - r)) for r in range(start, stop, block)]
        for start, stop in itertools.pairwise(edges)
    ]
