"""Three programs for a network: its output, its gradient, and the tangents of both.

With ``y = F(x, theta)``, a bar for cotangents and an R for tangents::

    forward    y
    backward   x_bar, theta_bar           of  <y_bar, F(x, theta)>
    tangents   Ry, Rx_bar, Rtheta_bar     along Rx, Rtheta and Ry_bar

A forward pass leaves a record, its padded parameters and activations, which the others go on from.

Pads are zero, and an infinity times zero is NaN: where numbers are not finite, a pass may find NaN
in place of a number (and never a number in place of another). So results count only if all of them
are finite; otherwise there are none, and the caller takes another way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_ugan.errors import ArgumentTypeError
from tinygrad_ugan.kernels import network, parameters
from tinygrad_ugan.kernels.buffer_pool import BorrowedBuffer, BufferPool
from tinygrad_ugan.kernels.network import Network, Weights
from tinygrad_ugan.kernels.network_pass import Pass
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.kernels.program import (
    CHUNK,
    FIRST_ROW,
    Executable,
    Matrix,
    Program,
    split,
)
from tinygrad_ugan.kernels.tangents import TangentPass
from tinygrad_ugan.kernels.target import Target
from tinygrad_ugan.typing import Array

_CHUNKS = 4  # groups of rows, each with gradients of its own
_BLOCK = 64  # rows that go through the network together
_SERIAL = 2**20  # multiply-adds, up to which a second thread is not worth waking


@dataclass(frozen=True)
class NetworkProblem:
    """A network, the rows of its input, and the dtype of all numbers."""

    network: Network
    rows: int
    target: Target
    dtype: np.dtype


ForwardRecord = BorrowedBuffer
"""The memory in which a forward pass leaves what derivatives need."""


class ProgramRunner:
    """A program as a function of arrays; several threads may call it at once."""

    def __init__(self, writer: _ProgramWriter, on_growth: Callable[[], None]) -> None:
        self._program = writer.program
        self._dtype = writer.program.dtype
        self._flaws, self._chunks = writer.flaws, writer.chunks
        self._on_growth = on_growth
        self._free: list[tuple[Executable, list[Array]]] = []
        self.nbytes = self._program.nbytes

    def __call__(self, record: ForwardRecord, inputs: Sequence[Array]) -> list[Array] | None:
        """Run the program; None if a number that comes out is not finite."""
        arrays = [self._converted(x) for x in inputs]
        executable, flaws = borrowed = self._borrow()
        results = executable.run(arrays, external=record.memory)
        found = [x for x in flaws if x[0, 0]]  # NaN, and not 0
        self._free.append(borrowed)
        return None if found else results

    def _converted(self, x: Array) -> Array:
        """The array in the program's dtype: a cotangent may come in another."""
        if x.dtype == self._dtype:
            return x
        if not np.can_cast(x.dtype, self._dtype, "same_kind"):
            raise ArgumentTypeError("cotangent", f"dtype {x.dtype}", f"one like {self._dtype}")
        return x.astype(self._dtype)

    def _borrow(self) -> tuple[Executable, list[Array]]:
        try:
            return self._free.pop()
        except IndexError:
            made = self._program.compile()
            self.nbytes = self._program.nbytes + (len(self._free) + 1) * made.nbytes
            self._on_growth()
            return made, [made.view(self._flaws, c) for c in range(self._chunks)]


class NetworkPrograms:
    """The programs of one problem, each made when it is asked for.

    Parameters
    ----------
    problem : NetworkProblem
    on_growth : callable
        Called when there is more memory than before.
    """

    def __init__(
        self, problem: NetworkProblem, on_growth: Callable[[], None] = lambda: None
    ) -> None:
        runners = []

        def made(writer: _ProgramWriter) -> ProgramRunner:
            runners.append(ProgramRunner(writer, on_growth))
            return runners[-1]

        writer = _Forward(problem)
        self._runners = runners
        self._pool = BufferPool(writer.program.external_size, on_growth)
        self._forward = made(writer)
        self._backward = functools.cache(lambda needed: made(_Backward(problem, needed)))
        self._tangents = functools.cache(
            lambda has_tangent, needed: made(_Tangents(problem, has_tangent, needed))
        )

    @property
    def nbytes(self) -> int:
        """Memory, without that of records in use."""
        return self._pool.nbytes + sum(runner.nbytes for runner in self._runners)

    def forward(self, x: Array, theta: Sequence[Array]) -> tuple[Array, ForwardRecord] | None:
        """The output, and the record of how it came about; theta is w_1, b_1, w_2, ...

        Like the other two, None if a number that comes out is not finite.
        """
        record = ForwardRecord(self._pool)
        found = self._forward(record, [*theta, x])
        return None if found is None else (found[0], record)

    def backward(self, record: ForwardRecord, y_bar: Array, needed: PassMask) -> list[Array] | None:
        """The cotangents of x and theta, those that are needed."""
        return self._backward(needed)(record, [y_bar])

    def tangents(
        self,
        record: ForwardRecord,
        inputs: Sequence[Array],
        has_tangent: PassMask,
        needed: PassMask,
    ) -> list[Array] | None:
        """The tangents of y and of the cotangents of x and theta, those that are needed.

        `inputs` are Rtheta, y_bar if a cotangent is needed, Ry_bar and Rx, those that there are.
        """
        return self._tangents(has_tangent, needed)(record, inputs)


