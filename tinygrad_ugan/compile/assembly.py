"""The assembly of a piece: machine code, memory and calls as a program of the executor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from tinygrad_ugan.autodiff.vector_forms import VectorForm
from tinygrad_ugan.compile.emission import emit_module
from tinygrad_ugan.compile.fusion import Group
from tinygrad_ugan.compile.kernel_form import KernelForm, WindowsForm
from tinygrad_ugan.compile.memory import MemoryPlan
from tinygrad_ugan.compile.operations import RowProduct
from tinygrad_ugan.compile.piece import Piece
from tinygrad_ugan.compile.scheduling import CHUNKS, is_partial
from tinygrad_ugan.compile.strided import Storage
from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.program import CHUNK, NOWHERE, ROW, Executable, Place, Program
from tinygrad_ugan.kernels.target import Target, host_target


def assemble(piece: Piece) -> Executable:
    """Build the executable of a piece for this processor."""
    return _Assembly(piece, Program(host_target(), piece.dtype)).executable()


class _Assembly:
    def __init__(self, piece: Piece, program: Program) -> None:
        self._phases, self._arrays, self._program = piece.phases, piece.arrays, program
        self._places: dict[Storage, Place] = {}
        for x in piece.inputs:
            slot = program.input("input", x.shape, dtype=x.dtype)
            self._places[x] = Place(NOWHERE, slot)
        for x, shape in zip(piece.outputs, piece.shapes, strict=True):
            self._places[x] = Place(NOWHERE, program.result(shape, dtype=x.dtype))
        MemoryPlan(program, piece.phases, piece.arrays, self._places)
        unique = list(dict.fromkeys(piece.kernels.values()))
        machine_code = load(unique, piece.operations, program.target, program.dtype)
        program.keep(machine_code)
        code = dict(zip(unique, machine_code.addresses, strict=True))
        self._code = {each: code[form] for each, form in piece.kernels.items()}

    def executable(self) -> Executable:
        """Write all calls, and build the tables."""
        for phase in self._phases:
            number = self._program.phase(phase.chunks)
            for place, section in enumerate(phase.sections):
                self._program.section(section.blocks(phase.chunks, place))
                for each in section.groups:
                    self._program.call_code(self._code[each], self._arguments(each))
            self._program.run_phase(number)
        return self._program.compile()

    def _arguments(self, group: Group) -> list[Place]:
        found = [
            self._places[x.storage].after(x.offset * x.dtype.itemsize) for x in self._arrays[group]
        ]
        product = group.product
        if isinstance(product, RowProduct):
            steps = self._steps(product)
            return [place.along(*step) for place, step in zip(found, steps, strict=True)]
        if is_partial(group):  # every part writes its own results
            first = len(found) - len(group.reductions)
            found[first:] = (
                place.along(CHUNK, each.out.nbytes // CHUNKS)
                for place, each in zip(found[first:], group.reductions, strict=True)
            )
        return found

    def _steps(self, product: RowProduct) -> Iterator[tuple[int, int]]:
        """How the arguments of a sum over rows move: with the part, or the first row of a block."""
        part = CHUNK, product.out.nbytes // CHUNKS
        yield part
        for a, b in product.terms:
            yield ROW, a.strides[1] * a.dtype.itemsize
            yield ROW, b.strides[0] * b.dtype.itemsize
        yield part


def load(
    forms: Sequence[KernelForm | WindowsForm],
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


def _names(name: str, forms: Sequence[KernelForm | WindowsForm]) -> list[str]:
    return [f"{name}_{i}" for i in range(len(forms))]
