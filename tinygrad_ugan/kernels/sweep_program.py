"""The whole of an unrolled gradient as one program.

With the discriminator's parameters theta_0 given, K steps up, the outer objective, and all the way
back, as `tinygrad_ugan.unroll.adjoint` writes it::

    forward      theta_{k+1} = theta_k + eta_k g_k                            k = 0 .. K-1
    outer        f_K, lambda_K, and the cotangent of the generated samples
    reverse      v = eta_k lambda_{k+1};  c_k, and lambda_k = lambda_{k+1} + H_k v

The phases that it consists of are in `sweep_rows` and `sweep_parameters`, the order in which they
run is here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.kernels.network import Weights
from tinygrad_ugan.kernels.program import Matrix
from tinygrad_ugan.kernels.schedule import Advance, Outer, Reverse
from tinygrad_ugan.kernels.sweep import Sweep
from tinygrad_ugan.kernels.sweep_parameters import ParameterPhases
from tinygrad_ugan.kernels.sweep_rows import RowPhases
from tinygrad_ugan.kernels.target import Target
from tinygrad_ugan.typing import Array

_LAYOUT = 2**16  # bytes, about, that the description of the arrays takes


class SweepResult(NamedTuple):
    """Value and gradient of a sweep.

    Attributes
    ----------
    value : float
        f_K.
    gradients : list of list
        The gradient with respect to theta_G, w and b of every layer; or, if terms were asked for,
        its parts: c_0 ... c_{K-1} and the direct term.
    is_finite : bool
        True only if value, gradients and batches are finite; False also where a batch is scaled
        beyond the range of the dtype.
    """

    value: Any
    gradients: list[list[Array]]
    is_finite: bool


class SweepProgram(RowPhases, ParameterPhases):
    """A `Sweep`, built for one machine and dtype. `run` is not to be called by two threads at once.

    Attributes
    ----------
    nbytes : int
        Memory.
    dtype : dtype
    """

    def __init__(self, sweep: Sweep, target: Target, dtype: DTypeLike) -> None:
        super().__init__(sweep, target, dtype)
        self._write()
        self._executable, self.dtype = self.program.compile(), self.program.dtype
        del self.program, self.pass_g, self.pass_d  # all that they say is in the tables
        self.nbytes = self._executable.nbytes + _LAYOUT
        self._fill_constants()

    def _write(self) -> None:
        s, run = self.sweep, self.program.run_phase
        phases = {
            name: getattr(self, f"_{name}")()
            for name in ("inputs", "generate", "forward", "advance", "outer")
        }
        run(phases["inputs"])
        for k in range(self._batches):
            run(phases["generate"], k)
        for move in s.schedule:
            self._write_move(phases, move)
        if s.terms:
            run(self._collect())
        self._write_generator()

    def _write_outer(self, phases: dict[str, int], slot: int) -> None:
        s, run = self.sweep, self.program.run_phase
        run(phases["outer"], s.steps, slot)
        if s.terms:
            run(self._evaluate(), s.steps, slot)
        if self._wants_lambda:
            phases["pull"] = self._pull()
            phases["reverse"], phases["last"] = self._reverse(), self._reverse(last=True)

    def _write_move(self, phases: dict[str, int], move: Advance | Outer | Reverse) -> None:
        run = self.program.run_phase
        match move:
            case Advance(k, source, target):
                self._write_advance(phases, k, source, target)
            case Outer(source):
                self._write_outer(phases, source)
            case Reverse(k, source):
                if not self.sweep.keep:
                    self._write_advance(phases, k, source, self._spare_slot)
                at_end = k == self._backs[-1] and not self.sweep.terms
                run(phases["pull"], k, source)
                run(phases["last" if at_end else "reverse"], k, source)

    def _write_advance(self, phases: dict[str, int], k: int, source: int, target: int) -> None:
        self.program.run_phase(phases["forward"], k, source)
        self.program.run_phase(phases["advance"], k, source, target)

    def _write_generator(self) -> None:
        s, run = self.sweep, self.program.run_phase
        back = self._generator_backward(clear=True)
        out = self._hand_out(s.generator, self.partial_g, self.grad_g, self._slot_out)
        contributions = [*self._backs[::-1], s.steps]
        if s.terms:
            for k in contributions:
                run(back, k)
                run(out, k)
            return
        run(back, contributions[0] if s.fresh else 0)
        if s.fresh:
            more = self._generator_backward()
            for k in contributions[1:]:
                run(more, k)
        run(out)

    # Running

    def _fill_constants(self) -> None:
        s, view = self.sweep, self._executable.view
        edge = self._real_rows
        for array, terms in ((self.weights_inner, s.inner), (self.weights_outer, s.outer)):
            weights = view(array)[0]
            if terms[0] is not None:
                weights[: s.real] = terms[0].factor / s.real
            if terms[1] is not None:
                weights[edge : edge + s.fake] = terms[1].factor / s.fake
        self._scalars_view = view(self.scalars)
        last = self.chunks * (s.steps + 1)
        self._sums_of_chunks = [
            [view(self.values, last + c) for c in range(self.chunks)],
            [view(self.flaws, c) for c in range(self.chunks)],
        ]

    def run(
        self,
        theta_g: Sequence[Array],
        theta_d: Sequence[Array],
        reals: Sequence[Array],
        noises: Sequence[Array],
        scalars: Array,
        memory: Sequence[Array] = (),
    ) -> SweepResult:
        """Value and gradient.

        Parameters
        ----------
        theta_g, theta_d : sequence of ndarray
            w and b of every layer, in this order.
        reals, noises : sequence of ndarray
            The batches: one, or K + 1.
        scalars : ndarray, shape (K, m)
            What the rule's kernels read at every step.
        memory : sequence of ndarray
            What the rule remembers at theta_0: w and b of every layer, for each of its names.
        """
        self._scalars_view[: self.sweep.steps, : scalars.shape[1]] = scalars
        found = self._executable.run([*theta_g, *theta_d, *memory, *reals, *noises])
        value, flaws = (
            sum((x[0, 0] for x in chunks[1:]), chunks[0][0, 0]) for chunks in self._sums_of_chunks
        )
        parts = [found[part :: self._parts] for part in range(self._parts)]
        return SweepResult(value, parts, math.isfinite(value + flaws))

    # What else there is to see after a run

    def inner_values(self) -> Array:
        """inner(theta_G, theta_k, b_k) for k = 0 ... K."""
        return self._sums(self.values, self.sweep.steps + 1)

    def step_size_gradients(self) -> Array:
        """<lambda_{k+1}, g_k> for k = 0 ... K - 1."""
        return self._sums(self.grad_lr, self.sweep.steps)

    def adjoint_norms(self) -> Array:
        """||lambda_k|| for k = 0 ... K."""
        return np.sqrt(self._sums(self.squares, self.sweep.steps + 1))

    def _sums(self, array: Matrix, steps: int) -> Array:
        view, chunks = self._executable.view, range(self.chunks)
        sums = [sum(view(array, k * self.chunks + c)[0, 0] for c in chunks) for k in range(steps)]
        return np.array(sums, float)

    def parameters(self, weights: Weights, copy: int = 0) -> list[Array]:
        """A copy of parameters in the program's memory, as w, b of every layer."""
        view, net = self._executable.view, self.sweep.discriminator
        arrays = []
        for l, (w, b) in enumerate(zip(weights.w, weights.b, strict=True), start=1):
            matrix = view(w, copy)
            arrays += [
                np.array(matrix.T if net.is_transposed(l) else matrix),
                np.array(view(b, copy)[0]),
            ]
        return arrays
