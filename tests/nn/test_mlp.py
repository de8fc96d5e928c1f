import numpy as np
import pytest

from tinygrad_ugan import grad, nn
from tinygrad_ugan.errors import ArgumentError

REFERENCE = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "leaky_relu": lambda x: np.maximum(x, 0.01 * x),
    "elu": lambda x: np.maximum(x, 0) + np.exp(np.minimum(x, 0)) - 1,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_forward_is_the_formula(activation, rng):
    mlp = nn.MLP((3, 5, 4, 2), activation, input_scale=0.25)
    params = mlp.init(rng, np.float64)
    x = rng.standard_normal((7, 3))
    h = x / 4
    for layer in params[:-1]:
        h = REFERENCE[activation](h @ layer["w"] + layer["b"])
    expected = h @ params[-1]["w"] + params[-1]["b"]
    np.testing.assert_allclose(mlp(params, x), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_activations_are_finite_far_out(activation):
    x = np.array([-1e30, -100.0, 0.0, 100.0, 1e30], np.float32)
    with np.errstate(all="raise", under="ignore"):
        y = nn.ACTIVATIONS[activation](x)
    assert y.dtype == np.float32
    assert np.isfinite(y).all()


def test_sizes_may_be_of_numpy():
    mlp = nn.MLP(np.array([2, 8, 1]))
    assert [type(n) for n in mlp.sizes] == [int, int, int]
    assert mlp == nn.MLP((2, 8, 1))


def test_sigmoid_keeps_its_relative_accuracy_in_both_tails():
    assert nn.ACTIVATIONS["sigmoid"](np.array(-40.0)) == pytest.approx(np.exp(-40.0), rel=1e-15)


def test_defaults_and_dtypes(rng):
    mlp = nn.MLP()
    params = mlp.init(rng)
    assert mlp.sizes == (2, 128, 128, 1)
    assert {leaf.dtype for layer in params for leaf in layer.values()} == {np.dtype(np.float32)}
    assert [layer["w"].shape for layer in params] == [(2, 128), (128, 128), (128, 1)]
    assert not any(layer["b"].any() for layer in params)
    x = np.ones((3, 2), np.float32)
    gradient = grad(lambda p: mlp(p, x).sum())(params)
    assert {leaf.dtype for layer in gradient for leaf in layer.values()} == {np.dtype(np.float32)}


def test_same_seed_same_bits_and_frozen():
    a, b = (nn.MLP((4, 3)).init(np.random.default_rng(5)) for _ in range(2))
    assert a[0]["w"].tobytes() == b[0]["w"].tobytes()
    with pytest.raises(AttributeError):
        nn.MLP().sizes = (1, 2)
    assert hash(nn.MLP()) == hash(nn.MLP())


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_orthogonal(shape, rng):
    w = nn.Orthogonal(gain=0.8)(rng, shape, np.float64)
    gram = w @ w.T if shape[0] < shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 0.64 * np.eye(min(shape)), atol=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.MLP((2,)), r"sizes.*two or more.*\(2,\)"),
        (lambda: nn.MLP((2, 0, 1)), "sizes.*positive"),
        (lambda: nn.MLP((2, 1.5)), "sizes.*positive"),
        (lambda: nn.MLP(activation="tahn"), "activation.*did you mean 'tanh'"),
        (lambda: apply((3, 1), np.ones((4, 2))), r"x: expected shape \(batch, 3\).*\(4, 2\)"),
        (lambda: apply((3, 1), np.ones(3)), r"x: expected shape \(batch, 3\)"),
        (lambda: nn.MLP((2, 1))(nn.MLP((2, 3)).init(np.random.default_rng(0)), np.ones((1, 2))),
         r"params: .*\(2, 1\).*\(2, 3\)"),
    ],
)  # fmt: skip
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def apply(sizes, x):
    mlp = nn.MLP(sizes)
    return mlp(mlp.init(np.random.default_rng(0)), x)
