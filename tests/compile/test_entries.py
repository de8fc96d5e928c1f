"""A function and its pullback as two programs: nothing is evaluated twice, or shared."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.compile.programs import names
from tinygrad_ugan.compile.entries import EntryWithPullback


def entries(compiled):
    return [e for e in compiled._programs.values() if isinstance(e, EntryWithPullback)]


def test_nothing_is_evaluated_twice(rng):
    mlp = ug.nn.MLP((2, 128, 128, 1))
    theta, x = mlp.init(rng, np.float64), rng.standard_normal((64, 2))
    compiled = ug.compile(lambda theta, x: np.mean(np.sin(mlp(theta, x)) ** 2))
    expected = ug.grad(compiled)(theta, x)
    found = ug.grad(lambda theta: compiled(theta, x) + 1)(theta)
    for a, b in zip(*map(optree.tree_leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    (entry,) = entries(compiled)
    function, pullback = names(entry.function.program), names(entry.pullback.program)
    assert {"tanh", "sin"} <= set(function)
    assert "matmul_nt" in pullback
    assert not {"tanh", "sin"} & set(pullback)


@pytest.mark.parametrize("cotangent", [
    lambda shape: np.broadcast_to(2.0, shape),
    lambda shape: np.full(shape[::-1], 2.0).T,
    lambda shape: np.full(shape, 2.0),
    lambda shape: np.full(shape, 2.0, np.float32),
])  # fmt: skip
def test_pullbacks_take_cotangents_of_every_layout_and_again(cotangent, rng):
    x = rng.standard_normal((4, 3))
    _, pull = ug.vjp(ug.compile(lambda x: np.tanh(x) * x), x)
    expected = ug.vjp(lambda x: np.tanh(x) * x, x)[1](np.full(x.shape, 2.0))[0]
    for _ in range(2):
        np.testing.assert_allclose(pull(cotangent(x.shape))[0], expected, rtol=1e-14)


def test_cotangents_under_differentiation(rng):
    x, v = rng.standard_normal(3), rng.standard_normal(3)
    pull = ug.vjp(ug.compile(np.tanh), x)[1]
    found = ug.grad(lambda u: np.sum(pull(u)[0] * v))(np.ones(3))
    np.testing.assert_allclose(found, v / np.cosh(x) ** 2)


def test_what_was_used_may_be_written_to(rng):
    x, scale = rng.standard_normal((3, 3)), np.full((3, 3), 2.0)

    def f(x, scale):
        large = x > 0
        y = np.where(large, np.exp(x) * scale, 0)
        return y, large

    expected = ug.vjp(lambda x: f(x, scale)[0], x)[1](np.ones((3, 3)))
    compiled, given = ug.compile(f), []
    out, pull = ug.vjp(lambda x: given.append(compiled(x, scale)) or given[0][0], x)
    for array in (x, scale, out, given[0][1]):
        array[...] = 0
    np.testing.assert_allclose(pull(np.ones((3, 3)))[0], expected[0], rtol=1e-14)


def test_layouts_of_residuals(rng):
    """A program serves arrays of one layout, of those that pass to the pullback as well."""
    x, c = rng.standard_normal((5, 4)), rng.standard_normal((4, 5))[::2, ::2]

    def f(x, c):
        y = np.exp(x.T)
        return (y[::2, :3] * np.sin(c)[:, :3]) @ np.tanh(y.T[:3])

    for layout in (x, np.asfortranarray(x), np.broadcast_to(x[0], x.shape)):
        for constant in (c, c.copy("F"), np.asfortranarray(c)):
            expected = ug.vjp(lambda x: f(x, constant), layout)[1](np.ones((2, 4)))  # noqa: B023
            found = ug.vjp(lambda x: ug.compile(f)(x, constant), layout)[1](np.ones((2, 4)))  # noqa: B023
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_residuals_of_large_arrays_are_no_buffers(rng):
    """Which another call, or the same one in another thread, would write to."""
    compiled = ug.compile(lambda x: np.sum(np.tanh(np.exp(x) * 0.1) ** 2))
    points = [rng.standard_normal(5000) for _ in range(3)]
    pulls = [ug.vjp(part, x)[1] for part in [lambda x: compiled(x)] for x in points]
    for pull, x in zip(pulls, points, strict=True):
        np.testing.assert_allclose(pull(1.0)[0], ug.grad(compiled)(x), rtol=1e-13)
