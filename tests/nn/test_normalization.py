import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import directional_derivative, relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError


def test_batch_norm_standardises_and_forgets_scale_and_place(rng):
    x = rng.standard_normal((50, 3)) * [1, 20, 300] + [0, -5, 1000]
    y = nn.batch_norm(x, 1.0, 0.0, eps=0.0)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(nn.batch_norm(7 * x + 3, 1.0, 0.0, eps=0.0), y, atol=1e-11)


def test_gradient_of_batch_norm_sees_the_statistics(rng):
    """What is invariant under x -> a x + b has no derivative along 1 and along x."""
    x, weights = rng.standard_normal((2, 20, 3))
    gradient = ug.grad(lambda x: np.sum(weights * nn.batch_norm(x, 1.0, 0.0, eps=0.0)))(x)
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose((gradient * x).sum(axis=0), 0, atol=1e-13)


def test_batch_norm_to_second_order(rng):
    x, statistics = rng.standard_normal((6, 3)), nn.Statistics(np.arange(3.0), np.full(3, 2.0))
    scale, shift = rng.uniform(0.5, 1.5, (2, 3))
    check_modes(nn.batch_norm, (x, scale, shift), rng, order=2)
    check_modes(lambda *args: nn.batch_norm(*args, statistics), (x, scale, shift), rng, order=2)


def test_places_of_images_are_rows(rng):
    x, layer = rng.standard_normal((4, 5, 6, 3)), nn.BatchNorm(3)
    params = {"scale": rng.standard_normal(3), "shift": rng.standard_normal(3)}
    rows = layer(params, x.reshape(-1, 3))
    np.testing.assert_array_equal(layer(params, x), rows.reshape(x.shape))
    np.testing.assert_array_equal(
        layer.statistics(x).var, nn.batch_statistics(x.reshape(-1, 3)).var
    )
    check_modes(lambda x: nn.batch_norm(x, 2.0, 1.0), (x[:2, :2, :1],), rng, order=2)


def test_layer_norm_standardises_every_row(rng):
    x = rng.standard_normal((2, 5, 4, 7)) * 20 - 5
    y = nn.layer_norm(x, 1.0, 0.0, eps=0.0)
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-14)
    np.testing.assert_allclose(y.std(axis=-1), 1, rtol=1e-13)
    layer = nn.LayerNorm(7)
    params = {"scale": rng.standard_normal(7), "shift": rng.standard_normal(7)}
    alone = layer(params, x[1:, 2:3])
    np.testing.assert_array_equal(layer(params, x)[1:, 2:3], alone)
    assert layer(layer.init(rng), np.float32(x)).dtype == np.float32
    with pytest.raises(ArgumentError, match="shape"):
        layer(params, x[..., 1:])


def test_layer_norm_to_second_order(rng):
    x, scale, shift = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(4)
    check_modes(nn.layer_norm, (x, scale, shift), rng, order=2)


def test_evaluation_is_affine_row_by_row(rng):
    layer = nn.BatchNorm(3)
    params = {"scale": rng.standard_normal(3), "shift": rng.standard_normal(3)}
    x = rng.standard_normal((8, 3))
    statistics = layer.statistics(rng.standard_normal((100, 3)))
    whole = layer(params, x, statistics)
    for i in range(8):
        np.testing.assert_array_equal(layer(params, x[i : i + 1], statistics)[0], whole[i])
    assert not np.allclose(layer(params, x), whole)
    np.testing.assert_array_equal(layer(params, x, layer.statistics(x)), layer(params, x))


def test_running_average_approaches_what_it_follows(rng):
    data = rng.standard_normal((10_000, 2)) * [1, 3] + [5, -1]
    running = nn.Statistics(np.zeros(2), np.ones(2))
    for batch in np.split(data, 200):
        running = nn.running_average(running, nn.batch_statistics(batch))
    # the last ten or so of the batches count: 500 numbers, three standard errors
    np.testing.assert_allclose(running.mean, [5, -1], atol=3 * 3 / np.sqrt(500))
    np.testing.assert_allclose(running.var, [1, 9], rtol=3 * np.sqrt(2 / 500))


def test_weight_norm_has_the_lengths_that_it_is_given(rng):
    v, g = rng.standard_normal((4, 3)), rng.uniform(0.5, 2, 3)
    np.testing.assert_allclose(np.linalg.norm(nn.weight_norm(v, g), axis=0), g, rtol=1e-15)
    np.testing.assert_allclose(nn.weight_norm(5 * v, g), nn.weight_norm(v, g), rtol=1e-14)
    check_modes(nn.weight_norm, (v + np.sign(v), g), rng, order=2)


