"""Pieces of programs at work: layouts, constants, several at once."""

import threading

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.compile.pieces import lowered, pieces
from tinygrad_ugan.compile.kernel_form import Step

X = np.arange(24.0).reshape(4, 6)


def piece(f, *xs):
    (found,) = pieces(lowered(f, *xs))
    return found


def test_numbers_are_sums_over_one_point():
    f = lambda x: np.sum(np.exp(x[:1, :1])) * 2  # noqa: E731
    np.testing.assert_allclose(piece(f, X)(X)[0], 2.0)


def test_scalars_come_back_as_scalars():
    found = piece(lambda x: (np.sum(np.exp(x)), np.exp(x)), X)
    y, total = found(X)
    assert type(total) is np.float64
    assert type(y) is np.ndarray


def test_numbers_and_scalars_are_taken():
    compiled = ug.compile(lambda x, s, t: np.exp(x * s) + t)
    for dtype in (np.float32, np.float64):
        x = np.ones(3, dtype)
        for s in (2.0, dtype(3)):
            found = compiled(x, s, dtype(1))
            assert found.dtype == dtype
            np.testing.assert_allclose(found, np.exp(x * s) + 1, rtol=1e-6)


def test_sums_of_products_may_have_been_reshaped(rng):
    """The sum has more axes than the product that becomes of it."""
    a, b = rng.standard_normal((24, 18)), rng.standard_normal((24, 2))

    def f(a, b):
        total = np.reshape(a.T @ (b * 2), (3, 6, 2)) + np.reshape(a.T @ np.exp(b), (3, 6, 2))
        return total, np.exp(total)

    for x, y in zip(ug.compile(f)(a, b), f(a, b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("layout", [
    lambda x: x,
    np.asfortranarray,
    lambda x: x[::-1],
    lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    lambda x: np.broadcast_to(x[0], x.shape),
    lambda x: x.astype(">f8"),
])  # fmt: skip
def test_inputs_in_any_layout(layout):
    x = layout(X)
    np.testing.assert_array_equal(ug.compile(lambda x: x * x + x)(x), x * x + x)


def test_arrays_that_it_was_made_with_are_constants():
    c = np.arange(6.0)
    found = piece(lambda x: np.exp(x * 0) * c, X)
    c[:] = 7
    np.testing.assert_array_equal(found(X)[0][0], np.arange(6.0))


def test_results_are_new_in_each_call():
    found = piece(lambda x: np.exp(x) + 1, X)
    first, second = found(X)[0], found(X)[0]
    assert not np.shares_memory(first, second)
    assert first.flags.owndata


def test_threads_have_executables_of_their_own():
    found = piece(lambda x: np.exp(np.tanh(x) @ np.eye(6)) + x, X)
    size, expected = found.nbytes, [found(X * i)[0] for i in range(4)]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(200) if not np.array_equal(found(X * i)[0], expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
    assert size <= found.nbytes <= 4 * size


def penalised(rng):
    game = ug.gan.Game(ug.nn.MLP((3, 8, 2)), ug.nn.MLP((2, 8, 1)), "wasserstein")
    game = ug.gan.Penalized(game, ug.gan.penalties.GradientPenalty())
    batch = ug.gan.FullBatch(rng.standard_normal((130, 2)), rng.standard_normal((130, 3)))
    return game, batch._replace(drawn=game.draw(rng, batch))


def plain(rng):
    game = ug.gan.Game(ug.nn.MLP((3, 40, 40, 2)), ug.nn.MLP((2, 40, 1), activation="relu"))
    return game, ug.gan.Batch(rng.standard_normal((640, 2)), rng.standard_normal((640, 3)))


@pytest.mark.parametrize("make", [penalised, plain])
def test_unrolled_games(make, rng):
    game, batch = make(rng)
    players = getattr(game, "game", game)
    thetas = [x.init(rng, np.float64) for x in (players.generator, players.discriminator)]
    given = {"steps": 3, "lr": 0.05, "method": "adjoint"}
    compiled = ug.compile(lambda g, d, b: ug.unroll.value_and_grad(game, g, d, b, **given))
    expected = ug.unroll.value_and_grad(game, *thetas, batch, **given)
    leaves = zip(*map(optree.tree_leaves, (compiled(*thetas, batch), expected)), strict=True)
    for x, y in leaves:
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def test_constants_are_not_taken_for_the_numbers_of_values():
    """Nor 0.0 for -0.0: kernels that are alike but for these have code of their own."""
    x, s, t = np.arange(24.0), np.array([2.0]), np.array([3.0])

    def f(x, s, t):
        return (t + t) + s, (0.0 + np.sum(np.sin(x), keepdims=True)) + s

    def g(x, s, t):
        return t * 0.0 + s, np.sum(np.sin(x), keepdims=True) * -0.0 + s * 0

    for function in (f, g):
        compiled = ug.compile(function)
        assert "NumPy:" not in compiled.explain(x, s, t)
        for a, b in zip(compiled(x, s, t), function(x, s, t), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)
            np.testing.assert_array_equal(np.signbit(a), np.signbit(b))
    assert Step("numpy.add", (0.0, 0)) != Step("numpy.add", (0, 0))
    assert Step("numpy.add", (0.0, 0)) != Step("numpy.add", (-0.0, 0))
    assert len({Step("numpy.add", (1.0, 0)), Step("numpy.add", (1.0, 0))}) == 1
