"""The phases of a sweep that go over the rows of a batch: what the networks make of them.

`forward` and `outer` go up through the discriminator and back; `reverse` is the derivative of such
a pass as its parameters move along v: the same, with an R before every name (see `network_pass`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinygrad_ugan.kernels import losses, parameters
from tinygrad_ugan.kernels.network import Weights
from tinygrad_ugan.kernels.network_pass import Pass
from tinygrad_ugan.kernels.program import BASE, CHUNK, FIRST_ROW, Blocks, I, K, Matrix, Slot
from tinygrad_ugan.kernels.sweep import Term
from tinygrad_ugan.kernels.sweep_memory import SweepMemory


class RowPhases(SweepMemory):
    """Each method opens a phase, writes it, and returns its number."""

    def _generate(self) -> int:
        """Take a batch in, and make samples of its noise."""
        s, p = self.sweep, self.program
        phase = p.phase(self.chunks)
        scale = s.discriminator.input_scale
        p.section(self._real_blocks)
        self._read(self._slot_real, s.real, scale, self.x)
        p.section(self._noise_blocks)
        self._read(self._slot_noise, s.fake, s.generator.input_scale, self.noise)
        here = self._generator_here()
        samples = self.x.row(self._real_rows).by_row
        here.hidden(self.theta_g)
        here.output(self.theta_g, samples)
        if scale != 1.0:
            arguments = {"x": samples, "ld": samples.ld, "out": samples, "n": samples.ld}
            p.call(parameters.scaled, scale=p.constant(scale), **arguments)
        return phase

    def _read(self, slot: Slot, count: int, scale: float, out: Matrix) -> None:
        """Copy the rows of a block from a caller's array of `count` rows."""
        self.program.call(
            parameters.copy_in,
            source=slot,
            first=FIRST_ROW,
            count=count,
            scale=self.program.constant(scale),
            out=out.by_row,
            ldo=out.ld,
            n=out.columns,
        )
        self._check_finite(out)

    def _forward(self) -> int:
        """g_k, in parts: one for each chunk. What the reverse step needs again is kept."""
        p, here = self.program, self._discriminator_here()
        phase = p.phase(self.chunks)
        self._clear(self.partial_d)
        self._clear_value(self._value_now)
        theta = self.theta.along(I)
        for _, term, blocks in self._sides(self.sweep.inner):
            p.section(blocks)
            here.hidden(theta)
            self._objective(here, theta, term, self.weights_inner, self._value_now)
            here.backward(theta, _column(self.ds), self.partial_d.along(CHUNK), to_input=False)
        return phase

    def _outer(self) -> int:
        """f_K, the direct cotangent of the samples, and lambda_K in parts, for `pull` to add up."""
        p, s, here = self.program, self.sweep, self._discriminator_here()
        phase = p.phase(self.chunks)
        if self._wants_lambda:
            self._clear(self.curvature)
        value = self._after_value()
        self._clear_value(value)
        theta = self.theta.along(I)
        for is_fake, term, blocks in self._sides(s.outer):
            p.section(blocks)
            here.hidden(theta)
            self._objective(here, theta, term, self.weights_outer, value)
            if is_fake or self._wants_lambda:
                grad = self.curvature.along(CHUNK) if self._wants_lambda else None
                here.backward(theta, _column(self.ds), grad, to_input=is_fake)
            if is_fake:
                self._add_cotangent(parameters.scaled, here.d[0])
        return phase

    def _after_value(self) -> Matrix:
        """The entry of the values that follows the K-th: `outer` is run with k = K."""
        now = self._value_now
        return now.along(BASE, self.chunks * now.copy)

    def _evaluate(self) -> int:
        """The inner objective at theta_K."""
        p, here = self.program, self._discriminator_here()
        phase = p.phase(self.chunks)
        self._clear_value(self._value_now)
        theta = self.theta.along(I)
        for _, term, blocks in self._sides(self.sweep.inner):
            p.section(blocks)
            here.hidden(theta)
            self._objective(here, theta, term, self.weights_inner, self._value_now)
        return phase

    def _objective(
        self, here: Pass, theta: Weights, term: Term, weights: Matrix, value: Matrix
    ) -> None:
        """The logits, their objective, and its derivative."""
        logits = self.logits.by_element
        here.output(theta, _column(logits))
        self.program.call(
            losses.objective,
            term.objective,
            t=logits,
            weight=weights.by_element,
            dt=self.ds,
            value=value,
        )

    def _add_cotangent(self, how: Callable[..., None], d: Matrix) -> None:
        """To the cotangent of the samples, scaled as these are before the discriminator."""
        p = self.program
        out = self.x_bar.by_row.row(-self._real_rows)
        scale = p.constant(self.sweep.discriminator.input_scale)
        p.call(how, x=d, ld=d.ld, scale=scale, out=out, n=d.ld)

    def _reverse(self, *, last: bool = False) -> int:
        """c_k, and the curvature H_k v in parts, which the last step has no use for."""
        p, here = self.program, self._discriminator_here()
        phase = p.phase(self.chunks)
        if not last:
            self._clear(self.curvature)
        every = self.sweep.fresh or self.sweep.terms
        theta, logits = self.theta.along(I), self.logits.by_element
        for is_fake, term, blocks in self._sides(self.sweep.inner):
            if last and not is_fake:
                continue
            p.section(blocks)
            here.hidden_tangent(theta, self.v)
            here.logit_tangent(theta, self.v, _column(self.Rs))
            p.call(
                losses.objective_tangent,
                term.objective,
                t=logits,
                Rt=self.Rs,
                weight=self.weights_inner.by_element,
                dt=self.ds,
                Rdt=self.Rds,
            )
            grad = None if last else self.curvature.along(CHUNK)
            here.backward_tangent(theta, self.v, self.ds, self.Rds, grad, to_input=is_fake)
            if is_fake:
                self._add_cotangent(
                    parameters.scaled if every else parameters.add_scaled, here.Rd[0]
                )
        return phase

    def _generator_backward(self, *, clear: bool = False) -> int:
        p = self.program
        phase = p.phase(self.chunks)
        if clear:
            self._clear(self.partial_g)
        p.section(self._noise_blocks)
        grad = self.partial_g.along(CHUNK)
        self._generator_here().backward(self.theta_g, self.x_bar.by_row, grad, to_input=False)
        return phase

    # Their parts

    def _discriminator_here(self) -> Pass:
        """The pass at the rows of a block, of step k where all are kept."""
        p, keep = self.pass_d, self.sweep.keep
        first = 1 + p.network.has_narrow_input(1)  # h_1 is scratch if the input is thin
        h, e = (_by_row([a.along(K) if keep else a for a in x]) for x in (p.h[first:], p.e[1:]))
        return replace(p, h=[p.h[0].by_row, *p.h[1:first], *h], e=[p.e[0], *e])

    def _generator_here(self) -> Pass:
        p = self.pass_g
        return replace(p, h=_by_row([p.h[0], *(self._per_batch(a) for a in p.h[1:])]))

    def _sides(self, terms: tuple[Term | None, Term | None]) -> list[tuple[bool, Term, Blocks]]:
        """The work on real and on generated rows: ``(is_fake, term, blocks)``."""
        blocks = (self._real_blocks, self._fake_blocks)
        return [(bool(i), t, blocks[i]) for i, t in enumerate(terms) if t is not None]


def _by_row(arrays: list[Matrix]) -> list[Matrix]:
    return [a.by_row for a in arrays]


def _column(array: Matrix) -> Matrix:
    """A row of numbers as a column: one output for every row."""
    return replace(array, ld=1)
