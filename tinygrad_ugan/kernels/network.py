"""A multilayer perceptron in a program: what it is, and where its parameters are.

What is done with it stands in `network_pass`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

from tinygrad_ugan.kernels import parameters
from tinygrad_ugan.kernels.narrow import NARROW
from tinygrad_ugan.kernels.program import CHUNK, FIRST_ROW, Blocks, Matrix, Program, Slot


class Network(NamedTuple):
    """A multilayer perceptron: widths from input to output, activation, factor of the input."""

    sizes: tuple[int, ...]
    activation: str
    input_scale: float = 1.0

    @property
    def depth(self) -> int:
        """L, the number of layers."""
        return len(self.sizes) - 1

    @property
    def has_narrow_output(self) -> bool:
        """Whether the output is narrow: the last layer's weights are then stored transposed."""
        return self.sizes[-1] <= NARROW

    def has_narrow_input(self, l: int) -> bool:
        """Whether layer l (from 1) has so few inputs that the kernels of `narrow` take it."""
        return l == 1 and self.sizes[0] <= NARROW and not self.is_transposed(l)

    def is_transposed(self, l: int) -> bool:
        """Whether the weights of layer l are stored transposed, one row for each output."""
        return l == self.depth and self.has_narrow_output

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of w and b of every layer, as the caller has them."""
        layers = itertools.pairwise(self.sizes)
        return [shape for m, n in layers for shape in ((m, n), (n,))]

    def shape(self, l: int) -> tuple[int, int]:
        """The shape in which the weights of layer l are kept."""
        n_in, n_out = self.sizes[l - 1 : l + 1]
        return (n_out, n_in) if self.is_transposed(l) else (n_in, n_out)

    @property
    def has_one_hidden_layer(self) -> bool:
        """Whether the fused kernels of `one_hidden_layer` apply."""
        return self.depth == 2 and self.has_narrow_input(1) and self.sizes[-1] == 1

    @property
    def block_rows(self) -> int:
        """Rows that go through the network together.

        What a layer makes of them should still be in the cache for the next. The weights of a
        matrix product should pay: it has more rows for each time that they are read.
        """
        products = any(self.needs_transpose(l) for l in range(1, self.depth + 1))
        return 64 if products else 16

    def needs_transpose(self, l: int) -> bool:
        """Whether pulling back through layer l is a matrix product."""
        return not self.is_transposed(l) and not self.has_narrow_input(l)


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters of a network, or anything like them, in a program's memory.

    Attributes
    ----------
    w, b : tuple of Matrix
        For every layer: see `Network.shape`.
    wt : tuple of Matrix or None
        Transposes, where they are needed.
    flat : Matrix
        All of w and b as one row.
    """

    w: tuple[Matrix, ...]
    b: tuple[Matrix, ...]
    wt: tuple[Matrix | None, ...]
    flat: Matrix

    def along(self, register: int) -> Weights:
        """The copies that belong to a register."""
        return Weights(
            tuple(w.along(register) for w in self.w),
            tuple(b.along(register) for b in self.b),
            tuple(wt and wt.along(register) for wt in self.wt),
            self.flat.along(register),
        )


def allocate(
    program: Program, network: Network, copies: int = 1, *, transposed: bool = False
) -> Weights:
    """Room for parameters, all zero."""
    layers = range(1, network.depth + 1)
    w = [program.array(*network.shape(l)) for l in layers]
    b = [program.vector(network.sizes[l]) for l in layers]
    first, last = w[0].address[0], b[-1].address[0] + b[-1].copy
    for _ in range(copies - 1):  # all copies have the layout of the first
        for l in layers:
            program.array(*network.shape(l))
        for l in layers:
            program.vector(network.sizes[l])
    wt: list[Matrix | None] = [None] * network.depth
    for l in layers:
        if transposed and network.needs_transpose(l):
            n_in, n_out = network.shape(l)
            wt[l - 1] = program.array(n_out, n_in, copies)
    distance = last - first
    size = distance // b[0].itemsize
    flat = replace(b[0], address=(first, 0, 0, 0, 0, 0), ld=size, columns=size, size=size)
    return Weights(
        tuple(replace(x, copy=distance) for x in w),
        tuple(replace(x, copy=distance) for x in b),
        tuple(wt),
        replace(flat, copy=distance),
    )


def unwanted(program: Program, network: Network) -> Weights:
    """Room for gradients that a kernel writes and nobody asks for."""
    return allocate(program, network, program.chunks).along(CHUNK)


def copy_in(
    program: Program, network: Network, theta: Weights, slots: list[Slot], chunks: int
) -> None:
    """Sections that read the caller's parameters: slots for w and b of every layer."""
    one = program.constant(1.0)
    for l in range(1, network.depth + 1):
        (n_in, n_out), w, b = network.sizes[l - 1 : l + 1], theta.w[l - 1], theta.b[l - 1]
        if network.is_transposed(l):
            program.section(alone(n_in, chunks))
            program.call(
                parameters.copy_in_transposed, source=slots[2 * l - 2], out=w, ldo=w.ld, n=n_out
            )
        else:
            program.section(shares(n_in, chunks, program.target.padded(1, program.dtype)))
            _copy_rows(program, slots[2 * l - 2], n_in, one, w)
            transpose(program, network, l, theta)
        program.section(alone(1, chunks))
        _copy_rows(program, slots[2 * l - 1], 1, one, b)


def _copy_rows(program: Program, slot: Slot, count: int, scale: Matrix, out: Matrix) -> None:
    program.call(
        parameters.copy_in, source=slot, first=FIRST_ROW, count=count, scale=scale,
        out=out.by_row, ldo=out.ld, n=out.columns,
    )  # fmt: skip


def transpose(program: Program, network: Network, l: int, theta: Weights) -> None:
    """Bring the transpose of layer l up to date, for the rows of a block."""
    w, wt = theta.w[l - 1], theta.wt[l - 1]
    if wt is not None:
        program.call(
            parameters.transpose,
            source=w.by_row,
            lds=w.ld,
            out=wt.by_element,
            ldo=wt.ld,
            n=w.columns,
        )


def alone(rows: int, chunks: int) -> Blocks:
    """All rows to the first chunk."""
    return [[(0, rows)], *([] for _ in range(chunks - 1))]


def shares(rows: int, chunks: int, unit: int) -> Blocks:
    """Consecutive rows to every chunk, in units; no more rows than there are."""
    units = -(-rows // unit)
    edges = [min(units * c // chunks * unit, rows) for c in range(chunks + 1)]
    return [[(a, b - a)] if b > a else [] for a, b in itertools.pairwise(edges)]


def padded(program: Program, array: Matrix) -> int:
    """Columns in whole vectors."""
    lanes = program.target.lanes(program.dtype)
    return -(-array.columns // lanes) * lanes


def tall(program: Program, array: Matrix) -> int:
    """Rows in whole tiles."""
    tile = program.target.tile_rows
    return -(-array.rows // tile) * tile