class _ProgramWriter:
    """The common part of the programs: the layout of the record, and the ways in and out."""

    def __init__(self, problem: NetworkProblem) -> None:
        net, p = problem.network, Program(problem.target, problem.dtype)
        self.program, self.network, self.rows = p, net, problem.rows
        unit = problem.target.padded(1, problem.dtype)
        self._tall = -(-self.rows // unit) * unit
        size = sum((m + 1) * n for m, n in zip(net.sizes, net.sizes[1:], strict=False))
        chunks = problem.rows // (2 * unit) if size * problem.rows > _SERIAL else 1
        self.chunks = max(1, min(_CHUNKS, chunks))
        self.blocks = split(problem.rows, self.chunks, _BLOCK, unit)
        self.flaws = p.vector(1, self.chunks)
        with p.external():
            self.theta = network.allocate(p, net, transposed=True)
            self.h = [self.array(n) for n in net.sizes[:-1]]
        self.write()

    def write(self) -> None:
        """Write the program."""
        raise NotImplementedError

    def array(self, columns: int) -> Matrix:
        """Room for a number of columns of all rows, at the rows of the block."""
        return self.program.array(self._tall, columns).by_row

    def scratch(self) -> list[Matrix]:
        """Room for the inputs of all layers, for the rows of a block."""
        p = self.program
        return [p.array(_BLOCK, n, self.chunks).along(CHUNK) for n in self.network.sizes[:-1]]

    def make_pass(self, x_bar: Matrix | None) -> Pass:
        """The pass at the rows of the block; the cotangent of the input may be kept for all."""
        d = self.scratch()
        d[0] = x_bar or d[0]
        return Pass(self.program, self.network, self.h, self.scratch(), d, [], [])

    def scale(self, x_bar: Matrix) -> None:
        """From the cotangent of the scaled input to that of the input."""
        p, factor = self.program, self.network.input_scale
        if factor != 1.0:
            p.call(
                parameters.scaled, x=x_bar, ld=x_bar.ld, scale=p.constant(factor), out=x_bar,
                n=x_bar.ld,
            )  # fmt: skip

    # From the caller's arrays, and to them

    def take_theta(self, name: str, into: Weights) -> None:
        """Read parameters; a phase of its own."""
        self.phase()
        slots = [self.program.input(name, shape) for shape in self.network.shapes]
        network.copy_in(self.program, self.network, into, slots, self.chunks)

    def take_rows(self, name: str, into: Matrix, scale: float = 1.0) -> None:
        """Read rows, those of the section's blocks."""
        p, shape = self.program, (self.rows, into.columns)
        p.call(
            parameters.copy_in, source=p.input(name, shape), first=FIRST_ROW, count=self.rows,
            scale=p.constant(scale), out=into, ldo=into.ld, n=into.columns,
        )  # fmt: skip

    def give_rows(self, x: Matrix) -> None:
        """Hand rows to the caller, those that are not pads; a section of its own."""
        last = self.rows
        self.program.section(
            [[(r, min(n, last - r)) for r, n in blocks if r < last] for blocks in self.blocks]
        )
        self._check_finite(x)
        slot = self.program.result((self.rows, x.columns))
        self.program.call(
            parameters.copy_out, x=x, ldx=x.ld, first=FIRST_ROW, out=slot, n=x.columns
        )

    def give_theta(self, partial: Weights) -> None:
        """Add up the chunks' gradients and hand them to the caller; a phase of its own."""
        self.phase()
        for l in range(1, self.network.depth + 1):
            w_shape, b_shape = self.network.shapes[2 * l - 2 : 2 * l]
            self._give_parameter(
                partial.w[l - 1], w_shape, is_transposed=self.network.is_transposed(l)
            )
            self._give_parameter(partial.b[l - 1], b_shape, is_transposed=False)

    def _give_parameter(
        self, partial: Matrix, shape: tuple[int, ...], *, is_transposed: bool
    ) -> None:
        p, count, n, slot = self.program, partial.rows, partial.columns, self.program.result(shape)
        total = p.array(count, n)
        shares = network.shares(count, self.chunks, p.target.padded(1, p.dtype))
        p.section(network.alone(count, self.chunks) if is_transposed else shares)
        p.call(
            parameters.total, partial=partial.by_row, stride=partial.copy // partial.itemsize,
            groups=self.chunks, ld=partial.ld, out=total.by_row, n=n,
        )  # fmt: skip
        self._check_finite(total.by_row)
        if is_transposed:  # of the transposed matrix
            p.section(network.alone(n, self.chunks))
            p.call(parameters.copy_out_transposed, x=total, ldx=total.ld, out=slot, n=count)
        else:
            p.call(
                parameters.copy_out, x=total.by_row, ldx=total.ld, first=FIRST_ROW, out=slot, n=n
            )

    def _check_finite(self, x: Matrix) -> None:
        """Note whether the section's rows of a result hold a NaN or an infinity."""
        out = self.flaws.along(CHUNK)
        self.program.call(parameters.check_finite, x=x, ld=x.ld, out=out, n=x.columns)

    def phase(self) -> None:
        """Open the next phase."""
        self.program.run_phase(self.program.phase(self.chunks))

    def row_phase(self, *, theta: bool) -> Weights | None:
        """Open the phase for the rows; with room for gradients, one a chunk and zero, if wanted."""
        p = self.program
        self.phase()
        p.once(p.target.lanes(p.dtype))
        p.call(parameters.zero, out=self.flaws.along(CHUNK))
        partial = network.allocate(p, self.network, self.chunks) if theta else None
        if partial:
            p.once(partial.flat.size)
            p.call(parameters.zero, out=partial.flat.along(CHUNK))
        p.section(self.blocks)
        return partial


class _Forward(_ProgramWriter):
    def write(self) -> None:
        net = self.network
        self.take_theta("theta", self.theta)
        self.row_phase(theta=False)
        self.take_rows("x", self.h[0], net.input_scale)
        y = self.array(net.sizes[-1])
        here = self.make_pass(None)
        here.hidden(self.theta)
        here.output(self.theta, y)
        self.give_rows(y)


class _Backward(_ProgramWriter):
    def __init__(self, problem: NetworkProblem, needed: PassMask) -> None:
        self._needed = needed
        super().__init__(problem)

    def write(self) -> None:
        net, needed = self.network, self._needed
        partial = self.row_phase(theta=needed.theta)
        y_bar = self.array(net.sizes[-1])
        self.take_rows("y_bar", y_bar)
        x_bar = self.array(net.sizes[0]) if needed.x else None
        grad = partial and partial.along(CHUNK)
        self.make_pass(x_bar).backward(self.theta, y_bar, grad, to_input=needed.x)
        if x_bar:
            self.scale(x_bar)
            self.give_rows(x_bar)
        if partial:
            self.give_theta(partial)


class _Tangents(_ProgramWriter):
    def __init__(self, problem: NetworkProblem, has_tangent: PassMask, needed: PassMask) -> None:
        self._has_tangent, self._needed = has_tangent, needed
        super().__init__(problem)

    def write(self) -> None:
        net, has_tangent, needed = self.network, self._has_tangent, self._needed
        v = network.allocate(self.program, net, transposed=True)
        if has_tangent.theta:
            self.take_theta("Rtheta", v)
        partial = self.row_phase(theta=needed.theta)
        y_bar, Ry_bar, Ry = (self.array(net.sizes[-1]) for _ in range(3))
        Rx, Rx_bar = (self.array(net.sizes[0]) for _ in range(2))
        for is_given, name, rows, scale in (
            (needed.x or needed.theta, "y_bar", y_bar, 1.0),
            (has_tangent.y, "Ry_bar", Ry_bar, 1.0),
            (has_tangent.x, "Rx", Rx, net.input_scale),
        ):
            if is_given:
                self.take_rows(name, rows, scale)
        Rh, Rd = [Rx, *self.scratch()[1:]], [Rx_bar, *self.scratch()[1:]]
        here = TangentPass(self.make_pass(None), Rh, Rd, self.theta, v, has_tangent.x)
        here.hidden()
        if needed.y:
            here.output(Ry)
        if needed.x or needed.theta:
            here.backward(y_bar, Ry_bar, partial and partial.along(CHUNK), to_input=needed.x)
        if needed.x:
            self.scale(Rx_bar)
        for is_wanted, rows in ((needed.y, Ry), (needed.x, Rx_bar)):
            if is_wanted:
                self.give_rows(rows)
        if partial:
            self.give_theta(partial)
