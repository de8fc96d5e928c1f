"""Optimiser steps and their pullbacks, and copies from and to the caller's arrays.

A matrix has padded rows and, where products need it, a transposed copy. Pads are and stay zero. The
rows of a batch are split into a fixed number of groups with a partial gradient each. Partials
are added in the order of the groups, whichever thread computed them, so that results are
bit-identical for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tinygrad_ugan.kernels.emitter import Address, ArraySlot, Count, Emitter, Value


def zero(e: Emitter, out: Address) -> None:
    """``out = 0``, for `rows` elements in whole vectors."""
    with e.loop(e.rows, step=e.lanes) as i:
        e.store(e.zero(), out, i)


def copy_in(
    e: Emitter,
    source: ArraySlot,
    first: Count,
    count: Count,
    scale: Address,
    out: Address,
    ldo: Count,
    n: Count,
) -> None:
    """``out = scale source``: rows from `first` on, of the caller's `count` rows of n elements."""
    factor = e.load_scalar(scale)
    factors = e.broadcast(factor)
    whole = n / e.lanes * e.lanes
    with e.loop(e.minimum(e.rows, count - first)) as r:
        line, place = e.at(source, (first + r) * n), e.at(out, r * ldo)
        with e.loop(whole, step=e.lanes) as j:
            e.store(factors * e.load(line, j), place, j)
        with e.loop(n, whole) as j:
            e.store_scalar(factor * e.load_scalar(line, j), place, j)


def copy_in_transposed(e: Emitter, source: ArraySlot, out: Address, ldo: Count, n: Count) -> None:
    """``out[j, r] = source[r, j]`` for the caller's `rows` rows of n elements; n is small."""
    with e.loop(e.rows) as r, e.loop(n) as j:
        e.store_scalar(e.load_scalar(source, r * n + j), out, j * ldo + r)


def transpose(e: Emitter, source: Address, lds: Count, out: Address, ldo: Count, n: Count) -> None:
    """``out[j, r] = source[r, j]``, in whole blocks of vectors."""
    with e.loop(e.rows, step=e.lanes) as r, e.loop(n, step=e.lanes) as j:
        block = [e.load(source, (r + i) * lds + j) for i in range(e.lanes)]
        for i, line in enumerate(_transposed(e, block)):
            e.store(line, out, (j + i) * ldo + r)


def total(
    e: Emitter, partial: Address, stride: Count, groups: Count, ld: Count, out: Address, n: Count
) -> None:
    """``out = sum_p partial[p]``, with exactly n columns."""
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        e.store(use(_sum(e, partial, stride, groups, offset)), out, offset)


def ascend(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    theta: Address,
    eta: Address,
    g: Address,
    theta_next: Address,
    n: Count,
) -> None:
    """``g = sum_p partial[p]`` and ``theta_next = theta + eta g``."""
    step = e.broadcast(e.load_scalar(eta))
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        gradient = use(_sum(e, partial, stride, groups, offset))
        e.store(gradient, g, offset)
        e.store(e.fma(step, gradient, e.load(theta, offset)), theta_next, offset)


def pull_back_ascend(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    lam: Address,
    eta: Address,
    v: Address,
    n: Count,
) -> None:
    """``lam += sum_p partial[p]``; then ``v = eta lam``, the adjoint of g."""
    step = e.broadcast(e.load_scalar(eta))
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        known = use(_sum(e, partial, stride, groups, offset)) + e.load(lam, offset)
        e.store(known, lam, offset)
        e.store(step * known, v, offset)


def momentum(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    theta: Address,
    velocity: Address,
    scalars: Address,
    g: Address,
    theta_next: Address,
    velocity_next: Address,
    n: Count,
) -> None:
    """``velocity_next = mu velocity - g`` and ``theta_next = theta - eta velocity_next``.

    `scalars` are eta and mu.
    """
    eta, mu = (e.broadcast(e.load_scalar(scalars, i)) for i in range(2))
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        gradient = use(_sum(e, partial, stride, groups, offset))
        new = e.fma(mu, e.load(velocity, offset), -gradient)
        e.store(gradient, g, offset)
        e.store(new, velocity_next, offset)
        e.store(e.fma(-eta, new, e.load(theta, offset)), theta_next, offset)


