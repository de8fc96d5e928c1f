"""The whole of an unrolled gradient as one program.

With the discriminator's parameters theta_0 given, K steps up, the outer objective, and all the way
back, as `tinygrad_ugan.unroll.adjoint` writes it::

    forward      theta_{k+1} = theta_k + eta_k g_k                            k = 0 .. K-1
    outer        f_K, lambda_K, and the cotangent of the generated samples
    reverse      v = eta_k lambda_{k+1};  c_k, and lambda_k = lambda_{k+1} + H_k v

`reverse` is the derivative of one forward and backward pass of the discriminator as its parameters
move along v: the same passes, with an R before every name (`network`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.kernels import losses, network, parameters
from tinygrad_ugan.kernels.network import Network, Pass, Weights
from tinygrad_ugan.kernels.program import (
    CHUNK,
    FIRST_ROW,
    I,
    J,
    K,
    Array,
    Blocks,
    Program,
    split,
)
from tinygrad_ugan.kernels.target import Target


class Term(NamedTuple):
    """``factor * mean(phi(logits))``, phi being one of `losses.OBJECTIVES`."""

    objective: str
    factor: float


@dataclass(frozen=True)
class Sweep:
    """Everything that a program depends on, numbers that change from call to call excepted.

    Attributes
    ----------
    generator, discriminator : Network
    real, fake : int
        Rows of a batch.
    inner, outer : tuple of Term or None
        The objectives, on real and on generated samples.
    steps : int
        K.
    differentiated : int
        The reverse sweep goes back through so many steps, the last ones.
    """

    generator: Network
    discriminator: Network
    real: int
    fake: int
    inner: tuple[Term | None, Term | None]
    outer: tuple[Term | None, Term | None]
    steps: int
    differentiated: int


class Result(NamedTuple):
    """What comes out: f_K, and its gradient with respect to theta_G, for w and b of every layer."""

    value: float
    gradient: list[NDArray]


class SweepProgram:
    """A `Sweep`, built for one machine and dtype."""

    def __init__(self, sweep: Sweep, target: Target, dtype: DTypeLike) -> None:
        self.sweep = sweep
        self.program = Program(target, dtype)
        self._unit = target.padded(1, dtype)
        self._lay_out()
        self._allocate()
        self._write()
        self._executable = self.program.compile()
        self._fill_constants()

    def _lay_out(self) -> None:
        s, unit = self.sweep, self._unit
        self._real_rows, self._fake_rows = (-(-n // unit) * unit for n in (s.real, s.fake))
        self.chunks = max(1, min(4, (self._real_rows + self._fake_rows) // (2 * unit)))
        self.block = 64
        self._real_blocks = split(self._real_rows, self.chunks, self.block, unit)
        fake = split(self._fake_rows, self.chunks, self.block, unit)
        self._fake_blocks = [[(r + self._real_rows, n) for r, n in blocks] for blocks in fake]
        self._noise_blocks = fake

    def _allocate(self) -> None:
        s, p, chunks = self.sweep, self.program, self.chunks
        slots = s.steps + 1
        rows = self._real_rows + self._fake_rows
        G, D = s.generator, s.discriminator

        self._slots_g = [p.slot() for _ in range(2 * G.depth)]
        self._slots_d = [p.slot() for _ in range(2 * D.depth)]
        self._slot_real, self._slot_noise = p.slot(), p.slot()
        self._slots_out = [p.slot() for _ in range(2 * G.depth)]

        self.theta_g = network.allocate(p, G, transposed=True)
        self.theta = network.allocate(p, D, s.steps + 1, transposed=True)
        self.lam = network.allocate(p, D)
        self.v = network.allocate(p, D, transposed=True)
        self.g = network.allocate(p, D)
        self.partial_d = network.allocate(p, D, chunks)
        self.partial_g = network.allocate(p, G, chunks)
        self.grad_g = network.allocate(p, G)

        self.x = p.array(rows, D.sizes[0])
        self.x_bar = p.array(self._fake_rows, D.sizes[0])
        self.noise = p.array(self._fake_rows, G.sizes[0])
        options = dict(chunks=chunks, block=self.block)
        self.pass_g = network.make_pass(p, G, self.noise, copies=1, tangent=False, **options)
        self.pass_d = network.make_pass(p, D, self.x, copies=slots, tangent=True, **options)
        self.logits = p.array(1, rows, slots)
        self.weights_inner, self.weights_outer = p.array(1, rows), p.array(1, rows)
        scratch = [p.array(1, self.block, chunks).along(CHUNK) for _ in range(3)]
        self.ds, self.Rs, self.Rds = scratch
        self.values = p.array(1, 1, chunks)
        self.ignored = p.array(1, 1, chunks).along(CHUNK)
        self.etas = p.array(1, slots)
        self._eta = self.etas.along(K, p.dtype.itemsize)

    # The phases

    def _write(self) -> None:
        s = self.sweep
        inputs, generate = self._inputs(), self._generate()
        forward, ascend = self._forward(), self._ascend()
        outer, start = self._outer(), self._pull_back_ascent(first=True)
        reverse, again = self._reverse(last=False), self._pull_back_ascent(first=False)
        reverse_last = self._reverse(last=True)
        back, out = self._generator_backward(), self._outputs()

        run, K, last = self.program.run_phase, s.steps, s.steps - s.differentiated
        run(inputs)
        run(generate)
        for k in range(K):
            run(forward, k, k, k + 1)
            run(ascend, k, k, k + 1)
        run(outer, K, K)
        if s.differentiated:
            run(start, K - 1, K)
        for k in reversed(range(last, K)):
            run(reverse if k > last else reverse_last, k, k)
            if k > last:
                run(again, k - 1, k)
        run(back)
        run(out)

    def _inputs(self) -> int:
        s, p = self.sweep, self.program
        phase = p.phase(self.chunks)
        network.copy_in(p, s.generator, self.theta_g, self._slots_g, self.chunks)
        network.copy_in(p, s.discriminator, self.theta, self._slots_d, self.chunks)
        p.section(self._real_blocks)
        scale = p.constant(s.discriminator.input_scale)
        p.call(
            parameters.copy_in, source=self._slot_real, first=FIRST_ROW, count=s.real,
            scale=scale, out=self.x.by_row, ldo=self.x.ld, n=self.x.columns,
        )  # fmt: skip
        return phase

    def _generate(self) -> int:
        s, p = self.sweep, self.program
        phase = p.phase(self.chunks)
        p.section(self._noise_blocks)
        p.call(
            parameters.copy_in, source=self._slot_noise, first=FIRST_ROW, count=s.fake,
            scale=p.constant(s.generator.input_scale), out=self.noise.by_row, ldo=self.noise.ld,
            n=self.noise.columns,
        )  # fmt: skip
        here = _by_row(self.pass_g)
        samples = self.x.row(self._real_rows).by_row
        here.hidden(self.theta_g)
        here.output(self.theta_g, samples)
        scale = s.discriminator.input_scale
        if scale != 1.0:
            p.call(
                parameters.scaled, x=samples, ld=samples.ld, scale=p.constant(scale), out=samples,
                n=samples.ld,
            )  # fmt: skip
        return phase

    def _sides(self, terms: tuple[Term | None, Term | None]) -> list[tuple[bool, Term, list]]:
        """What is to be done on real and on generated rows: ``(is_fake, term, blocks)``."""
        blocks = (self._real_blocks, self._fake_blocks)
        return [(bool(i), t, blocks[i]) for i, t in enumerate(terms) if t is not None]

    def _forward(self) -> int:
        """g_k, in parts: one for each chunk. What the reverse step needs again is kept."""
        p = self.program
        phase = p.phase(self.chunks)
        self._clear(self.partial_d)
        here = _by_row(self.pass_d, K)
        theta, logits = self.theta.along(I), self.logits.along(K).by_element
        for _, term, blocks in self._sides(self.sweep.inner):
            p.section(blocks)
            here.hidden(theta)
            here.output(theta, _flat(logits))
            self._objective(term, logits, self.weights_inner, self.ignored)
            here.backward(theta, _flat(self.ds), self.partial_d.along(CHUNK), to_input=False)
        return phase

    def _objective(self, term: Term, logits: Array, weights: Array, value: Array) -> None:
        self.program.call(
            losses.objective, term.objective, t=logits, weight=weights.by_element,
            dt=self.ds, value=value,
        )  # fmt: skip

    def _outer(self) -> int:
        """f_K, lambda_K in parts, and the direct cotangent of the samples."""
        p, s = self.program, self.sweep
        phase = p.phase(self.chunks)
        self._clear(self.partial_d)
        p.once(self.program.target.lanes(p.dtype))
        p.call(parameters.zero, out=self.values.along(CHUNK))
        here = _by_row(self.pass_d, K)
        theta, logits = self.theta.along(I), self.logits.along(K).by_element
        for is_fake, term, blocks in self._sides(s.outer):
            p.section(blocks)
            here.hidden(theta)
            here.output(theta, _flat(logits))
            self._objective(term, logits, self.weights_outer, self.values.along(CHUNK))
            if is_fake or s.differentiated:
                grad = self.partial_d.along(CHUNK)
                here.backward(theta, _flat(self.ds), grad, to_input=is_fake)
            if is_fake:
                self._add_cotangent(parameters.scaled, here.d[0])
        return phase

    def _add_cotangent(self, how: Callable[..., None], d: Array) -> None:
        """Scaled as the input is, to the cotangent of the samples."""
        p = self.program
        out = self.x_bar.by_row.row(-self._real_rows)
        scale = p.constant(self.sweep.discriminator.input_scale)
        p.call(how, x=d, ld=d.ld, scale=scale, out=out, n=d.ld)

    def _reverse(self, *, last: bool) -> int:
        """c_k, and the curvature H_k v in parts, which the last step has no use for."""
        p = self.program
        phase = p.phase(self.chunks)
        if not last:
            self._clear(self.partial_d)
        here = _by_row(self.pass_d, K)
        theta, logits = self.theta.along(I), self.logits.along(K).by_element
        for is_fake, term, blocks in self._sides(self.sweep.inner):
            if last and not is_fake:
                continue
            p.section(blocks)
            here.hidden_tangent(theta, self.v)
            here.logit_tangent(theta, self.v, _flat(self.Rs))
            p.call(
                losses.objective_tangent, term.objective, t=logits, Rt=self.Rs,
                weight=self.weights_inner.by_element, dt=self.ds, Rdt=self.Rds,
            )  # fmt: skip
            grad = None if last else self.partial_d.along(CHUNK)
            here.backward_tangent(theta, self.v, self.ds, self.Rds, grad, to_input=is_fake)
            if is_fake:
                self._add_cotangent(parameters.add_scaled, here.Rd[0] if here.Rd else here.d[0])
        return phase

    def _clear(self, partial: Weights) -> None:
        self.program.once(partial.flat.size)
        self.program.call(parameters.zero, out=partial.flat.along(CHUNK))

    def _ascend(self) -> int:
        """theta_{k+1} = theta_k + eta_k g_k."""

        def step(l: int, kind: str) -> None:
            here, after = (getattr(self.theta.along(r), kind)[l] for r in (I, J))
            p.call(
                parameters.ascend, **self._partial(self.partial_d, l, kind), theta=here.by_row,
                eta=self._eta, g=getattr(self.g, kind)[l].by_row,
                theta_next=after.by_row, n=here.columns,
            )  # fmt: skip

        p = self.program
        phase = p.phase(self.chunks)
        self._each_parameter(self.sweep.discriminator, step, self.theta.along(J))
        return phase

    def _pull_back_ascent(self, *, first: bool) -> int:
        """lambda_k = lambda_{k+1} + H_k v, and the next v = eta_{k-1} lambda_k."""

        def step(l: int, kind: str) -> None:
            lam, v = (getattr(x, kind)[l] for x in (self.lam, self.v))
            arguments = self._partial(self.partial_d, l, kind)
            if first:
                p.call(parameters.total, **arguments, out=lam.by_row, n=lam.columns)
                p.call(
                    parameters.scaled, x=lam.by_row, ld=lam.ld, scale=self._eta,
                    out=v.by_row, n=lam.ld,
                )  # fmt: skip
            else:
                p.call(
                    parameters.pull_back_ascent, **arguments, lam=lam.by_row,
                    eta=self._eta, v=v.by_row, n=lam.columns,
                )  # fmt: skip

        p = self.program
        phase = p.phase(self.chunks)
        self._each_parameter(self.sweep.discriminator, step, self.v)
        return phase

    def _partial(self, partial: Weights, l: int, kind: str) -> dict:
        array = getattr(partial, kind)[l]
        stride = array.copy // array.itemsize
        return dict(partial=array.by_row, stride=stride, groups=self.chunks, ld=array.ld)

    def _each_parameter(
        self, net: Network, step: Callable[[int, str], None], transposed: Weights | None
    ) -> None:
        """Sections for the weights, in shares, and the biases of every layer."""
        p = self.program
        for l in range(net.depth):
            rows = net.shape(l + 1)[0]
            whole = net.is_rows(l + 1)  # and is transposed on its way in and out
            blocks = network.alone(rows, self.chunks) if whole else self._shares(rows)
            p.section(blocks)
            step(l, "w")
            if transposed is not None:
                network.transpose(p, net, l + 1, transposed)
            p.section(network.alone(1, self.chunks))
            step(l, "b")

    def _shares(self, rows: int) -> Blocks:
        return network.shares(rows, self.chunks, self._unit)

    def _generator_backward(self) -> int:
        p = self.program
        phase = p.phase(self.chunks)
        self._clear(self.partial_g)
        p.section(self._noise_blocks)
        here = _by_row(self.pass_g)
        here.backward(self.theta_g, self.x_bar.by_row, self.partial_g.along(CHUNK), to_input=False)
        return phase

    def _outputs(self) -> int:
        """Add up the generator's gradient, and hand it to the caller."""

        def step(l: int, kind: str) -> None:
            array, slot = getattr(self.grad_g, kind)[l], self._slots_out[2 * l + (kind == "b")]
            p.call(
                parameters.total, **self._partial(self.partial_g, l, kind), out=array.by_row,
                n=array.columns,
            )  # fmt: skip
            if kind == "w" and net.is_rows(l + 1):
                return
            p.call(
                parameters.copy_out, x=array.by_row, ldx=array.ld, first=FIRST_ROW, out=slot,
                n=array.columns,
            )  # fmt: skip

        p, net = self.program, self.sweep.generator
        phase = p.phase(self.chunks)
        self._each_parameter(net, step, None)
        L = net.depth
        if net.is_rows(L):
            p.section(network.alone(net.sizes[-2], self.chunks))
            w = self.grad_g.w[L - 1]
            p.call(
                parameters.copy_out_transposed, x=w, ldx=w.ld, out=self._slots_out[2 * L - 2],
                n=net.sizes[-1],
            )  # fmt: skip
        return phase

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
        self._etas = view(self.etas)[0]
        self._values = [view(self.values, c) for c in range(self.chunks)]

    def run(
        self,
        theta_g: Sequence[NDArray],
        theta_d: Sequence[NDArray],
        real: NDArray,
        noise: NDArray,
        etas: Sequence[float],
    ) -> Result:
        """Value and gradient; parameters are given as w, b of every layer, in this order."""
        self._etas[: len(etas)] = etas
        given = [np.ascontiguousarray(x) for x in (*theta_g, *theta_d, real, noise)]
        gradient = [np.empty(x.shape, x.dtype) for x in theta_g]
        arrays = [*given, *gradient]
        self._executable.run([x.__array_interface__["data"][0] for x in arrays])
        return Result(sum(v[0, 0] for v in self._values), gradient)


def _by_row(p: Pass, register: int | None = None) -> Pass:
    """The pass at the rows of a block; what is kept, in the copy of a register."""

    def place(arrays: list[Array]) -> list[Array]:
        return [a if register is None else a.along(register) for a in arrays]

    h = [p.h[0], *place(p.h[1:])]
    e = [a.by_row for a in place(p.e)] if p.Rh else p.e
    return Pass(p.program, p.network, [a.by_row for a in h], e, p.d, p.Rh, p.Rd)


def _flat(array: Array) -> Array:
    """A row of numbers as a column: one output for every row."""
    from dataclasses import replace

    return replace(array, ld=1)
