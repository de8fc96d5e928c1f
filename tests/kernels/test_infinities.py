"""NaN, infinities and overflow in the kernels: what comes out is what NumPy makes of the layers.

The rule: a value, or an element of a derivative, is NaN, infinite or finite as it is by the plain
composition of layers, whose finite elements it has up to rounding. A sweep is what the adjoint
recursion is, or raises as that does.
"""

import functools
import itertools

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import Setting, flat
from tests.nn.test_network_primitive import make_case
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.network_programs import NetworkProblem, NetworkPrograms
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.kernels.target import PLAIN
from tinygrad_ugan.nn import network_primitive
from tinygrad_ugan.nn.network_primitive import compose

ALL_TARGETS = {**TARGETS, "plain": PLAIN}
LARGE = {np.float32: 1e36, np.float64: 1e306}  # no sum of a few overflows, but every product does
SIZES = [(3, 17, 9, 2), (2, 5, 1), (20, 33, 40), (3, 2)]  # narrow, one hidden layer, wide, linear
BOTH = PassMask(x=True, theta=True)

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")


@pytest.fixture(autouse=True, scope="module")
def always():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_primitive, "MIN_MULTIPLY_ADDS", 0)
        yield


def spoilt(case, dtype):
    """The case with one or two odd numbers, in every array, one after the other."""
    large = LARGE[dtype]
    leaves, structure = optree.tree_flatten((case.params, case.x))
    for i, numbers in itertools.product(
        range(len(leaves)),
        [(np.inf,), (-np.inf,), (np.inf, -np.inf), (np.nan,), (large, -large / 2)],
    ):
        changed = leaves[i].astype(dtype)
        changed.ravel()[: len(numbers)] = numbers[: changed.size]
        others = [x.astype(dtype) for x in leaves]
        yield structure.unflatten([*others[:i], changed, *others[i + 1 :]])
    everywhere = [np.full(x.shape, large, dtype) for x in leaves]
    for scale in (1, -1):
        yield structure.unflatten([*everywhere[:-1], scale * everywhere[-1]])


def assert_alike(found, expected, dtype):
    """Where one is NaN or infinite so is the other; elsewhere they agree.

    Up to rounding in sums of 40 terms, four layers deep, as a share of the largest finite number.
    """
    rtol = 1e-11 if dtype == np.float64 else 2e-4
    pairs = list(zip(*map(optree.tree_leaves, (found, expected)), strict=True))
    finite = [np.abs(np.asarray(y)[np.isfinite(y)]).max(initial=0) for _, y in pairs]
    for x, y in pairs:
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * max(finite))


def derivatives(f, params, x):
    """Value, both first derivatives, and a second one."""
    v = optree.tree_map(np.ones_like, (params, x))
    y, pullback = ug.vjp(f, params, x)
    slopes = pullback(np.ones_like(y))
    rate = ug.jvp(f, (params, x), v)[1]
    bend = ug.hvp(lambda p: np.sum(f(p, x)), params, v[0])
    return y, slopes, rate, bend


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_values_and_derivatives_are_those_of_the_layers(activation, dtype):
    for sizes, rows in itertools.product(SIZES, (3, 40)):
        case = make_case(sizes, activation, rows)
        for params, x in spoilt(case, dtype):
            found, expected = (derivatives(f, params, x) for f in (case.mlp, case.layers))
            assert_alike(found, expected, dtype)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_rows_do_not_depend_on_how_many_there_are(activation):
    case = make_case((3, 17, 9, 2), activation, 40)
    for params, x in spoilt(case, np.float64):
        whole = case.mlp(params, x)
        for rows in (1, 7, 16):
            assert_alike(case.mlp(params, x[:rows]), whole[:rows], np.float64)


@pytest.mark.parametrize("target", ALL_TARGETS)
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_passes_say_so_on_every_target(target, activation):
    """They are right, or say that they have no result; of ordinary numbers they do have one."""
    for sizes, dtype in itertools.product(SIZES, (np.float32, np.float64)):
        case = make_case(sizes, activation, 11)
        network = Network(sizes, activation)
        passes = NetworkPrograms(NetworkProblem(network, 11, ALL_TARGETS[target], np.dtype(dtype)))
        y_bar = np.ones((11, sizes[-1]), dtype)
        ordinary = case.astype(dtype)
        for params, x in [(ordinary.params, ordinary.x), *spoilt(case, dtype)]:
            theta = flat(params)
            y, pullback = ug.vjp(functools.partial(compose, case.mlp), x, *theta)
            forward = passes.forward(x, theta)
            if params is ordinary.params:
                assert forward is not None
            if forward is None:
                continue
            assert_alike(forward[0], y, dtype)
            backward = passes.backward(forward[1], y_bar, BOTH)
            if backward is not None:
                assert_alike(backward, pullback(y_bar), dtype)