def test_gradient_of_weight_norm_is_orthogonal_to_the_direction(rng):
    """Salimans and Kingma (2016), section 2.1: so the length of v never shrinks."""
    net = nn.WeightNorm(nn.MLP((3, 5, 2)))
    params, x = net.init(rng, np.float64), rng.standard_normal((7, 3))
    gradient = ug.grad(lambda p: np.sum(net(p, x) ** 2))(params)
    for layer, slope in zip(params, gradient, strict=True):
        np.testing.assert_allclose(np.sum(layer["v"] * slope["v"], axis=0), 0, atol=1e-14)


def test_weight_norm_starts_as_the_network_that_it_wraps():
    mlp = nn.MLP((3, 5, 2), "softplus")
    plain, x = mlp.init(np.random.default_rng(3), np.float64), np.ones((4, 3))
    net = nn.WeightNorm(mlp)
    params = net.init(np.random.default_rng(3), np.float64)
    np.testing.assert_allclose(net(params, x), mlp(plain, x), rtol=1e-14)


@pytest.mark.parametrize("shape", [(3, 3), (2, 7), (7, 2), (5, 1)])
def test_spectral_norm_is_one(shape, rng):
    w = rng.standard_normal(shape)
    np.testing.assert_allclose(nn.spectral_norm(w), w / np.linalg.norm(w, 2), rtol=1e-3)
    np.testing.assert_allclose(nn.spectral_norm(7 * w), nn.spectral_norm(w), rtol=1e-13)
    assert np.linalg.norm(nn.spectral_norm(w), 2) >= 1 - 1e-14  # a quotient is never above sigma


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (4, 1)])
def test_spectral_norm_to_second_order(shape, rng):
    check_modes(nn.spectral_norm, (rng.standard_normal(shape),), rng, order=2)


def test_spectral_norm_where_all_singular_values_coincide(rng):
    """As they do at the start, where the singular vectors themselves have no derivative."""
    w = nn.Orthogonal(0.8)(rng, (4, 4), np.float64)
    np.testing.assert_allclose(nn.spectral_norm(w), w / 0.8, rtol=1e-13)
    target, v = rng.standard_normal((2, 4, 4))

    def f(w):
        return np.sum(target * nn.spectral_norm(w))

    # the sixteenth power of w turns fast: short steps
    first, second = ug.grad(f), ug.grad(lambda w: np.sum(v * ug.grad(f)(w)))
    numeric = directional_derivative(f, w, v, step=0.01)
    assert np.sum(first(w) * v) == pytest.approx(float(numeric), rel=1e-9)
    numeric = directional_derivative(first, w, v, step=0.01)
    np.testing.assert_allclose(second(w), numeric, rtol=0, atol=1e-8 * np.abs(numeric).max())


def test_spectrally_normalised_networks_stretch_nothing(rng):
    net = nn.SpectralNorm(nn.MLP((3, 16, 16, 1), "relu", initializer=nn.HeNormal()))
    params = net.init(rng, np.float64)
    x, y = rng.standard_normal((2, 200, 3))
    moved = np.abs(net(params, x) - net(params, y))[:, 0]
    assert (moved <= 1.02**3 * np.linalg.norm(x - y, axis=1)).all()


@pytest.mark.parametrize(
    "net",
    [nn.BatchNorm(3), nn.WeightNorm(nn.MLP((3, 4, 2))), nn.SpectralNorm(nn.MLP((3, 4, 2)))],
    ids=["batch", "weight", "spectral"],
)
def test_single_precision_stays(net, rng):
    params, x = net.init(rng), rng.standard_normal((6, 3), np.float32)
    y = net(params, x)
    gradient = ug.grad(lambda p: np.sum(net(p, x) ** 2))(params)
    assert {y.dtype, *(leaf.dtype for leaf in optree.tree_leaves(gradient))} == {y.dtype}
    assert y.dtype == np.float32
    double = optree.tree_map(np.float64, params)
    assert relative_error(y, net(double, np.float64(x))) < 1e-6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.BatchNorm(0), "width.*positive"),
        (lambda: nn.BatchNorm(True), "width.*positive"),
        (lambda: nn.BatchNorm(3)({}, np.ones((2, 4))), r"x: expected shape \(batch, ..., 3\)"),
        (lambda: nn.running_average(1.0, 2.0, momentum=1.5), "momentum"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
