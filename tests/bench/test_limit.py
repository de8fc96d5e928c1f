"""The count against a gradient that counts as it goes, and the loop that measures the limit."""

import re
import time

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tinygrad_ugan.bench import WORKLOADS, Workload, multiply_adds
from tinygrad_ugan.bench.limit import MultiplyAdds, Vectors, host_vectors, loop_source, vectors_of
from tinygrad_ugan.kernels.target import emulated_target


class Counter:
    """Matrix products that count their multiply-adds."""

    def __init__(self):
        self.total = 0

    def __call__(self, a, b):
        (m, k), (_, n) = a.shape, b.shape
        self.total += m * k * n
        return a @ b


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(dot, params, x):
    """Inputs of every layer, and the output; tanh between them."""
    inputs = [x]
    for layer in params[:-1]:
        inputs.append(np.tanh(dot(inputs[-1], layer["w"]) + layer["b"]))
    return inputs, dot(inputs[-1], params[-1]["w"]) + params[-1]["b"]


def deltas(dot, params, inputs, top, *, to_input):
    """Cotangents of every layer's output, then of the input if wanted."""
    found = [top]
    for layer, h in zip(params[:0:-1], inputs[:0:-1], strict=True):
        found.insert(0, dot(found[0], layer["w"].T) * (1 - h**2))
    return found, dot(found[0], params[0]["w"].T) if to_input else None


def weights(dot, inputs, found):
    return [
        {"w": dot(h.T, delta), "b": delta.sum(axis=0)}
        for h, delta in zip(inputs, found, strict=True)
    ]


def r_forward(dot, params, v, inputs):
    """d/d(eps) of `forward` at params + eps v."""
    moves = [None]
    for layer, change, h, nxt in zip(params, v, inputs, [*inputs[1:], None], strict=True):
        move = dot(h, change["w"]) + change["b"]
        if moves[-1] is not None:
            move = move + dot(moves[-1], layer["w"])
        moves.append(move if nxt is None else move * (1 - nxt**2))
    return moves[:-1], moves[-1]


def r_deltas(dot, params, v, inputs, moves, found, top, *, to_input):
    """d/d(eps) of `deltas` at params + eps v."""
    changes = [top]
    for i in range(len(params) - 1, 0, -1):
        w, dw, h, move = params[i]["w"], v[i]["w"], inputs[i], moves[i]
        raw = dot(changes[0], w.T) + dot(found[i], dw.T)
        back = found[i - 1] / (1 - h**2)  # delta_i w^T, which a gradient has kept
        changes.insert(0, raw * (1 - h**2) - 2 * h * move * back)
    if not to_input:
        return changes, None
    return changes, dot(changes[0], params[0]["w"].T) + dot(found[0], v[0]["w"].T)


def r_weights(dot, inputs, moves, found, changes):
    out = []
    for h, move, delta, change in zip(inputs, moves, found, changes, strict=True):
        w = dot(h.T, change)
        if move is not None:
            w = w + dot(move.T, delta)
        out.append({"w": w, "b": change.sum(axis=0)})
    return out


def add(a, b, scale=1.0):
    return optree.tree_map(lambda x, y: x + scale * y, a, b)


