"""All optimisers against textbook recurrences, and differentiated through."""

import dataclasses

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.kernels import threads

OPTIMIZERS = [
    optim.SGD(0.1),
    optim.Momentum(0.1, 0.7),
    optim.Nesterov(0.1, 0.7),
    optim.Optimistic(0.1),
    optim.RMSprop(0.1, 0.9, 1e-3),
    optim.Adam(0.1, 0.5, 0.9, 1e-3),
    optim.AdamW(0.1, 0.5, 0.9, 1e-3, 0.2),
]
each = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)


def textbook(optimizer, x, gradient, steps):
    """Scalar recurrences as the papers write them, but for epsilon inside Adam's root."""
    v, m, before = 0.0, 0.0, gradient(x)
    for t in range(1, steps + 1):
        g = gradient(x)
        if isinstance(optimizer, optim.SGD):
            x = x - optimizer.lr * g
        elif isinstance(optimizer, optim.Momentum):
            v = optimizer.momentum * v + g
            nesterov = isinstance(optimizer, optim.Nesterov)
            x = x - optimizer.lr * (g + optimizer.momentum * v if nesterov else v)
        elif isinstance(optimizer, optim.Optimistic):
            x, before = x - optimizer.lr * (2 * g - before), g
        elif isinstance(optimizer, optim.RMSprop):
            v = optimizer.decay * v + (1 - optimizer.decay) * g**2
            x = x - optimizer.lr * g / np.sqrt(v + optimizer.eps**2)
        else:
            m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
            v = optimizer.beta2 * v + (1 - optimizer.beta2) * g**2
            m_hat, v_hat = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
            x = x - optimizer.lr * getattr(optimizer, "weight_decay", 0.0) * x
            x = x - optimizer.lr * m_hat / np.sqrt(v_hat + optimizer.eps**2)
    return x


def run(optimizer, params, gradient, steps):
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(gradient(params), state, params)
        params = optim.apply_updates(params, updates)
    return params


@each
def test_follows_the_textbook(optimizer):
    params = run(optimizer, {"x": np.array([1.0, -2.0])}, ug.grad(lambda p: np.sum(p["x"] ** 4)), 5)
    expected = [textbook(optimizer, x, lambda x: 4 * x**3, 5) for x in (1.0, -2.0)]
    np.testing.assert_allclose(params["x"], expected, rtol=1e-13)


@each
def test_is_pure_and_keeps_float32(optimizer):
    params, grads = [np.ones(3, np.float32)], [np.full(3, 2, np.float32)]
    state = optimizer.init(params)
    first, _ = optimizer.update(grads, state, params)
    again, _ = optimizer.update(grads, state, params)
    assert first[0].dtype == np.float32
    assert first[0].tobytes() == again[0].tobytes()
    assert params[0].tolist() == [1, 1, 1]
    assert grads[0].tolist() == [2, 2, 2]


@each
def test_second_order_through_three_updates(optimizer, rng):
    def final(x):
        return run(optimizer, x, ug.grad(lambda x: np.sum(np.cos(x) + x**4 / 7)), 3)

    check_modes(final, (rng.standard_normal(4),), rng, order=2)


@each
def test_differentiable_at_a_zero_gradient(optimizer):
    def final(x):  # the gradient of (x - 1)^2 vanishes at the start
        return run(optimizer, x, ug.grad(lambda x: (x - 1) ** 2), 3)

    assert np.isfinite(ug.grad(final)(1.0))
    assert np.isfinite(ug.grad(ug.grad(final))(1.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optim.SGD(lr=0.0), "lr.*positive"),
        (lambda: optim.RMSprop(eps=0.0), "eps.*positive"),
        (lambda: optim.Nesterov(momentum=-1.0), r"momentum.*\[0, 1\)"),
        (lambda: optim.Momentum(momentum=1.0), r"momentum.*\[0, 1\)"),
        (lambda: optim.Adam(beta2=-0.1), r"beta2.*\[0, 1\).*-0.1"),
        (lambda: optim.Adam(lr=float("nan")), "lr.*positive"),
    ],
)
def test_bad_settings(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


SHAPES = ((3, 5), (5,), (), (130, 70), (70,))


def some_arrays(rng, dtype):
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


# float32: some roundings of parameters that are about 1.
@each
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-6), (np.float64, 1e-14)])
def test_a_whole_step_is_update_and_apply(optimizer, dtype, rtol, rng):
    params = expected = some_arrays(rng, dtype)
    state = known = optimizer.init(params)
    held = []
    for scale in (1.0, 0.7, 0.0, 0.1):
        grads = some_arrays(rng, dtype)
        held.append((params, [x.copy() for x in params]))
        params, state = optim.descend(optimizer, grads, state, params, scale)
        updates, known = optimizer.update(grads, known, expected)
        expected = optim.apply_updates(expected, updates, scale)
        both = map(optree.tree_leaves, ((params, state), (expected, known)))
        for got, right in zip(*both, strict=True):
            np.testing.assert_allclose(got, right, rtol=rtol, atol=rtol)
            assert np.shape(got) == np.shape(right)
        assert {x.dtype for x in params} == {np.dtype(dtype)}
    for kept, copies in held:
        for x, copy in zip(kept, copies, strict=True):
            np.testing.assert_array_equal(x, copy)