LOSSES = ("minimax", "wasserstein", "hinge")


def outcome(setting, leaves, method):
    """Value and gradient, or the name of what is not finite."""
    try:
        return ug.unroll.value_and_grad(
            setting.game, *leaves, steps=setting.steps, lr=setting.lr, method=method
        )
    except NonFiniteError as error:
        return str(error).split(":")[0]


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_sweeps_name_what_is_not_finite(activation):
    for loss, place in itertools.product(LOSSES, range(3)):
        game = gan.Game(nn.MLP((3, 5, 2), activation), nn.MLP((2, 7, 1), activation), loss)
        setting = Setting(game, real=9, fake=11, steps=2)
        for number in (np.inf, -np.inf, np.nan):
            given = list(setting.inputs())
            given[place] = optree.tree_map(np.copy, given[place])
            optree.tree_leaves(given[place])[0].ravel()[0] = number
            found = outcome(setting, given, "fused")
            if isinstance(found, str):
                assert found == ("theta_g", "theta_d", "batch.real")[place]
            else:  # a ReLU may not pass it on
                assert place < 2
                assert_alike(found, outcome(setting, given, "adjoint"), np.float64)


def test_where_finite_parameters_overflow_a_sweep_is_what_the_recursion_is():
    """D's first layer is infinite and its second one 0, and so is the slope: all else is finite."""
    game = gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 5, 1), "relu"))
    setting = Setting(game, real=9, fake=11, steps=0)
    theta_g, theta_d, batch = setting.inputs()
    theta_g[1] = {"w": np.zeros((5, 2)), "b": np.ones(2)}
    theta_d[0]["w"][:] = 1e308
    theta_d[1]["w"][:] = -1
    given = (theta_g, theta_d, batch._replace(real=np.ones((9, 2))))
    found, expected = (outcome(setting, given, method) for method in ("fused", "adjoint"))
    assert all(np.isfinite(x).all() for x in optree.tree_leaves(found))
    assert_alike(found, expected, np.float64)
    terms = ug.unroll.decompose(game, *given, steps=0, lr=0.1)
    assert_alike((terms.value, terms.total), expected, np.float64)
    assert outcome(setting._replace(steps=1), given, "fused") == "game.inner"


def test_the_inner_gradient_is_that_of_the_engine():
    """An infinite bias makes tanh exactly 1, and its slope 0."""
    setting = Setting(gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 1))), real=9, fake=11, steps=0)
    theta_g, theta_d, batch = setting.inputs()
    theta_g[0]["b"][0] = theta_d[0]["b"][0] = np.inf
    found = ug.unroll.ascent(setting.game, theta_g, theta_d, batch)
    expected = ug.value_and_grad(setting.game.inner, argnums=1)(theta_g, theta_d, batch)
    assert all(np.isfinite(x).all() for x in optree.tree_leaves(found))
    assert_alike(found, expected, np.float64)


@pytest.mark.parametrize("target", ALL_TARGETS)
def test_a_sweep_is_right_or_says_that_it_is_not_sound(target):
    setting = Setting(gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 1))), real=9, fake=11, steps=2)
    program = SweepProgram(setting.sweep(), ALL_TARGETS[target], np.float64)
    theta_g, theta_d, batch = setting.inputs()
    arrays = [*flat(theta_g), *flat(theta_d), *batch]
    etas, n = np.full((2, 1), setting.lr), len(flat(theta_g))

    def run(arrays):
        return program.run(arrays[:n], arrays[n:-2], [arrays[-2]], [arrays[-1]], etas)

    assert run(arrays).is_finite
    for i, number in itertools.product(range(len(arrays)), (np.inf, -np.inf, np.nan)):
        changed = arrays[i].copy()
        changed.ravel()[0] = number
        found = run([*arrays[:i], changed, *arrays[i + 1 :]])
        finite = all(np.isfinite(x).all() for x in (found.value, *found.gradients[0]))
        assert not (found.is_finite and not finite)
        assert not (found.is_finite and i >= len(arrays) - 2)  # a batch must be found out
    assert run(arrays).is_finite