def pull_back_momentum(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    lam: Address,
    nu: Address,
    scalars: Address,
    v: Address,
    n: Count,
) -> None:
    """``lam += sum_p partial[p]``; then the adjoints v of g and nu of the velocity before."""
    eta, mu = (e.broadcast(e.load_scalar(scalars, i)) for i in range(2))
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        known = use(_sum(e, partial, stride, groups, offset)) + e.load(lam, offset)
        velocity = e.fma(-eta, known, e.load(nu, offset))
        e.store(known, lam, offset)
        e.store(-velocity, v, offset)
        e.store(mu * velocity, nu, offset)


def adam(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    theta: Address,
    mean: Address,
    square: Address,
    scalars: Address,
    g: Address,
    theta_next: Address,
    mean_next: Address,
    square_next: Address,
    n: Count,
) -> None:
    """One ascent step of `tinygrad_ugan.optim.Adam`; `scalars` are those of `_Adam`."""
    rule = _Adam(e, scalars)
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        gradient = use(_sum(e, partial, stride, groups, offset))
        new = rule.moments(-gradient, e.load(mean, offset), e.load(square, offset))
        e.store(gradient, g, offset)
        e.store(new[0], mean_next, offset)
        e.store(new[1], square_next, offset)
        update = use(rule.step * new[0] / rule.root(new[1]))
        e.store(e.load(theta, offset) + update, theta_next, offset)


def pull_back_adam(
    e: Emitter,
    partial: Address,
    stride: Count,
    groups: Count,
    ld: Count,
    lam: Address,
    nu: Address,
    xi: Address,
    scalars: Address,
    g: Address,
    mean: Address,
    square: Address,
    v: Address,
    n: Count,
) -> None:
    """``lam += sum_p partial[p]``; then the adjoints v of g, and nu and xi of the moments.

    With ``D = sqrt(scale square' + eps^2)`` the update is ``step mean' / D``, so the adjoints of
    the new moments are ``nu + step / D lam`` and ``xi - step mean' scale / (2 D^3) lam``.
    """
    rule = _Adam(e, scalars)
    for r, j, use in _elements(e, n):
        offset = r * ld + j
        known = use(_sum(e, partial, stride, groups, offset)) + e.load(lam, offset)
        descent = -e.load(g, offset)
        new = rule.moments(descent, e.load(mean, offset), e.load(square, offset))
        root = rule.root(new[1])
        pulled = rule.step * known / root
        first = e.load(nu, offset) + pulled
        second = e.load(xi, offset) - 0.5 * rule.scale * pulled * new[0] / (root * root)
        e.store(known, lam, offset)
        e.store(use(-(rule.rest1 * first + 2.0 * rule.rest2 * descent * second)), v, offset)
        e.store(use(rule.beta1 * first), nu, offset)
        e.store(use(rule.beta2 * second), xi, offset)


def descend_adam(
    e: Emitter,
    first: Count,
    scalars: Address,
    theta: ArraySlot,
    g: ArraySlot,
    mean: ArraySlot,
    square: ArraySlot,
    theta_next: ArraySlot,
    mean_next: ArraySlot,
    square_next: ArraySlot,
) -> None:
    """One step of `tinygrad_ugan.optim.Adam` on `rows` of the caller's elements, from `first` on.

    `scalars` are those of `_Adam`.
    """

    def step(rule: _Adam, load: Callable[..., Value], store: Callable[..., None]) -> None:
        new = rule.moments(load(g, i), load(mean, i), load(square, i))
        store(new[0], mean_next, i)
        store(new[1], square_next, i)
        store(load(theta, i) + rule.step * new[0] / rule.root(new[1]), theta_next, i)

    vectors, single = _Adam(e, scalars), _Adam(e, scalars, e.load_scalar)
    edge = first + e.rows / e.lanes * e.lanes
    with e.loop(edge, first, e.lanes) as i:
        step(vectors, e.load, e.store)
    with e.loop(first + e.rows, edge) as i:
        step(single, e.load_scalar, e.store_scalar)


class _Adam:
    """Adam's arithmetic: scalars beta1, 1 - beta1, beta2, 1 - beta2, eps^2, step_k and scale_k.

    Scalars are broadcast to vectors, unless `read` loads them otherwise.
    """

    def __init__(
        self, e: Emitter, scalars: Value, read: Callable[[Value, int], Value] | None = None
    ) -> None:
        self.e = e
        read = read or (lambda base, i: e.broadcast(e.load_scalar(base, i)))
        values = [read(scalars, i) for i in range(7)]
        self.beta1, self.rest1, self.beta2, self.rest2, self.floor, self.step, self.scale = values

    def moments(self, descent: Value, mean: Value, square: Value) -> tuple[Value, Value]:
        """The new running means of the gradient and of its square."""
        return (
            self.beta1 * mean + self.rest1 * descent,
            self.beta2 * square + self.rest2 * (descent * descent),
        )

    def root(self, square: Value) -> Value:
        """``sqrt(scale square + eps^2)``."""
        return self.e.sqrt(self.e.fma(self.scale, square, self.floor))


