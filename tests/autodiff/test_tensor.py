"""Tensors behave as the arrays they stand for; what cannot be differentiated says so."""

import math

import numpy as np
import pytest
import scipy.special

from tinygrad_ugan import grad, jvp, value_and_grad
from tinygrad_ugan.errors import NotDifferentiableError

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def numpy_only(x, w):
    """A function written by somebody who has never heard of us."""
    h = np.tanh(x @ w + 1)
    h = np.concatenate([h, np.where(h > 0, h, 0.1 * h)], axis=1)
    p = np.exp(h - np.max(h, axis=1, keepdims=True))
    p /= np.sum(p, axis=1, keepdims=True)
    return -np.mean(np.log(p[:, 0])) + np.sum(np.stack([w, w.T], axis=0) ** 2)


def test_unmodified_numpy_code():
    w = np.arange(9.0).reshape(3, 3) / 10
    value, gradient = value_and_grad(numpy_only, argnums=1)(X, w)
    assert value == numpy_only(X, w)
    v = np.cos(np.arange(9.0)).reshape(3, 3)
    h = 1e-5  # central differences are good to h^2 = 1e-10 of the third derivative
    numeric = (numpy_only(X, w + h * v) - numpy_only(X, w - h * v)) / (2 * h)
    assert np.sum(gradient * v) == pytest.approx(numeric, rel=1e-8)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.sum(2 * x), 2 * np.ones_like(X)),
        (lambda x: np.sum(np.float64(2) * x), 2 * np.ones_like(X)),
        (lambda x: np.sum(np.ones(3) * x), np.ones_like(X)),
        (lambda x: np.sum([1.0, 2.0, 3.0] * x), np.tile([1.0, 2.0, 3.0], (2, 1))),
        (lambda x: np.sum(x / [1.0, 2.0, 4.0]), np.tile([1.0, 0.5, 0.25], (2, 1))),
        (lambda x: np.sum(1 - x), -np.ones_like(X)),
        (lambda x: (x**2).sum(), 2 * X),
        (lambda x: np.sum(2.0**x), np.log(2) * 2.0**X),
        (lambda x: abs(x).sum(), np.sign(X)),
        (lambda x: (+x).mean(), np.full_like(X, 1 / 6)),
        (lambda x: x.T[0, 1], np.array([[0.0, 0, 0], [1, 0, 0]])),
        (lambda x: x.reshape(3, 2)[-1, -1], np.array([[0.0, 0, 0], [0, 0, 1]])),
        (lambda x: x.reshape((6,))[np.array([0, 0, 1])].sum(), np.array([[2.0, 1, 0], [0, 0, 0]])),
        (lambda x: x.transpose(1, 0).ravel()[1], np.array([[0.0, 0, 0], [1, 0, 0]])),
        (lambda x: x.transpose()[0, 1], np.array([[0.0, 0, 0], [1, 0, 0]])),
        (lambda x: np.stack([x, 2 * x]).transpose(1, 0, 2)[0, 1, 0], np.eye(2, 3) * [2, 0, 0]),
        (lambda x: np.stack([x, 2 * x]).transpose((1, 0, 2))[0, 1, 0], np.eye(2, 3) * [2, 0, 0]),
        (lambda x: x.max(), np.array([[0.0, 0, 1], [0, 0, 0]])),
        (lambda x: sum(row[0] for row in x), np.array([[1.0, 0, 0], [1, 0, 0]])),
        (lambda x: x[X > 1].sum(), (X > 1).astype(float)),
        (lambda x: np.dot(x, np.ones(3)).sum(), np.ones_like(X)),
        (lambda x: np.dot(np.ones((2, 3, 2)), x).sum() / 6, np.ones_like(X)),
        (lambda x: np.dot(3.0, x).sum(), np.full_like(X, 3)),
        (lambda x: np.concatenate([x, X], axis=None)[:6].sum(), np.ones_like(X)),
        (lambda x: np.copy(x).flatten()[0], np.array([[1.0, 0, 0], [0, 0, 0]])),
        (lambda x: np.sum(np.floor(x) * x), np.floor(X)),
        (lambda x: np.sum(np.zeros_like(x) + x), np.ones_like(X)),
        (lambda x: x.take([0, 0]).sum(), np.array([[2.0, 0, 0], [0, 0, 0]])),
        (lambda x: x.repeat(2, axis=0)[:3].sum(), np.array([[2.0, 2, 2], [1, 1, 1]])),
        (lambda x: x.diagonal(1).sum(), np.array([[0.0, 1, 0], [0, 0, 1]])),
        (lambda x: x.trace(), np.array([[1.0, 0, 0], [0, 1, 0]])),
        (lambda x: x.swapaxes(0, 1).squeeze().flatten()[1], np.array([[0.0, 0, 0], [1, 0, 0]])),
        (lambda x: np.stack([x, 2 * x]).mT[1, 0, 1], np.array([[0.0, 0, 0], [2, 0, 0]])),
        (lambda x: x.dot([1.0, 2.0, 3.0]).sum(), np.tile([1.0, 2.0, 3.0], (2, 1))),
        (lambda x: np.hstack([x, [[1.0], [2.0]]]).sum(), np.ones_like(X)),
        (lambda x: np.convolve(x[0], [1.0, 2.0]).sum(), np.array([[3.0, 3, 3], [0, 0, 0]])),
        (lambda x: np.sum(x, 1)[0], np.array([[1.0, 1, 1], [0, 0, 0]])),
        (lambda x: (x if x[0, 0] > 0 else -x).sum(), np.ones_like(X)),
        (lambda x: (divmod(x, 0.4)[1] + divmod(x, 0.4)[0] * x).sum(), 1 + X // 0.4),
        (lambda x: divmod(4.6, x)[1].sum(), -(4.6 // X)),
    ],
)
def test_gradients_of_array_manners(f, expected):
    np.testing.assert_allclose(grad(f)(X), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((2, 3), (3,)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((), (2,))],
)
def test_dot_agrees_with_numpy_in_every_dimension(a, b, rng):
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    out, tangent = jvp(lambda x: np.dot(x, y), (x,), (2 * x,))
    np.testing.assert_allclose(out, np.dot(x, y), rtol=1e-14)
    np.testing.assert_allclose(tangent, 2 * np.dot(x, y), rtol=1e-14)


def test_attributes():
    def f(x):
        assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.dtype(float), 2)
        assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
        assert isinstance(x > 0, np.ndarray)
        assert (x == X).all()
        assert (x != X).sum() == 0
        assert (x <= X).all()
        assert (x >= X).all()
        assert not (x < X).any()
        assert (x.itemsize, x.nbytes) == (8, 48)
        assert np.argmax(x) == 2
        assert x.argsort(axis=0).tolist() == [[0, 0, 1], [1, 1, 0]]
        assert x[0].argpartition(1)[0] == 1
        assert [places.tolist() for places in (x > 1).nonzero()] == [[0, 1], [2, 0]]
        assert [places.tolist() for places in x[:1].nonzero()] == [[0, 0, 0], [0, 1, 2]]
        assert x[1, ::-1].searchsorted(0.5) == 2
        assert "Tensor" in repr(x)
        assert x.astype(int).dtype == int
        return x.sum()

    grad(f)(X)


