"""Loops in programs: an instruction whose function runs a program, its body, again and again.

The body takes the carry, a row of every column, and what is the same in all steps::

    carry, y, terms = body(carry, row, captured)

The y of all steps are written into the rows of new columns, and the terms are added up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.scan_rules import plus
from tinygrad_ugan.compile.lowering import with_kernels
from tinygrad_ugan.compile.program import StraightLineProgram
from tinygrad_ugan.compile.replay import Replay


class Loop:
    """The function of an instruction that is a loop; it takes and returns lists.

    Attributes
    ----------
    body : StraightLineProgram
        Its inputs are the carry, the rows, and the captured values; its outputs the next carry, the
        y, and the terms. All of them are variables.
    length : int
        Number of steps.
    carries, ys : int
        How many parts the carry has, and how many y there are.
    lowered : StraightLineProgram
        The body as it runs, without the outputs that are inputs.
    """

    def __init__(self, body: StraightLineProgram, length: int, carries: int, ys: int) -> None:
        self.body = body
        self.length = length
        self.carries = carries
        self.ys = ys
        values = list(dict.fromkeys((*body.inputs, *body.outputs)))
        computed = tuple(values[len(body.inputs) :])
        self._places = [values.index(x) for x in body.outputs]
        self.lowered = with_kernels(replace(body, outputs=computed))
        self._replay = Replay(self.lowered)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls, without Python's objects."""
        return self._replay.nbytes

    def __call__(
        self, carry: list[Any], totals: list[Any], columns: list[Any], captured: list[Any]
    ) -> list[Any]:
        """Return the last carry, the columns of the y, and the totals of the terms.

        Parameters
        ----------
        carry, columns, captured : list
        totals : list
            The terms start from these; empty, or None in it, for zero.
        """
        first, last = self.carries, self.carries + self.ys
        rows = self.body.outputs[first:last]
        ys = [np.empty((self.length, *y.shape), y.dtype) for y in rows]
        totals = totals or [None] * (len(self._places) - last)
        for k in range(self.length):
            inputs = [*carry, *[x[k] for x in columns], *captured]
            values = inputs + self._replay(inputs)
            found = [values[i] for i in self._places]
            for y, each in zip(ys, found[first:last], strict=True):
                y[k] = each
            totals = [*map(plus, totals, found[last:])]
            carry = found[:first]
        return [*carry, *ys, *totals]