def inner_product(e: Emitter, x: Address, y: Address, ld: Count, out: Address, n: Count) -> None:
    """``out += sum x y``."""
    sums = e.variable(e.zero())
    with e.loop(e.rows) as r, e.loop(n, step=e.lanes) as j:
        offset = r * ld + j
        sums.set(e.fma(e.load(x, offset), e.load(y, offset), sums.get()))
    e.store_scalar(e.load_scalar(out) + e.sum(sums.get()), out)


def check_finite(e: Emitter, x: Address, ld: Count, out: Address, n: Count) -> None:
    """``out += sum 0 x``: nothing, or NaN if an element is not finite."""
    bits = e.variable(e.to_bits(e.zero()))
    with e.loop(e.rows) as r, e.loop(n, step=e.lanes) as j:
        nothing = e.load(x, r * ld + j) * 0.0
        bits.set(bits.get() | e.to_bits(nothing))  # a bitwise or is faster than a sum
    e.store_scalar(e.load_scalar(out) + e.sum(e.from_bits(bits.get())), out)


def add_scaled(e: Emitter, x: Address, ld: Count, scale: Address, out: Address, n: Count) -> None:
    """``out += scale x``."""
    factor = e.broadcast(e.load_scalar(scale))
    with e.loop(e.rows) as r, e.loop(n, step=e.lanes) as j:
        offset = r * ld + j
        e.store(e.fma(factor, e.load(x, offset), e.load(out, offset)), out, offset)


def scaled(e: Emitter, x: Address, ld: Count, scale: Address, out: Address, n: Count) -> None:
    """``out = scale x``."""
    factor = e.broadcast(e.load_scalar(scale))
    with e.loop(e.rows) as r, e.loop(n, step=e.lanes) as j:
        offset = r * ld + j
        e.store(factor * e.load(x, offset), out, offset)


def copy_out(e: Emitter, x: Address, ldx: Count, first: Count, out: ArraySlot, n: Count) -> None:
    """``out = x``, into the caller's array of n columns from row `first` on."""
    whole = n / e.lanes * e.lanes
    with e.loop(e.rows) as r:
        line, place = e.at(x, r * ldx), e.at(out, (first + r) * n)
        with e.loop(whole, step=e.lanes) as j:
            e.store(e.load(line, j), place, j)
        with e.loop(n, whole) as j:
            e.store_scalar(e.load_scalar(line, j), place, j)


def copy_out_transposed(e: Emitter, x: Address, ldx: Count, out: ArraySlot, n: Count) -> None:
    """``out[r, j] = x[j, r]``, into the caller's array of n columns; n is small."""
    with e.loop(e.rows) as r, e.loop(n) as j:
        e.store_scalar(e.load_scalar(x, j * ldx + r), out, r * n + j)


def _elements(e: Emitter, n: Value) -> Iterator[tuple[Value, Value, Callable[[Value], Value]]]:
    """Loop over the vectors (r, j) of `rows` rows; yield them with a function that zeroes pads."""
    whole = n / e.lanes * e.lanes
    with e.loop(e.rows) as r:
        with e.loop(whole, step=e.lanes) as j:
            yield r, j, lambda x: x
        with e.loop(n, whole, e.lanes) as j:
            inside = e.first_lanes(n - j)
            yield r, j, lambda x: e.where(inside, x, 0.0)


def _sum(e: Emitter, partial: Value, stride: Value, groups: Value, offset: Value) -> Value:
    total = e.variable(e.load(partial, offset))
    with e.loop(groups, 1) as p:
        total.set(total.get() + e.load(partial, p * stride + offset))
    return total.get()


def _transposed(e: Emitter, block: list[Value]) -> list[Value]:
    """Transpose a square block: swap its off-diagonal quarters, then those of each quarter, ..."""
    size = len(block)
    half = size // 2
    while half:
        first = [lane if not lane & half else size + lane - half for lane in range(size)]
        second = [lane + half if not lane & half else size + lane for lane in range(size)]
        block = [
            e.shuffle(block[i], block[i + half], first)
            if not i & half
            else e.shuffle(block[i - half], block[i], second)
            for i in range(size)
        ]
        half //= 2
    return block
