"""What a game and a training step are handed that they cannot take is named, with what to do."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training.sampler import streams

GAME = gan.Game(nn.MLP((3, 4, 2)), nn.MLP((2, 4, 1)))
THETA_G, THETA_D = (n.init(np.random.default_rng(0)) for n in (GAME.generator, GAME.discriminator))
REAL, NOISE = np.ones((5, 2), np.float32), np.ones((5, 3), np.float32)
BATCH = gan.Batch(REAL, NOISE)


class ForeignTensor:
    """What another library's array has in common with NumPy's, such as one of PyTorch."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, "torch.float32"

    def __array__(self, dtype=None, copy=None):
        return self.array

    def __matmul__(self, other):
        return ForeignTensor(self.array @ other)


def flax(theta):
    layers = [{"kernel": layer["w"], "bias": layer["b"]} for layer in theta]
    return {"params": {f"Dense_{i}": layer for i, layer in enumerate(layers)}}


FOREIGN = [{"w": ForeignTensor(layer["w"]), "b": layer["b"]} for layer in THETA_D]
CALLS = {
    "auto": lambda *place: ug.unroll.value_and_grad(*place, steps=1, lr=0.1),
    "tape": lambda *place: ug.unroll.value_and_grad(*place, steps=2, lr=0.1, method="tape"),
    "detached": lambda *place: ug.unroll.value_and_grad(*place, steps=2, lr=0.1, method="detached"),
    "decompose": lambda *place: ug.unroll.decompose(*place, steps=2, lr=0.1),
    "ascent": ug.unroll.ascent,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"theta_g": flax(THETA_G)},
            r"theta_g, the generator's params: expected a list of .*got a dict of \['params'\]; .*"
            r"Flax is \{'w': kernel, 'b': bias\}",
        ),
        (
            {"theta_d": [*flax(THETA_D)["params"].values()]},
            r"theta_d\[0\], the discriminator's .*\{'w': .*got a dict of \['bias', 'kernel'\]",
        ),
        (
            {"theta_d": FOREIGN},
            r"theta_d\[0\]\['w'\].*: expected a NumPy array, got a .*ForeignTensor; convert .*"
            r"PyTorch with \.detach\(\)\.numpy\(\)",
        ),
        (
            {"batch": BATCH._replace(real=ForeignTensor(REAL))},
            "batch.real: expected a NumPy array, got a .*ForeignTensor; convert it with np.asarray",
        ),
        (
            {"batch": BATCH._replace(noise=ForeignTensor(NOISE))},
            "batch.noise: expected a NumPy array, got a .*ForeignTensor",
        ),
        (
            {"batch": BATCH._replace(real=REAL.tolist())},
            "batch.real, the discriminator's x: expected a NumPy array, got a list; .*np.asarray",
        ),
        (
            {"batch": BATCH._replace(noise=NOISE[:, :2])},
            r"batch.noise, the generator's x: expected shape \(batch, 3\), got shape \(5, 2\)",
        ),
        (
            {"batch": BATCH._replace(real=np.ones((5, 7), np.float32))},
            r"batch.real, the discriminator's x: expected shape \(batch, 2\), got shape \(5, 7\)",
        ),
        ({"batch": REAL}, "batch: expected one with .noise, such as a gan.Batch, got a numpy.nd"),
        (
            {"theta_g": 3.0},
            "theta_g, the generator's params: expected a list of .* got a (float|.*Tensor)",
        ),
    ],
)
def test_what_came_is_named(call, changes, words):
    place = {"theta_g": THETA_G, "theta_d": THETA_D, "batch": BATCH} | changes
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        call(GAME, *place.values())


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (1, "batch: expected one with .noise, such as a gan.Batch, got a numpy.ndarray"),
        (3, r"batch: expected one batch, or steps \+ 1 = 4, got 2 batches; .*named tuple"),
    ],
)
def test_a_plain_tuple_is_no_batch(steps, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        ug.unroll.value_and_grad(GAME, THETA_G, THETA_D, (REAL, NOISE), steps=steps, lr=0.1)


def test_real_pytorch_too():
    torch = pytest.importorskip("torch")
    batch = BATCH._replace(real=torch.ones(5, 2))
    with pytest.raises(ArgumentTypeError, match=r"batch.real: .*got a torch.Tensor"):
        ug.unroll.value_and_grad(GAME, THETA_G, THETA_D, batch, steps=1, lr=0.1)


def test_networks_that_do_not_fit_are_no_game():
    words = (
        "discriminator: expected one of 3 inputs, as many as the generator has outputs, got .* 2"
    )
    with pytest.raises(ArgumentError, match=words):
        gan.Game(nn.MLP((4, 8, 3)), nn.MLP((2, 8, 1)))

    class Wider(nn.MLP):
        """Appends a column to what it is given: its sizes do not say what it takes."""

        def __call__(self, params, x):
            return super().__call__(params, np.concatenate([x, x[:, :1]], axis=1))

    gan.Game(nn.MLP((4, 8, 2)), Wider((3, 8, 1)))
    gan.Game(lambda theta, z: z, nn.MLP((2, 8, 1)))


# Training steps.

_RNG, _ = streams(SMALL)
STEP = gan.TrainStep(SMALL)
STATE = STEP.init(_RNG)
ONE = gan.Draws(SMALL, np.random.default_rng(0)).next()[0]


@pytest.mark.parametrize(
    ("state", "batches", "words"),
    [
        (STATE, ONE, r"batches: expected a list of batches, got a .*Batch; .*given as \[batch\]"),
        (STATE, ONE.real, "batches: expected a list of batches, got a numpy.ndarray"),
        (STATE, (ONE.real, ONE.noise), "batch: expected one with .noise, such as a gan.Batch"),
        (STATE, [], "batches: expected 1 or more, got 0 of them"),
        (tuple(STATE), [ONE], r"state: expected a gan.State, got a tuple; .*step.start\(theta_g"),
        (STATE.theta_g, [ONE], "state: expected a gan.State, got a list"),
        (STATE._replace(theta_d=flax(STATE.theta_d)), [ONE], "theta_d, the discriminator's params"),
    ],
)
def test_a_training_step_says_what_it_wants(state, batches, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        STEP(state, batches)


@pytest.mark.parametrize(
    "changes",
    [
        {"unroll": gan.Unroll(2, fresh=True)},
        {"update": gan.Update(discriminator_steps=3)},
    ],
)
def test_too_few_batches(changes):
    with pytest.raises(ArgumentError, match="batches: expected 3 or more, got 2 of them"):
        gan.TrainStep(varied(**changes))(STATE, [ONE, ONE])


# Layers that need more than parameters.

NOISY = [nn.GaussianNoise(4, 0.3), nn.Dropout(4, 0.4)]


def noisy(layer, n_in, n_out):
    return nn.Sequential(nn.MLP((n_in, 4)), layer, np.tanh, nn.MLP((4, n_out)))


def nested(layer, n_in, n_out):
    return nn.Sequential(nn.MLP((n_in, 4)), nn.Sequential(layer, np.tanh), nn.MLP((4, n_out)))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("layer", NOISY, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("build", [noisy, nested])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_layers_that_take_random_numbers_are_refused_where_nobody_hands_them_over(
    call, layer, build, player
):
    networks = {"generator": nn.MLP((3, 2)), "discriminator": nn.MLP((2, 1))}
    networks[player] = build(layer, *{"generator": (3, 2), "discriminator": (2, 1)}[player])
    theta = [network.init(np.random.default_rng(0)) for network in networks.values()]
    words = rf"{player}: .*random numbers.*unroll.Game\(inner, outer\).*network.draw\(rng, n\)"
    with pytest.raises(ArgumentError, match=words):
        call(gan.Game(**networks), *theta, BATCH)
    matching = gan.FeatureMatching(gan.Game(**networks), lambda theta, x: x)
    with pytest.raises(ArgumentError, match=words):
        matching.outer(*theta, BATCH)
    with pytest.raises(ArgumentError, match=words):
        gan.TrainStep(varied(networks=gan.Networks(noise=3)), gan.Game(**networks))(
            STEP.start(*theta), [BATCH]
        )


def test_the_other_games_refuse_them_too():
    net = noisy(NOISY[0], 2, 3)
    generator = nn.MLP((3, 2))
    theta_g, rng = generator.init(np.random.default_rng(0)), np.random.default_rng(0)
    for judges in (gan.Judges(net, nn.MLP((2, 3))), gan.Judges(nn.MLP((2, 1)), net)):
        game = gan.InfoGame(generator, judges)
        with pytest.raises(ArgumentError, match=r"discriminator: .*random numbers"):
            game.inner(theta_g, judges.init(rng), BATCH)
    labelled = gan.LabelledBatch(REAL, np.zeros(5, int), REAL, NOISE)
    game = gan.SemiSupervised(generator, net)
    for objective in (game.inner, game.outer):
        with pytest.raises(ArgumentError, match=r"batch.sides: .*discriminator.draw\(rng, n\)"):
            objective(theta_g, net.init(rng), labelled)
    drawn = labelled._replace(sides=tuple(net.draw(rng, 5) for _ in range(3)))
    assert np.isfinite(game.inner(theta_g, net.init(rng), drawn))


def test_layers_whose_statistics_are_those_of_the_batch_are_taken():
    net = noisy(nn.BatchNorm(4), 2, 1)
    game = gan.Game(nn.MLP((3, 2)), net)
    theta = game.generator.init(np.random.default_rng(0)), net.init(np.random.default_rng(1))
    rng = np.random.default_rng(2)
    real, noise = rng.standard_normal((5, 2), np.float32), rng.standard_normal((5, 3), np.float32)
    batch = gan.Batch(real, noise)
    one = net(theta[1], batch.real, net.statistics(theta[1], batch.real))
    np.testing.assert_allclose(net(theta[1], batch.real), one, rtol=1e-6)  # float32
    assert np.isfinite(ug.unroll.value_and_grad(game, *theta, batch, steps=2, lr=0.1)[0])


def test_a_slice_of_a_network_of_ones_own_is_of_that_kind():
    class Doubled(nn.Sequential):
        def __call__(self, params, x, side=None):
            return 2 * super().__call__(params, x, side)

    net = Doubled(np.tanh, np.sin)
    assert net[:1]([()], 1.0) == 2 * np.tanh(1.0)