@pytest.mark.parametrize(
    ("f", "fix"),
    [
        (lambda x: np.array([x[0, 0], x[0, 1]]), "np.stack"),
        (lambda x: np.array(x), "np.stack"),
        (lambda x: float(x[0, 0]), "stop_gradient"),
        (lambda x: x[0, 0].item(), "stop_gradient"),
        (lambda x: int(x[0, 0]), "stop_gradient"),
        (lambda x: x[0, 0].tolist(), "stop_gradient"),
        (lambda x: np.array(x), r"ug\.array"),
        (lambda x: x.__setitem__(0, 1.0), r"ug\.at\(x\)\[index\]\.set"),
        (lambda x: x.put(0, 1.0), r"ug\.at\(x\)\[index\]\.set"),
        (lambda x: np.put_along_axis(x, np.array([[0]]), 1.0, 1), r"put_along_axis .*ug\.at\(x\)"),
        (lambda x: np.copyto(np.zeros((2, 3)), x), r"copyto .*ug\.at\(x\)"),
        (lambda x: np.fill_diagonal(x, 0.0), r"fill_diagonal .*ug\.at\(x\)"),
        (lambda x: x.fill(0.0), r"np\.full_like"),
        (lambda x: x.sort(), r"np\.sort"),
        (lambda x: x.partition(1), r"np\.partition"),
        (lambda x: math.sqrt(x[0, 0]), r"np\.sqrt, not math\.sqrt"),
        (lambda x: np.add(x, 1, out=np.zeros((2, 3))), "out="),
        (lambda x: np.sum(x, axis=0, out=np.zeros(3)), "out="),
        (lambda x: np.zeros((2, 3)).__iadd__(x), r"y = y \+ x"),
        (lambda x: scipy.special.softmax(x), r"ug\.special\.softmax"),
        (lambda x: np.add(x, 1, where=X > 0), "where="),
        (lambda x: np.add.reduce(x), "np.sum"),
        (lambda x: np.fft.fft(x), r"fft.*complex.*np\.cos"),
        (lambda x: np.histogram(x), r"histogram.*np\.bincount"),
        (lambda x: np.unravel_index(x, 3), r"unravel_index.*ug\.primitive"),
        (lambda x: np.gcd(x, 2), "gcd"),
    ],
)
def test_what_cannot_be_differentiated_names_the_way_out(f, fix):
    with pytest.raises(NotDifferentiableError, match=fix):
        grad(f)(X)


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_writing_one_element_into_a_plain_array_shows_the_way_out(dtype):
    """NumPy raises an error of its own here, and shows ours as its cause; ours comes last."""
    for write in (
        lambda x: np.zeros(3, dtype).__setitem__(0, x[0, 0]),
        lambda x: np.zeros(3, dtype).fill(x[0, 0]),
        lambda x: np.fromiter((y for y in x[0]), dtype),
        lambda x: np.zeros(3, dtype).__setitem__(slice(None), x[0]),
    ):
        for transform in (grad, lambda f: lambda x: jvp(f, (x,), (x,))):
            with pytest.raises(NotDifferentiableError, match=r"ug\.array.*ug\.at\("):
                transform(write)(X)


def test_in_place_operators_rebind():
    def f(x):
        y = x
        y += 1
        y *= 2
        return y.sum()

    before = X.copy()
    assert grad(f)(X).tolist() == np.full_like(X, 2).tolist()
    assert (before == X).all()


def test_iterating_a_scalar_fails_as_in_numpy():
    with pytest.raises(TypeError, match="0-d"):
        grad(lambda x: sum(x))(1.0)