def counted_gradient(workload):
    """Gradient of f_K, and the multiply-adds that it took."""
    dot = Counter()
    theta_g, theta, real, noise = workload.arrays()
    n, lr, K = workload.batch, workload.lr, workload.steps
    g_inputs, fake = forward(dot, theta_g, noise)

    def kept(theta, *, both, last):
        """Forward and backward of both halves of the batch."""
        halves = []
        for x, sign in ((real, 1), (fake, -1)):
            inputs, logit = forward(dot, theta, x)
            top = sign * sigmoid(-sign * logit) / n  # of mean(log sigmoid(sign * logit))
            slope = -sigmoid(logit) * sigmoid(-logit) / n
            if not both and sign == 1:
                continue
            found, back = deltas(dot, theta, inputs, top, to_input=last and sign == -1)
            halves.append((sign, inputs, found, slope, back))
        return halves

    def ascent(halves):
        a, b = (weights(dot, inputs, found) for _, inputs, found, _, _ in halves)
        return add(a, b)

    trajectory = []
    for _ in range(K):
        halves = kept(theta, both=True, last=False)
        trajectory.append((theta, halves))
        theta = add(theta, ascent(halves), lr)

    halves = kept(theta, both=K > 0, last=True)
    cotangent = halves[-1][-1]
    lam = ascent(halves) if K > 0 else None
    for k, (theta, halves) in reversed(list(enumerate(trajectory))):
        v = optree.tree_map(lambda x: lr * x, lam)
        for sign, inputs, found, slope, _ in halves if k > 0 else halves[1:]:
            moves, logit = r_forward(dot, theta, v, inputs)
            changes, back = r_deltas(
                dot, theta, v, inputs, moves, found, slope * logit, to_input=sign == -1
            )
            if k > 0:
                lam = add(lam, r_weights(dot, inputs, moves, found, changes))
            if back is not None:
                cotangent = cotangent + back
    found, _ = deltas(dot, theta_g, g_inputs, cotangent, to_input=False)
    return weights(dot, g_inputs, found), dot.total


widths = st.lists(st.integers(1, 5), max_size=3)


@given(widths, widths, st.integers(1, 5), st.integers(1, 6), st.integers(0, 4))
def test_the_count_is_that_of_a_gradient_that_is_exact(g, d, noise, batch, steps):
    workload = Workload((noise, *g, 2), (2, *d, 1), batch=batch, steps=steps, dtype="float64")
    gradient, counted = counted_gradient(workload)
    arrays = workload.arrays()
    _, expected = ug.unroll.value_and_grad(
        workload.game, arrays.theta_g, arrays.theta_d, ug.gan.Batch(arrays.real, arrays.noise),
        steps=steps, lr=workload.lr, method="adjoint",
    )  # fmt: skip
    for x, y in zip(optree.tree_leaves(gradient), optree.tree_leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)
    assert workload.multiply_adds == counted


def test_a_step_more_costs_always_the_same():
    sizes = WORKLOADS["A"].generator, WORKLOADS["A"].discriminator, 512
    counts = [multiply_adds(*sizes, steps) for steps in (1, 2, 3, 1000)]
    assert counts[1] - counts[0] == counts[2] - counts[1]
    assert counts[3] == counts[0] + 999 * (counts[1] - counts[0])


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_count_is_proportional_to_the_batch(steps):
    one = multiply_adds((3, 2), (2, 4, 1), 1, steps)
    assert multiply_adds((3, 2), (2, 4, 1), 9, steps) == 9 * one


@pytest.mark.parametrize(
    ("dtype", "kind", "lanes"), [("float32", "float", 8), ("float64", "double", 4)]
)
def test_a_turn_is_one_vector_multiply_add_for_every_chain(dtype, kind, lanes):
    source = loop_source(dtype, Vectors(bytes=32, chains=5))
    calls = re.findall(rf"call <{lanes} x {kind}> @\"llvm\.fma\.", source)
    assert len(calls) == 5
    assert "load" not in source
    assert "store" not in source


def test_a_turn_without_such_an_instruction_is_a_product_and_a_sum_for_every_chain():
    source = loop_source("float64", Vectors(bytes=16, chains=5, has_fma=False))
    assert "call" not in source
    assert source.count("fmul <2 x double>") == 5
    assert source.count("fadd <2 x double>") == 5 + 4  # and the total


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_host_keeps_its_pace_over_the_count(dtype):
    """Time grows with the count: the loop is not optimised away."""
    limit = MultiplyAdds(dtype, threads=1)

    def best(count):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            limit(count)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(4 * 10**8) > 8 * best(10**7)


def test_the_widest_vectors_are_a_power_of_two():
    assert host_vectors().bytes in (16, 32, 64)


@pytest.mark.parametrize(
    ("name", "bytes_", "has_fma"), [("avx2", 32, True), ("generic", 16, False)]
)
def test_the_vectors_of_a_target(name, bytes_, has_fma):
    vectors = vectors_of(emulated_target(name))
    assert vectors[::2] == (bytes_, has_fma)
    MultiplyAdds("float32", threads=1, vectors=vectors)(10**5)