@each
def test_a_whole_step_can_be_differentiated(optimizer):
    def moved(x):
        return optim.descend(optimizer, 3 * x, optimizer.init(x), x)[0]

    def by_parts(x):
        updates, _ = optimizer.update(3 * x, optimizer.init(x), x)
        return optim.apply_updates(x, updates)

    assert ug.grad(moved)(0.5) == ug.grad(by_parts)(0.5)


def test_a_whole_step_has_the_same_bits_on_any_number_of_threads(rng):
    adam, before, found = optim.Adam(), threads.get_num_threads(), set()
    params, grads = some_arrays(rng, np.float32), some_arrays(rng, np.float32)
    try:
        for n in (1, 2, 3):
            threads.set_num_threads(n)
            after = optim.descend(adam, grads, adam.init(params), params)
            found.add(tuple(np.asarray(x).tobytes() for x in optree.tree_leaves(after)))
    finally:
        threads.set_num_threads(before)
    assert len(found) == 1


@each
def test_a_constant_schedule_is_a_number(optimizer):
    def final(optimizer):
        return run(optimizer, np.array([1.0, -2.0]), lambda x: 4 * x**3, 5)

    scheduled = dataclasses.replace(optimizer, lr=optim.ConstantSchedule(0.1))
    np.testing.assert_array_equal(final(scheduled), final(optimizer))


@pytest.mark.parametrize("kind", [optim.SGD, optim.Momentum])
def test_a_schedule_counts_the_steps(kind):
    taken = []
    run(kind(lr=lambda step: taken.append(step) or 0.1), np.array([1.0]), lambda x: x, 3)
    assert [step for step in taken if step is not None] == [0, 1, 2]


# Extra-gradient steps.


def circling(players):
    """What the two descend in min over x, max over y of x y."""
    return np.array([players[1], -players[0]])


@pytest.mark.parametrize("eta", [0.1, 0.3, 0.45])
def test_where_descent_spirals_out_the_others_converge_at_the_rates_of_theory(eta):
    """The moduli of I - eta A, of I - eta A + eta^2 A^2, and of the optimistic recurrence."""
    start, steps = np.array([1.0, 0.5]), 300

    def lengths(step, state):
        x, found = start, []
        for _ in range(steps):
            x, state = step(x, state)
            found.append(np.linalg.norm(x))
        return np.array(found)

    def plain(optimizer):
        return lambda x, state: optim.descend(optimizer, circling(x), state, x)

    sgd, optimistic = optim.SGD(eta), optim.Optimistic(eta)
    out = lengths(plain(sgd), ())
    np.testing.assert_allclose(out[1:] / out[:-1], np.sqrt(1 + eta**2), rtol=1e-12)
    extra = lengths(lambda x, state: optim.extragradient(sgd, circling, x, state), ())
    np.testing.assert_allclose(extra[1:] / extra[:-1], np.hypot(1 - eta**2, eta), rtol=1e-12)
    rates = lengths(plain(optimistic), optimistic.init(start))
    rate = (rates[-1] / rates[99]) ** (1 / (steps - 100))
    assert rate == pytest.approx(np.sqrt((1 + np.sqrt(1 - 4 * eta**2)) / 2), rel=1e-9)


@each
def test_an_extragradient_step_is_two_updates_from_one_state(optimizer):
    x = np.array([1.0, -2.0])
    _, state = optim.descend(optimizer, x, optimizer.init(x), x)
    ahead, _ = optimizer.update(x**3, state, x)
    updates, expected = optimizer.update((x + ahead) ** 3, state, x)
    found, after = optim.extragradient(optimizer, lambda x: x**3, x, state)
    np.testing.assert_allclose(found, x + updates, rtol=1e-12)
    pairs = zip(optree.tree_leaves(after), optree.tree_leaves(expected), strict=True)
    assert all(np.allclose(a, b, rtol=1e-12, atol=0) for a, b in pairs)


@each
def test_an_extragradient_step_can_be_differentiated(optimizer, rng):
    def moved(x):
        return optim.extragradient(optimizer, np.sinh, x, optimizer.init(x))[0]

    check_modes(moved, (rng.standard_normal(3),), rng, order=2)
