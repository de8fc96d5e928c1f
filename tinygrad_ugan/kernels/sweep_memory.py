"""The arrays of a sweep: how its rows are dealt out, and where everything is."""

from __future__ import annotations

from typing import Any

from numpy.typing import DTypeLike

from tinygrad_ugan.kernels import network, parameters
from tinygrad_ugan.kernels.network import Network, Weights
from tinygrad_ugan.kernels.network_pass import make_pass
from tinygrad_ugan.kernels.program import CHUNK, Blocks, K, Matrix, Program, Slot, split
from tinygrad_ugan.kernels.schedule import Advance, Reverse
from tinygrad_ugan.kernels.sweep import RULES, Sweep
from tinygrad_ugan.kernels.target import Target

MOST_SCALARS = 8
_CHUNK_ROWS = 64  # at least: each has gradients of its own, to be cleared and added up


class SweepMemory:
    """Rows, slots and arrays of a `Sweep`, in a program that is still to be written.

    Attributes
    ----------
    chunks : int
        Parts of the rows, with partial sums of their own.
    """

    def __init__(self, sweep: Sweep, target: Target, dtype: DTypeLike) -> None:
        self.sweep = sweep
        self.program = Program(target, dtype)
        self._rule = RULES[sweep.rule]
        self._unit = target.padded(1, dtype)
        self._lay_out()
        self._allocate_slots()
        self._allocate_parameters()
        self._allocate_rows()

    def _lay_out(self) -> None:
        s, unit = self.sweep, self._unit
        self._real_rows, self._fake_rows = (-(-n // unit) * unit for n in (s.real, s.fake))
        self.chunks = max(1, min(4, (self._real_rows + self._fake_rows) // _CHUNK_ROWS))
        self.block = s.discriminator.block_rows
        self._noise_blocks = self._split(self._fake_rows, s.generator.block_rows)
        self._real_blocks = self._split(self._real_rows, self.block)
        fake = self._split(self._fake_rows, self.block)
        self._fake_blocks = [[(r + self._real_rows, n) for r, n in blocks] for blocks in fake]
        self._backs = [move.k for move in s.schedule if isinstance(move, Reverse)]
        self._wants_lambda = bool(self._backs) or s.terms
        self._batches = s.steps + 1 if s.fresh else 1
        self._parts = s.steps + 1 if s.terms else 1

    def _split(self, rows: int, block: int) -> Blocks:
        return split(rows, self.chunks, block, self._unit)

    def _allocate_slots(self) -> None:
        s, p = self.sweep, self.program
        self._slots_g, self._slots_d = (
            [p.input(name, shape) for shape in net.shapes]
            for name, net in (("theta_g", s.generator), ("theta_d", s.discriminator))
        )
        self._slots_memory = [
            [p.input(f"memory.{name}", shape) for shape in s.discriminator.shapes]
            for name in self._rule.memory
        ]
        self._slot_real, self._slot_noise = (
            self._per_batch(p.input(name, (rows, net.sizes[0]), self._batches))
            for name, rows, net in (
                ("batch.real", s.real, s.discriminator),
                ("batch.noise", s.fake, s.generator),
            )
        )
        self._slots_out = [p.result(shape, self._parts) for shape in self._judged.shapes]

    @property
    def _judged(self) -> Network:
        """The network whose gradient is handed out."""
        return self.sweep.generator

    def _allocate_parameters(self) -> None:
        s, p = self.sweep, self.program
        G, D = s.generator, s.discriminator
        spare = 1 + max((m.target for m in s.schedule if isinstance(m, Advance)), default=0)
        self._spare_slot = spare  # for the steps that are only taken again
        self.theta_g = network.allocate(p, G, transposed=True)
        self.theta = network.allocate(p, D, spare + 1, transposed=True)
        self.memory = [network.allocate(p, D, spare + 1) for _ in self._rule.memory]
        self.lam, self.v = network.allocate(p, D), network.allocate(p, D, transposed=True)
        self.adjoints = [network.allocate(p, D) for _ in self._rule.adjoints]
        every_g = s.terms or (self._rule.needs_past and s.keep)
        g = network.allocate(p, D, s.steps + 1 if every_g else 1)
        self.g = g.along(K) if every_g else g
        self.partial_g, self.grad_g = network.allocate(p, G, self.chunks), network.allocate(p, G)
        self.partial_d = network.allocate(p, D, self.chunks)
        self.curvature = network.allocate(p, D, self.chunks)
        scalars = p.array(max(s.steps, 2), MOST_SCALARS)
        self.scalars = scalars
        self._scalars_now = scalars.along(K, scalars.ld * scalars.itemsize)

    def _allocate_rows(self) -> None:
        s, p, chunks = self.sweep, self.program, self.chunks
        rows, width = self._real_rows + self._fake_rows, s.discriminator.sizes[0]
        copies = s.steps + 1 if s.keep else 1
        self.x = self._per_batch(p.array(rows, width, self._batches))
        self.noise = self._per_batch(p.array(self._fake_rows, s.generator.sizes[0], self._batches))
        self.pass_g = make_pass(
            p, s.generator, self.noise, chunks=chunks, copies=self._batches, tangent=False
        )
        self.pass_d = make_pass(
            p, s.discriminator, self.x, chunks=chunks, copies=copies, tangent=True
        )
        every = s.fresh or s.terms
        x_bar = p.array(self._fake_rows, width, s.steps + 1 if every else 1)
        self.x_bar = x_bar.along(K) if every else x_bar
        logits = p.vector(rows, copies)
        self.logits = logits.along(K) if s.keep else logits
        self.weights_inner, self.weights_outer = p.vector(rows), p.vector(rows)
        self.ds, self.Rs, self.Rds = (p.vector(self.block, chunks).along(CHUNK) for _ in range(3))
        # Entry K + 1 of the values is f_K, the others inner(theta_k).
        self.values = p.vector(1, chunks * (s.steps + 2))
        self._value_now = self.values.along(CHUNK).along(K, chunks * self.values.copy)
        self.flaws = p.vector(1, chunks)
        self.grad_lr = p.vector(1, chunks * (s.steps + 1))
        self._grad_lr_now = self.grad_lr.along(CHUNK).along(K, chunks * self.grad_lr.copy)
        # Entry k + 1 belongs to the way back to k, where lambda_{k+1} becomes known.
        self.squares = p.vector(1, chunks * (s.steps + 2))
        self._square_now = self.squares.along(CHUNK).along(K, chunks * self.squares.copy)

    def _per_batch(self, x: Any) -> Any:
        """Make an array, or a place for an address, that of batch k."""
        if not self.sweep.fresh:
            return x
        return x.along_steps if isinstance(x, Slot) else x.along(K)

    # What all phases may need

    def _clear(self, partial: Weights) -> None:
        self.program.once(partial.flat.size)
        self.program.call(parameters.zero, out=partial.flat.along(CHUNK))

    def _check_finite(self, x: Matrix) -> None:
        """Note whether the section's rows hold a NaN or an infinity."""
        flaws, n = self.flaws.along(CHUNK), x.columns
        self.program.call(parameters.check_finite, x=x.by_row, ld=x.ld, out=flaws, n=n)

    def _clear_value(self, value: Matrix) -> None:
        self.program.once(self.program.target.lanes(self.program.dtype))
        self.program.call(parameters.zero, out=value)
