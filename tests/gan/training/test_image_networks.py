"""Networks of convolutions by name: built, trained, resumed, and refused elsewhere."""

import numpy as np
import optree
import pytest

from tests.gan.small import bits
from tests.oracles import relative_error
from tinygrad_ugan import data, gan, nn, unroll
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.image_networks import ImageNetworks


def names(network):
    return [getattr(layer, "__name__", type(layer).__name__) for layer in network.layers]


def images(n=30, shape=(5, 7)):
    return data.Samples(np.random.default_rng(0).uniform(0, 1, (n, *shape)))


CONFIG = gan.Config(
    networks=gan.Networks(
        noise=3,
        kernel=3,
        generator=(6, 4),
        discriminator=(4, 5),
        generator_layers=gan.Layers(normalization="batch"),
        discriminator_layers=gan.Layers("leaky_relu", minibatch_kernels=2),
    ),
    unroll=gan.Unroll(steps=2),
    steps=4,
    batch=8,
    evaluate_every=2,
    evaluation_samples=40,
)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 8, 3), (25, 25, 1), (28, 28, 1)])
@pytest.mark.parametrize("kernel", [1, 4, 5])
def test_both_go_through_the_same_heights(shape, kernel, rng):
    networks = ImageNetworks(shape, kernel, nn.Orthogonal())
    pixels = int(np.prod(shape))
    generator = networks.generator(3, (6, 4), np.tanh)
    x = generator(generator.init(rng), np.ones((2, 3), np.float32))
    assert (x.shape, x.dtype) == ((2, pixels), np.float32)
    discriminator = networks.discriminator((4, 6), np.tanh, closeness=(2, 3))
    assert discriminator(discriminator.init(rng), x).shape == (2, 1)
    seen = discriminator[:5](discriminator.init(rng)[:5], x)  # up to the second convolution
    assert seen.shape[1:] == (*networks.heights(2)[-1], 6)


def test_layers_by_name():
    generator, discriminator = CONFIG.networks.build(35, image_shape=(5, 7, 1))
    layers = ["BatchNorm", "Primitive", "ConvTranspose"]
    assert names(generator) == ["MLP", "Reshape", *layers, *layers, "Reshape"]
    assert names(discriminator)[:3] == ["Scaled", "Reshape", "Conv"]
    assert names(discriminator)[-2:] == ["MinibatchDiscrimination", "MLP"]
    assert not CONFIG.networks.are_plain


def test_input_scale_is_a_factor_of_the_input(rng):
    networks = ImageNetworks((5, 7, 1), 3, nn.Orthogonal())
    once, twice = (networks.discriminator((4,), np.tanh, scale=s) for s in (1.0, 2.0))
    theta, x = once.init(rng, np.float64), rng.standard_normal((3, 35))
    np.testing.assert_array_equal(twice(theta, x), once(theta, 2 * x))


def test_the_gradient_is_exact(rng):
    game = CONFIG.build_game(35, image_shape=(5, 7, 1))
    theta = [net.init(rng, np.float64) for net in (game.generator, game.discriminator)]
    batch = gan.Batch(rng.standard_normal((6, 35)), rng.standard_normal((6, 3)))
    found, expected = (
        unroll.value_and_grad(game, *theta, batch, steps=3, lr=0.1, method=method)[1]
        for method in ("compiled", "tape")
    )
    assert relative_error(optree.tree_leaves(found), optree.tree_leaves(expected)) < 1e-12


def test_training_resumes_to_the_same_bits(tmp_path):
    samples = images()
    config = CONFIG.updated({"checkpoint_every": 2, "checkpoints": 2})
    whole = gan.train(config, tmp_path, data=samples, progress=False)
    again = gan.resume(tmp_path, step=2, data=samples, progress=False)
    assert bits(again.theta_g) == bits(whole.theta_g)
    loaded = gan.load(tmp_path, data=samples)
    assert bits(loaded.theta_d) == bits(whole.theta_d)
    assert loaded.sample(3, np.random.default_rng(0)).shape == (3, 35)
    assert loaded.config.networks == CONFIG.networks


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"generator_layers": gan.Layers(residual=True)}, "generator_layers.residual"),
        ({"discriminator_layers": gan.Layers(dropout=0.1)}, "discriminator_layers.dropout"),
        ({"discriminator_layers": gan.Layers(noise=0.1)}, "discriminator_layers.noise"),
        (
            {"discriminator_layers": gan.Layers(normalization="spectral")},
            "discriminator_layers.normalization",
        ),
        ({"generator_layers": gan.Layers(minibatch_kernels=2)}, "minibatch_kernels"),
        ({"generator": ()}, "networks.generator"),
    ],
)
def test_what_convolutions_do_not_have_is_refused_by_name(change, named):
    networks = gan.Networks(**{"kernel": 3, "generator": (4,), "discriminator": (4,), **change})
    with pytest.raises(ArgumentError, match=named):
        networks.build(35, image_shape=(5, 7, 1))


def test_other_data_are_refused():
    with pytest.raises(ArgumentError, match=r"networks.kernel: expected 0 for data that are no im"):
        gan.train(CONFIG, progress=False)  # on the ring
    with pytest.raises(ArgumentError, match=r"networks.conditional"):
        CONFIG.networks.build(35, classes=2, image_shape=(5, 7, 1))
