"""The whole of an unrolled gradient as one program.

With the discriminator's parameters theta_0 given, K steps up, the outer objective, and all the way
back, as `tinygrad_ugan.unroll.adjoint` writes it::

    forward      theta_{k+1} = theta_k + eta_k g_k                            k = 0 .. K-1
    outer        f_K, lambda_K, and the cotangent of the generated samples
    reverse      v = eta_k lambda_{k+1};  c_k, and lambda_k = lambda_{k+1} + H_k v

`reverse` is the derivative of one forward and backward pass of the discriminator as its parameters
move along v: the same passes, with an R before every name (`network`). An optimiser in place of
plain ascent changes how theta_k moves, and how v follows from lambda_{k+1} (`parameters`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.kernels import losses, network, parameters
from tinygrad_ugan.kernels.network import Network, Pass, Weights
from tinygrad_ugan.kernels.program import BASE, CHUNK, FIRST_ROW, Array, Blocks, I, J, K, Place
from tinygrad_ugan.kernels.sweep import RULES, Move, Sweep, Term
from tinygrad_ugan.kernels.sweep_memory import SweepMemory
from tinygrad_ugan.kernels.target import Target


class Result(NamedTuple):
    """What comes out; parameters are lists of w, b for every layer.

    Attributes
    ----------
    value : float
        f_K.
    gradients : list of list
        The gradient with respect to theta_G; or, if terms were asked for, its parts:
        c_0 ... c_{K-1} and the direct term.
    """

    value: Any
    gradients: list[list[NDArray]]


class SweepProgram(SweepMemory):
    """A `Sweep`, built for one machine and dtype. `run` is not to be called by two threads at once.

    Attributes
    ----------
    nbytes : int
        Memory.
    """

    def __init__(self, sweep: Sweep, target: Target, dtype: DTypeLike) -> None:
        super().__init__(sweep, target, dtype)
        self._write()
        self._executable = self.program.compile()
        self.nbytes = self._executable.nbytes
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
        first_back = next((t for t, move in enumerate(s.moves) if not move.up), len(s.moves))
        for move in s.moves[:first_back]:
            self._write_move(phases, move)
        self._write_outer(phases, s.moves[first_back - 1].target if first_back else 0)
        for move in s.moves[first_back:]:
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
            run(self._begin())
            phases["pull"] = self._pull()
            phases["reverse"], phases["last"] = self._reverse(), self._reverse(last=True)

    def _write_move(self, phases: dict[str, int], move: Move) -> None:
        s, run = self.sweep, self.program.run_phase
        _, k, source, target = move
        if move.up or not s.keep:
            run(phases["forward"], k, source)
            run(phases["advance"], k, source, target if move.up else self._spare_slot)
        if not move.up:
            at_end = k == self._backs[-1] and not s.terms
            run(phases["pull"], k, source)
            run(phases["last" if at_end else "reverse"], k, source)

    def _write_generator(self) -> None:
        s, run = self.sweep, self.program.run_phase
        clear, back = self._clear_generator(), self._generator_backward()
        out = self._hand_out(s.generator, self.partial_g, self.grad_g, self._slot_out)
        contributions = [*self._backs[::-1], s.steps]
        if s.terms:
            for k in contributions:
                run(clear)
                run(back, k)
                run(out, k)
            return
        run(clear)
        for k in contributions if s.fresh else [0]:
            run(back, k)
        run(out)

    # The phases

    def _inputs(self) -> int:
        s, p = self.sweep, self.program
        phase = p.phase(self.chunks)
        network.copy_in(p, s.generator, self.theta_g, self._slots_g, self.chunks)
        network.copy_in(p, s.discriminator, self.theta, self._slots_d, self.chunks)
        for weights in self.memory:
            p.section(network.alone(weights.flat.size, self.chunks))
            p.call(parameters.zero, out=weights.flat)
        return phase

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

    def _read(self, slot: Place, count: int, scale: float, out: Array) -> None:
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
        """f_K, lambda_K in parts, and the direct cotangent of the samples."""
        p, s, here = self.program, self.sweep, self._discriminator_here()
        phase = p.phase(self.chunks)
        if self._wants_lambda:
            self._clear(self.partial_d)
        value = self._after_value()
        self._clear_value(value)
        theta = self.theta.along(I)
        for is_fake, term, blocks in self._sides(s.outer):
            p.section(blocks)
            here.hidden(theta)
            self._objective(here, theta, term, self.weights_outer, value)
            if is_fake or self._wants_lambda:
                grad = self.partial_d.along(CHUNK) if self._wants_lambda else None
                here.backward(theta, _column(self.ds), grad, to_input=is_fake)
            if is_fake:
                self._add_cotangent(parameters.scaled, here.d[0])
        return phase

    def _after_value(self) -> Array:
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
        self, here: Pass, theta: Weights, term: Term, weights: Array, value: Array
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

    def _add_cotangent(self, how: Callable[..., None], d: Array) -> None:
        """To the cotangent of the samples, scaled as these are before the discriminator."""
        p = self.program
        out = self.x_bar.by_row.row(-self._real_rows)
        scale = p.constant(self.sweep.discriminator.input_scale)
        p.call(how, x=d, ld=d.ld, scale=scale, out=out, n=d.ld)

    def _begin(self) -> int:
        """lambda_K; the adjoint of what the rule remembers is zero."""

        def step(l: int, kind: str) -> None:
            lam = getattr(self.lam, kind)[l].by_row
            arguments = self._partial(self.partial_d, l, kind)
            p.call(parameters.total, **arguments, out=lam, n=lam.columns)

        p = self.program
        phase = p.phase(self.chunks)
        self._each_parameter(self.sweep.discriminator, step)
        self._clear(self.curvature)
        for weights in self.adjoints:
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

    def _clear_generator(self) -> int:
        phase = self.program.phase(self.chunks)
        self._clear(self.partial_g)
        return phase

    def _generator_backward(self) -> int:
        p = self.program
        phase = p.phase(self.chunks)
        p.section(self._noise_blocks)
        grad = self.partial_g.along(CHUNK)
        self._generator_here().backward(self.theta_g, self.x_bar.by_row, grad, to_input=False)
        return phase

    def _hand_out(
        self, net: Network, partial: Weights, grad: Weights, slot: Callable[[int, str], Place]
    ) -> int:
        """Add up a network's gradient, and hand it to the caller."""

        def step(l: int, kind: str) -> None:
            array = getattr(grad, kind)[l]
            arguments = self._partial(partial, l, kind)
            p.call(parameters.total, **arguments, out=array.by_row, n=array.columns)
            if not (kind == "w" and net.is_rows(l + 1)):
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
        if net.is_rows(L):
            p.section(network.alone(net.sizes[-2], self.chunks))
            w, out = grad.w[L - 1], slot(L - 1, "w")
            p.call(parameters.copy_out_transposed, x=w, ldx=w.ld, out=out, n=net.sizes[-1])
        return phase

    def _slot_out(self, l: int, kind: str) -> Place:
        place = self._slots_out[2 * l + (kind == "b")]
        return place.along_steps if self.sweep.terms else place

    # Their parts

    def _discriminator_here(self) -> Pass:
        """The pass at the rows of a block, of step k where all are kept."""
        p, keep = self.pass_d, self.sweep.keep
        first = 1 + p.network.is_thin(1)  # h_1 is scratch if the input is thin
        h, e = (_by_row([a.along(K) if keep else a for a in x]) for x in (p.h[first:], p.e[1:]))
        return replace(p, h=[p.h[0].by_row, *p.h[1:first], *h], e=[p.e[0], *e])

    def _generator_here(self) -> Pass:
        p = self.pass_g
        return replace(p, h=_by_row([p.h[0], *(self._per_batch(a) for a in p.h[1:])]))

    def _sides(self, terms: tuple[Term | None, Term | None]) -> list[tuple[bool, Term, Blocks]]:
        """What is to be done on real and on generated rows: ``(is_fake, term, blocks)``."""
        blocks = (self._real_blocks, self._fake_blocks)
        return [(bool(i), t, blocks[i]) for i, t in enumerate(terms) if t is not None]

    def _clear(self, partial: Weights) -> None:
        self.program.once(partial.flat.size)
        self.program.call(parameters.zero, out=partial.flat.along(CHUNK))

    def _clear_value(self, value: Array) -> None:
        self.program.once(self.program.target.lanes(self.program.dtype))
        self.program.call(parameters.zero, out=value)

    def _partial(self, partial: Weights, l: int, kind: str) -> dict[str, Any]:
        array = getattr(partial, kind)[l]
        stride = array.copy // array.itemsize
        return {"partial": array.by_row, "stride": stride, "groups": self.chunks, "ld": array.ld}

    def _step_size(self) -> dict[str, Array]:
        name = "eta" if self._rule is RULES["ascent"] else "scalars"
        return {name: self._scalars_now}

    def _inner_product(self, x: Array, y: Array, out: Array) -> None:
        n = _whole(x, self._unit)
        self.program.call(parameters.inner_product, x=x, y=y, ld=x.ld, out=out, n=n)

    def _each_parameter(
        self, net: Network, step: Callable[[int, str], None], transposed: Weights | None = None
    ) -> None:
        """Sections for the weights, in shares, and the biases of every layer."""
        p = self.program
        for l in range(net.depth):
            rows = net.shape(l + 1)[0]
            whole = net.is_rows(l + 1)  # and is transposed on its way in and out
            shares = network.shares(rows, self.chunks, self._unit)
            p.section(network.alone(rows, self.chunks) if whole else shares)
            step(l, "w")
            if transposed is not None:
                network.transpose(p, net, l + 1, transposed)
            p.section(network.alone(1, self.chunks))
            step(l, "b")

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
        self._value_views = [view(self.values, last + c) for c in range(self.chunks)]

    def run(
        self,
        theta_g: Sequence[NDArray],
        theta_d: Sequence[NDArray],
        reals: Sequence[NDArray],
        noises: Sequence[NDArray],
        scalars: NDArray,
    ) -> Result:
        """Value and gradient.

        Parameters
        ----------
        theta_g, theta_d : sequence of ndarray
            w and b of every layer, in this order.
        reals, noises : sequence of ndarray
            The batches: one, or K + 1.
        scalars : ndarray, shape (K, m)
            What the rule's kernels read at every step.
        """
        self._scalars_view[: len(scalars), : scalars.shape[1]] = scalars
        given = [np.ascontiguousarray(x) for x in (*theta_g, *theta_d, *reals, *noises)]
        parts = [[np.empty(x.shape, x.dtype) for x in theta_g] for _ in range(self._parts)]
        outputs = [part[i] for i in range(len(theta_g)) for part in parts]
        arrays = [*given, *outputs]
        self._executable.run([x.__array_interface__["data"][0] for x in arrays])
        value = sum((v[0, 0] for v in self._value_views[1:]), self._value_views[0][0, 0])
        return Result(value, parts)

    # What else there is to see after a run

    def inner_values(self) -> NDArray:
        """inner(theta_G, theta_k, b_k) for k = 0 ... K."""
        return self._sums(self.values, self.sweep.steps + 1)

    def step_size_gradients(self) -> NDArray:
        """<lambda_{k+1}, g_k> for k = 0 ... K - 1."""
        return self._sums(self.grad_lr, self.sweep.steps)

    def adjoint_norms(self) -> NDArray:
        """||lambda_k|| for k = 0 ... K."""
        return np.sqrt(self._sums(self.squares, self.sweep.steps + 1))

    def _sums(self, array: Array, steps: int) -> NDArray:
        view, chunks = self._executable.view, range(self.chunks)
        sums = [sum(view(array, k * self.chunks + c)[0, 0] for c in chunks) for k in range(steps)]
        return np.array(sums, float)

    def parameters(self, weights: Weights, copy: int = 0) -> list[NDArray]:
        """A copy of parameters in the program's memory, as w, b of every layer."""
        view, net = self._executable.view, self.sweep.discriminator
        arrays = []
        for l, (w, b) in enumerate(zip(weights.w, weights.b, strict=True), start=1):
            matrix = view(w, copy)
            arrays += [np.array(matrix.T if net.is_rows(l) else matrix), np.array(view(b, copy)[0])]
        return arrays


def _by_row(arrays: list[Array]) -> list[Array]:
    return [a.by_row for a in arrays]


def _column(array: Array) -> Array:
    """A row of numbers as a column: one output for every row."""
    return replace(array, ld=1)


def _whole(array: Array, unit: int) -> int:
    """Columns, pads included."""
    return -(-array.columns // unit) * unit
