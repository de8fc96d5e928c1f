"""The phases of a sweep that go over parameters: D's steps, and the ways in and out.

An optimiser in place of plain ascent changes how theta_k moves, and how v follows from lambda_{k+1}
(`parameters`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_ugan.kernels import network, parameters
from tinygrad_ugan.kernels.network import Network, Weights
from tinygrad_ugan.kernels.program import BASE, CHUNK, FIRST_ROW, I, J, Matrix, Slot
from tinygrad_ugan.kernels.sweep import RULES
from tinygrad_ugan.kernels.sweep_memory import SweepMemory


class ParameterPhases(SweepMemory):
    """Each method opens a phase, writes it, and returns its number."""

    def _inputs(self) -> int:
        s, p = self.sweep, self.program
        phase = p.phase(self.chunks)
        self._clear_value(self.flaws.along(CHUNK))
        network.copy_in(p, s.generator, self.theta_g, self._slots_g, self.chunks)
        network.copy_in(p, s.discriminator, self.theta, self._slots_d, self.chunks)
        for weights, slots in zip(self.memory, self._slots_memory, strict=True):
            network.copy_in(p, s.discriminator, weights, slots, self.chunks)
        for weights in (self.lam, *self.adjoints):
            p.section(network.alone(weights.flat.size, self.chunks))
            p.call(parameters.zero, out=weights.flat)
        return phase

    def _advance(self) -> int:
        """theta_{k+1}."""

        def step(l: int, kind: str) -> None:
            states = {
                "theta": self.theta,
                **dict(zip(self._rule.memory, self.memory, strict=True)),
            }
            before = {n: getattr(x.along(I), kind)[l].by_row for n, x in states.items()}
            after = {f"{n}_next": getattr(x.along(J), kind)[l].by_row for n, x in states.items()}
            p.call(
                self._rule.step,
                **self._partial(self.partial_d, l, kind),
                **before,
                **after,
                **self._step_size(),
                g=getattr(self.g, kind)[l].by_row,
                n=before["theta"].columns,
            )

        p = self.program
        phase = p.phase(self.chunks)
        self._each_parameter(self.sweep.discriminator, step, self.theta.along(J))
        return phase

    def _pull(self) -> int:
        """lambda_{k+1}, and v, the adjoint of g_k."""

        def step(l: int, kind: str) -> None:
            adjoints = {
                name: getattr(x, kind)[l].by_row
                for name, x in zip(self._rule.adjoints, self.adjoints, strict=True)
            }
            past = {}
            if self._rule.needs_past:
                memory = zip(self._rule.memory, self.memory, strict=True)
                past = {name: getattr(x.along(I), kind)[l].by_row for name, x in memory}
                past["g"] = getattr(self.g, kind)[l].by_row
            lam = getattr(self.lam, kind)[l].by_row
            p.call(
                self._rule.pull_back,
                **self._partial(self.curvature, l, kind),
                **adjoints,
                **past,
                **self._step_size(),
                lam=lam,
                v=getattr(self.v, kind)[l].by_row,
                n=lam.columns,
            )
            if self.sweep.terms:
                g = getattr(self.g, kind)[l].by_row
                self._inner_product(lam, g, self._grad_lr_now)
                self._inner_product(lam, lam, after)

        p = self.program
        phase = p.phase(self.chunks)
        after = self._square_now.along(BASE, self.chunks * self.squares.copy)
        if self.sweep.terms:
            self._clear_value(self._grad_lr_now)
            self._clear_value(after)
        self._each_parameter(self.sweep.discriminator, step, self.v)
        return phase

    def _collect(self) -> int:
        """lambda_0."""

        def step(l: int, kind: str) -> None:
            lam = getattr(self.lam, kind)[l].by_row
            p.call(
                parameters.pull_back_ascend,
                **self._partial(self.curvature, l, kind),
                lam=lam,
                eta=p.constant(1.0),
                v=getattr(self.v, kind)[l].by_row,
                n=lam.columns,
            )
            self._inner_product(lam, lam, self._square_now)

        p = self.program
        phase = p.phase(self.chunks)
        self._clear_value(self._square_now)
        self._each_parameter(self.sweep.discriminator, step)
        return phase

    def _hand_out(
        self, net: Network, partial: Weights, grad: Weights, slot: Callable[[int, str], Slot]
    ) -> int:
        """Add up a network's gradient, and hand it to the caller."""

        def step(l: int, kind: str) -> None:
            array = getattr(grad, kind)[l]
            arguments = self._partial(partial, l, kind)
            p.call(parameters.total, **arguments, out=array.by_row, n=array.columns)
            self._check_finite(array)
            if not (kind == "w" and net.is_transposed(l + 1)):
                p.call(
                    parameters.copy_out,
                    x=array.by_row,
                    ldx=array.ld,
                    first=FIRST_ROW,
                    out=slot(l, kind),
                    n=array.columns,
                )

        p = self.program
        phase = p.phase(self.chunks)
        self._each_parameter(net, step)
        L = net.depth
        if net.is_transposed(L):
            p.section(network.alone(net.sizes[-2], self.chunks))
            w, out = grad.w[L - 1], slot(L - 1, "w")
            p.call(parameters.copy_out_transposed, x=w, ldx=w.ld, out=out, n=net.sizes[-1])
        return phase

    # Their parts

    def _slot_out(self, l: int, kind: str) -> Slot:
        place = self._slots_out[2 * l + (kind == "b")]
        return place.along_steps if self.sweep.terms else place

    def _partial(self, partial: Weights, l: int, kind: str) -> dict[str, Any]:
        array = getattr(partial, kind)[l]
        stride = array.copy // array.itemsize
        return {"partial": array.by_row, "stride": stride, "groups": self.chunks, "ld": array.ld}

    def _step_size(self) -> dict[str, Matrix]:
        name = "eta" if self._rule is RULES["ascent"] else "scalars"
        return {name: self._scalars_now}

    def _inner_product(self, x: Matrix, y: Matrix, out: Matrix) -> None:
        n = _whole(x, self._unit)
        self.program.call(parameters.inner_product, x=x, y=y, ld=x.ld, out=out, n=n)

    def _each_parameter(
        self, net: Network, step: Callable[[int, str], None], transposed: Weights | None = None
    ) -> None:
        """Sections for the weights, in shares, and the biases of every layer."""
        p = self.program
        for l in range(net.depth):
            rows = net.shape(l + 1)[0]
            whole = net.is_transposed(l + 1)  # and is transposed on its way in and out
            shares = network.shares(rows, self.chunks, self._unit)
            p.section(network.alone(rows, self.chunks) if whole else shares)
            step(l, "w")
            if transposed is not None:
                network.transpose(p, net, l + 1, transposed)
            p.section(network.alone(1, self.chunks))
            step(l, "b")


def _whole(array: Matrix, unit: int) -> int:
    """Columns, pads included."""
    return -(-array.columns // unit) * unit
