"""Networks by the names of their layers: built, exact through the unrolled steps, and trained."""

import dataclasses

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.gan.small import bits, outcome, varied
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.games.game import with_draws
from tinygrad_ugan.unroll import explain_method

MLP = nn.MLP((3, 6, 6, 2), "softplus", input_scale=0.5, initializer=nn.Orthogonal(0.8))
NORMALISED = {"weight": nn.WeightNorm, "spectral": nn.SpectralNorm}
ALL = gan.Layers("tanh", "batch", True, 0.1, 0.2, 3)


def names(network):
    return [getattr(layer, "__name__", type(layer).__name__) for layer in network.layers]


def test_without_layers_it_is_the_perceptron():
    assert gan.Layers().build(MLP) is not gan.Layers("relu").build(MLP)
    assert gan.Layers().build(MLP) == MLP
    assert gan.Layers("relu").build(MLP) == dataclasses.replace(MLP, activation="relu")
    assert gan.Networks().are_plain
    assert gan.Networks(generator_layers=gan.Layers("tanh")).are_plain
    assert not gan.Networks(discriminator_layers=gan.Layers(noise=0.1)).are_plain


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (gan.Layers(normalization="batch"), ["MLP", "BatchNorm", "softplus"] * 2 + ["MLP"]),
        (gan.Layers(normalization="weight"), ["WeightNorm", "softplus"] * 2 + ["WeightNorm"]),
        (gan.Layers(normalization="spectral"), ["SpectralNorm", "softplus"] * 2 + ["SpectralNorm"]),
        (gan.Layers(residual=True), ["MLP", "softplus", "Residual", "MLP"]),
        (gan.Layers(dropout=0.2), ["MLP", "softplus", "Dropout"] * 2 + ["MLP"]),
        (gan.Layers(noise=0.2), ["MLP", "softplus", "GaussianNoise"] * 2 + ["MLP"]),
        (
            gan.Layers(minibatch_kernels=2),
            ["MLP", "softplus"] * 2 + ["MinibatchDiscrimination", "MLP"],
        ),
        (
            ALL,
            ["MLP", "BatchNorm", "tanh", "GaussianNoise", "Dropout", "Residual"]
            + ["MinibatchDiscrimination", "MLP"],
        ),
    ],
)
def test_layers_by_name(layers, expected, rng):
    network = layers.build(MLP)
    assert names(network) == expected
    params, x = network.init(rng), rng.standard_normal((5, 3), np.float32)
    assert network(params, x, network.draw(rng, 5)).shape == (5, 2)
    assert network(params, x).dtype == np.float32


def test_the_weights_start_as_those_of_the_perceptron(rng):
    """What normalises or drops nothing computes what the perceptron does."""
    network = gan.Layers(dropout=0.5).build(MLP)
    params, plain = (each.init(np.random.default_rng(3), np.float64) for each in (network, MLP))
    assert bits(params) == bits(plain)
    x = rng.standard_normal((5, 3))
    np.testing.assert_allclose(network(params, x), MLP(plain, x), rtol=1e-13)


def test_a_network_without_hidden_layers(rng):
    network = gan.Layers(normalization="batch", minibatch_kernels=2).build(nn.MLP((3, 1)))
    assert names(network) == ["MinibatchDiscrimination", "MLP"]
    assert network(network.init(rng), np.ones((4, 3), np.float32)).shape == (4, 1)


# Games of such networks.

LAYERS = {
    "batch": gan.Layers(normalization="batch"),
    "weight": gan.Layers(normalization="weight", residual=True),
    "spectral": gan.Layers(normalization="spectral", minibatch_kernels=2),
    "all": ALL,
}


def settings(name, **changes):
    layers = LAYERS[name]
    networks = gan.Networks(
        2, (4, 4), (4, 4), "tanh", generator_layers=layers, discriminator_layers=layers
    )
    return varied(networks=networks, precision="float64", **changes)


def problem_of(config, rng):
    game = config.build_game()
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    theta = optree.tree_map(lambda x: x + 0.1 * rng.standard_normal(x.shape), theta)
    batch = gan.Batch(2 * rng.standard_normal((6, 2)), rng.standard_normal((6, 2)))
    return game, *theta, with_draws(game, batch, rng)


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("name", LAYERS)
def test_every_exact_method_and_differences(name, steps, rng):
    penalty = gan.penalties.GradientPenalty(2.0) if name == "all" else gan.penalties.NoPenalty()
    config = settings(name, loss="nonsaturating", label_smoothing=0.1, penalty=penalty)
    problem = problem_of(config, rng)
    how = {"steps": steps, "lr": 0.05}
    found = ug.unroll.value_and_grad(*problem, **how, method="adjoint")
    for method in ("tape", "forward", "compiled"):
        assert (
            relative_error(found, ug.unroll.value_and_grad(*problem, **how, method=method)) < 1e-11
        )

    game, theta_g, theta_d, batch = problem

    def f_K(theta_g):
        theta = theta_d
        for _ in range(steps):
            g = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
            theta = optree.tree_map(lambda x, u: x + 0.05 * u, theta, g)
        return game.outer(theta_g, theta, batch)

    v = normal_like(rng, theta_g)
    # short steps: the distances of minibatch discrimination are smooth only between their kinks
    numeric = directional_derivative(
        f_K, theta_g, v, step=1e-4 if "Minibatch" in str(game) else 0.01
    )
    assert dot(found[1], v) == pytest.approx(float(numeric), rel=1e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_the_kernels_refuse_them_by_name(name, rng):
    problem = problem_of(settings(name), rng)
    assert explain_method(*problem, steps=2, lr=0.1).startswith("compiled: ")
    with pytest.raises(ArgumentError, match=r"method: .*got 'fused'; the generator is not"):
        ug.unroll.value_and_grad(*problem, steps=2, lr=0.1, method="fused")


EVERYTHING = settings(
    "all",
    penalty=gan.penalties.GradientPenalty(),
    instance_noise=0.1,
    label_smoothing=0.1,
    feature_matching=True,
)
FURTHER = {
    "all": EVERYTHING,
    "fresh draws": EVERYTHING.updated({"unroll.redraw": True}),
    "fresh batches": EVERYTHING.updated({"unroll.fresh": True}),
    "several steps": EVERYTHING.updated({"update.discriminator_steps": 3, "unroll.redraw": True}),
    "of both": EVERYTHING.updated({"update.generator_steps": 2, "unroll.redraw": True}),
    "the last": EVERYTHING.updated({"update.keep": "last", "unroll.redraw": True}),
    "extra-gradient": EVERYTHING.updated({"update.scheme": "extragradient"}),
    **{name: settings(name) for name in LAYERS},
}


@pytest.mark.parametrize("name", FURTHER)
def test_interrupted_and_resumed_to_the_same_bits(name, tmp_path):
    config = FURTHER[name]
    whole = gan.train(config, tmp_path / "whole")
    assert outcome(gan.train(config)) == outcome(whole)
    assert outcome(gan.load(tmp_path / "whole")) == outcome(whole)
    assert outcome(gan.resume(tmp_path / "whole", step=2)) == outcome(whole)
    assert np.isfinite(whole.sample(5, np.random.default_rng(0))).all()


def test_fresh_draws_are_another_run_of_the_same_start():
    same, fresh = (gan.train(FURTHER[name]) for name in ("all", "fresh draws"))
    assert bits(same.samples[0]) == bits(fresh.samples[0])
    assert outcome(same) != outcome(fresh)
