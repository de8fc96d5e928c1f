"""Pieces of programs that are ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.compile.piece import Piece
from tinygrad_ugan.compile.program import Instruction, Symbol

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.program import Executable


class Kernels(Piece):
    """A piece as a function of the variables that it reads from outside.

    Several threads may call it at once: each takes an executable out, and puts it back.
    """

    def __init__(
        self,
        instructions: Sequence[Instruction],
        inputs: Sequence[Symbol],
        outputs: Sequence[Symbol],
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(instructions, inputs, outputs, dtype)
        self._are_scalars = [x.kind != "array" for x in outputs]
        self._idle = [self._executable()]

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls."""
        return sum(each.nbytes for each in self._idle)

    def __call__(self, *inputs: Any) -> list[Any]:
        """Return the outputs: new arrays, and NumPy scalars."""
        arrays = [
            x if type(x) is np.ndarray else np.asarray(x, storage.dtype)
            for x, storage in zip(inputs, self.inputs, strict=True)
        ]
        try:
            executable = self._idle.pop()
        except IndexError:
            executable = self._executable()
        found = executable.run(arrays)
        self._idle.append(executable)
        return [x[()] if s else x for x, s in zip(found, self._are_scalars, strict=True)]

    def _executable(self) -> Executable:
        from tinygrad_ugan.compile.assembly import assemble  # LLVM is slow to import

        return assemble(self)
