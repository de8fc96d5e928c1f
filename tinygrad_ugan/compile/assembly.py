"""The assembly of pieces: machine code, memory and calls as a program of the executor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from tinygrad_ugan.autodiff.vector_forms import VectorForm
from tinygrad_ugan.compile.emission import emit_module
from tinygrad_ugan.compile.fusion import Group
from tinygrad_ugan.compile.kernel_form import AnyForm
from tinygrad_ugan.compile.memory import MemoryPlan
from tinygrad_ugan.compile.operations import RowProduct
from tinygrad_ugan.compile.piece import Piece
from tinygrad_ugan.compile.scheduling import CHUNKS, is_partial
from tinygrad_ugan.compile.strided import Storage, View
from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.program import CHUNK, NOWHERE, ROW, Executable, Place, Program
from tinygrad_ugan.kernels.target import Target, host_target


def assemble(piece: Piece) -> Executable:
    """Build the executable of a piece for this processor."""
    program = Program(host_target(), piece.dtype)
    inputs = [Place(NOWHERE, program.input("input", x.shape, dtype=x.dtype)) for x in piece.inputs]
    outputs = [
        Place(NOWHERE, program.result(shape, dtype=x.dtype))
        for x, shape in zip(piece.outputs, piece.shapes, strict=True)
    ]
    Assembly(program, [piece]).add(piece, inputs, outputs)
    return program.compile()


class Assembly:
    """Pieces within one program of the executor: their machine code, and the memory inside them.

    Parameters
    ----------
    program : Program
    pieces : sequence of Piece
        Those that are to be added, each any number of times.
    """

    def __init__(self, program: Program, pieces: Sequence[Piece]) -> None:
        self._program = program
        forms = list(dict.fromkeys(x for each in pieces for x in each.kernels.values()))
        operations = {name: x for each in pieces for name, x in each.operations.items()}
        machine_code = load(forms, operations, program.target, program.dtype)
        program.keep(machine_code)
        self._code = dict(zip(forms, machine_code.addresses, strict=True))
        self._inside = {each: self._planned(each) for each in pieces}

    def add(self, piece: Piece, inputs: Sequence[Place], outputs: Sequence[Place]) -> None:
        """Let a piece run next, from and to these places."""
        places = self._inside[piece] | dict(zip(piece.inputs, inputs, strict=True))
        places |= zip(piece.outputs, outputs, strict=True)
        for phase in piece.phases:
            number = self._program.phase(phase.chunks)
            for part, section in enumerate(phase.sections):
                self._program.section(section.blocks(phase.chunks, part))
                for each in section.groups:
                    code = self._code[piece.kernels[each]]
                    self._program.call_code(code, _arguments(each, piece.arrays[each], places))
            self._program.run_phase(number)

    def _planned(self, piece: Piece) -> dict[Storage, Place]:
        """The places of the values that are neither inputs nor outputs."""
        outside = [*piece.inputs, *piece.outputs]
        places = dict.fromkeys(outside, Place(NOWHERE))
        MemoryPlan(self._program, piece.phases, piece.arrays, places)
        return {x: place for x, place in places.items() if x not in outside}


def _arguments(
    group: Group, arrays: Sequence[View], places: Mapping[Storage, Place]
) -> list[Place]:
    """The places of a group's arrays, and how they move with the part and the first row."""
    found = [places[x.storage].after(x.offset * x.dtype.itemsize) for x in arrays]
    product = group.product
    if isinstance(product, RowProduct):
        return [place.along(*step) for place, step in zip(found, _row_steps(product), strict=True)]
    if is_partial(group):  # every part writes its own results
        first = len(found) - len(group.reductions)
        found[first:] = (
            place.along(CHUNK, each.out.nbytes // CHUNKS)
            for place, each in zip(found[first:], group.reductions, strict=True)
        )
    return found


def _row_steps(product: RowProduct) -> Iterator[tuple[int, int]]:
    """How the arguments of a sum over rows move: with the part, or the first row of a block."""
    part = CHUNK, product.out.nbytes // CHUNKS
    yield part
    for a, b in product.terms:
        yield ROW, a.strides[1] * a.dtype.itemsize
        yield ROW, b.strides[0] * b.dtype.itemsize
    yield part


def load(
    forms: Sequence[AnyForm],
    operations: Mapping[str, VectorForm],
    target: Target,
    dtype: np.dtype[Any],
) -> jit_cache.MachineCode:
    """Return the machine code of kernels, which make one module."""

    def build(name: str) -> ir.Module:
        return emit_module(_names(name, forms), forms, operations, target, dtype)

    is_ours = all(form.__module__.startswith(_PACKAGE) for form in operations.values())
    text = repr((forms, dtype.str)) if is_ours else str(build("kernel"))
    name = f"{jit_cache.PROGRAM}{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    return jit_cache.load_module(name, _names(name, forms), target, lambda: build(name))


_PACKAGE = f"{__name__.partition('.')[0]}."
"""Prefix of modules on whose source the cache depends, so that forms' names say what they are."""


def _names(name: str, forms: Sequence[AnyForm]) -> list[str]:
    return [f"{name}_{i}" for i in range(len(forms))]
