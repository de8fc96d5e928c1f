"""A network as one primitive against the composition of its layers, to third order."""

import concurrent.futures
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.oracles import normal_like, relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.autodiff.primitive import general
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.nn import network_primitive

# Sums of up to 50 x 40 terms in another order, through up to four layers and three derivatives.
TOLERANCE = {np.float64: 1e-13, np.float32: 100 * np.finfo(np.float32).eps}


@pytest.fixture(autouse=True, scope="module")
def always():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_primitive, "MIN_MULTIPLY_ADDS", 0)
        yield


class Case(NamedTuple):
    mlp: nn.MLP
    params: Any
    x: Any
    weights: Any  # of the outputs, in a sum that makes them a scalar

    @property
    def layers(self):
        """The plain composition, with the signature of the network."""
        return lambda p, x: network_primitive.compose(
            self.mlp, x, *(layer[name] for layer in p for name in "wb")
        )

    def astype(self, dtype):
        rest = optree.tree_map(lambda a: a.astype(dtype), tuple(self[1:]))
        return Case(self.mlp, *rest)


def make_case(sizes, activation, rows, seed=0, input_scale=1.0):
    rng = np.random.default_rng(seed)
    mlp = nn.MLP(sizes, activation, input_scale)
    params = mlp.init(rng, np.float64)
    params = [{"w": p["w"], "b": 0.3 * rng.standard_normal(p["b"].shape)} for p in params]
    return Case(
        mlp,
        params,
        rng.standard_normal((rows, sizes[0])),
        rng.standard_normal((rows, sizes[-1])),
    )


@st.composite
def cases(draw):
    return make_case(
        tuple(draw(st.lists(st.integers(1, 40), min_size=2, max_size=5))),
        draw(st.sampled_from(list(nn.ACTIVATIONS))),
        draw(st.integers(1, 50)),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from([1.0, 0.25])),
    )


def derivatives(f, case):
    """By name: of f with the arguments (params, x), up to third order, in all nestings of modes."""
    _, params, x, weights = case
    rng = np.random.default_rng(1)
    dtype = x.dtype
    v, u = (
        optree.tree_map(lambda a: np.asarray(a, dtype), normal_like(rng, t)) for t in (params, x)
    )

    def scalar(p, x):
        return np.sum(np.sin(f(p, x)) * weights)

    def slope_of_x(p, x):
        return ug.grad(scalar, argnums=1)(p, x)

    def penalty(p, x):  # as of Wasserstein GANs: the norm of the gradient
        squares = np.sum(slope_of_x(p, x) ** 2, axis=1)
        return np.mean((np.sqrt(squares + 0.01) - 1) ** 2)

    def rate(p, x):
        return ug.jvp(lambda p: scalar(p, x), (p,), (v,))[1]

    both = (0, 1)
    return {
        "value": f(params, x),
        "vjp": ug.grad(scalar, both)(params, x),
        "vjp, parameters": ug.grad(scalar)(params, x),
        "vjp, input": slope_of_x(params, x),
        "jvp": ug.jvp(f, (params, x), (v, u)),
        "jvp, parameters": ug.jvp(lambda p: f(p, x), (params,), (v,)),
        "jvp, input": ug.jvp(lambda x: f(params, x), (x,), (u,)),
        "jvp of vjp": ug.jvp(lambda p, x: ug.grad(scalar, both)(p, x), (params, x), (v, u)),
        "jvp of vjp, parameters": ug.hvp(lambda p: scalar(p, x), params, v),
        "jvp of vjp, input": ug.hvp(lambda x: scalar(params, x), x, u),
        "vjp of vjp": ug.grad(penalty, both)(params, x),
        "vjp of jvp": ug.grad(rate, both)(params, x),
        "jvp of jvp": ug.jvp(lambda p: rate(p, x), (params,), (v,)),
        "jvp of vjp of vjp": ug.hvp(lambda p: penalty(p, x), params, v),
        "vjp of vjp of vjp": ug.grad(
            lambda p: np.sum(ug.grad(penalty, 1)(p, x) ** 2),
        )(params),
        "vjp of jvp of vjp": ug.grad(lambda x: np.sum(ug.jvp(slope_of_x, (params, x), (v, u))[1]))(
            x
        ),
    }


def check(case, tolerance):
    found, exact = (derivatives(f, case) for f in (case.mlp, case.layers))
    for name in exact:
        assert relative_error(found[name], exact[name]) <= tolerance, name


@given(cases())
def test_agrees_with_the_composition_to_third_order(case):
    check(case, TOLERANCE[np.float64])


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_every_activation(activation):
    check(make_case((3, 17, 9, 2), activation, 20), TOLERANCE[np.float64])


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_single_precision(activation):
    exact = make_case((5, 40, 40, 1), activation, 50)
    single = exact.astype(np.float32)
    found = derivatives(single.mlp, single)
    assert {a.dtype for a in optree.tree_leaves(found)} == {np.dtype(np.float32)}
    exact = derivatives(exact.layers, single.astype(np.float64))
    for name in exact:
        assert relative_error(found[name], exact[name]) <= TOLERANCE[np.float32], name


def test_whole_matrices():
    mlp, params, x, weights = case = make_case((2, 6, 3), "tanh", 4)
    for mode in ("reverse", "forward"):
        found, exact = (
            ug.jacobian(lambda p, f=f: f(p, x), mode=mode)(params) for f in (mlp, case.layers)
        )
        assert relative_error(found, exact) <= TOLERANCE[np.float64]
    found, exact = (
        ug.hessian(lambda x, f=f: np.sum(f(params, x) ** 2 * weights))(x)
        for f in (mlp, case.layers)
    )
    assert relative_error(found, exact) <= TOLERANCE[np.float64]


def test_same_bits_on_any_number_of_threads():
    case = make_case((30, 64, 64, 3), "softplus", 300)
    before, results = ug.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            ug.set_num_threads(n)
            results.append(optree.tree_leaves(derivatives(case.mlp, case)))
    finally:
        ug.set_num_threads(before)
    for other in results[1:]:
        assert [a.tobytes() for a in other] == [a.tobytes() for a in results[0]]
    check(case, 1e-12)  # sums over 300 rows


def test_python_threads_may_share_a_network_and_a_pullback():
    mlp, params, x, weights = make_case((3, 33, 2), "tanh", 40)
    _, pullback = ug.vjp(mlp, params, x)
    expected = ug.grad(lambda p: np.sum(mlp(p, x) * weights))(params), pullback(weights)

    def work(_):
        return ug.grad(lambda p: np.sum(mlp(p, x) * weights))(params), pullback(weights)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(work, range(200)):
            assert relative_error(found, expected) == 0


def test_passes_do_not_disturb_each_other():
    mlp, params, x, weights = case = make_case((4, 20, 3), "sigmoid", 12)
    pullbacks = [ug.vjp(mlp, params, x * scale)[1] for scale in (1, 2, 3)]
    for scale, pullback in zip((1, 2, 3), pullbacks, strict=True):
        for _ in range(2):
            exact = ug.vjp(case.layers, params, x * scale)[1](weights)
            assert relative_error(pullback(weights), exact) <= TOLERANCE[np.float64]


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ((0,), PassMask(theta=True)),
        ((1,), PassMask(x=True)),
        ((0, 1), PassMask(x=True, theta=True)),
    ],
)
def test_computes_what_is_asked_for_and_no_more(arguments, needed, monkeypatch):
    asked = []
    implementation = network_primitive._backward

    def spy(*args, **params):
        asked.append(params["needed"])
        return implementation(*args, **params)

    case = make_case((4, 20, 3), "tanh", 12)
    monkeypatch.setattr(
        network_primitive,
        "network_backward",
        general(spy, None, None, multiple_results=True),
    )
    ug.grad(lambda p, x: np.sum(case.mlp(p, x)), arguments)(case.params, case.x)
    assert asked == [needed]


def test_one_traced_layer_among_constants():
    mlp, params, x, weights = case = make_case((4, 20, 5, 3), "tanh", 12)

    def of_one(f):
        def scalar(w):
            return np.sum(f([params[0], {**params[1], "w": w}, params[2]], x) ** 2 * weights)

        return [scalar(params[1]["w"]), ug.hvp(scalar, params[1]["w"], params[1]["w"] ** 2)]

    assert relative_error(of_one(mlp), of_one(case.layers)) <= TOLERANCE[np.float64]


def test_arrays_of_all_layouts():
    mlp, params, x, _ = make_case((4, 20, 3), "tanh", 12)
    expected = mlp(params, x)
    frozen = x.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    for same in (frozen, unaligned, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        np.testing.assert_array_equal(mlp(params, same), expected)
    turned = [{"w": np.asfortranarray(p["w"]), "b": p["b"][::-1][::-1]} for p in params]
    np.testing.assert_array_equal(mlp(turned, x), expected)


class Tagged(np.ndarray):
    """An array that NumPy's functions keep the type of."""


def test_what_the_kernels_do_not_take_goes_layer_by_layer():
    mlp, params, x, _ = case = make_case((4, 20, 3), "tanh", 12)
    single = case.astype(np.float32)
    for given_params, given_x in [
        (params, x[:0]),
        (params, single.x),
        (single.params, x),
        (single.params, np.ones((12, 4), int)),
        (params, x.view(Tagged)),
        (params, x.astype(">f8")),
        (params, x.astype(np.longdouble)),
    ]:
        found, expected = mlp(given_params, given_x), case.layers(given_params, given_x)
        assert (type(found), found.dtype) == (type(expected), expected.dtype)
        np.testing.assert_array_equal(found, expected)
    assert not ug.grad(lambda p: np.sum(mlp(p, x[:0])))(params)[0]["w"].any()


def test_wrong_shapes_are_refused_by_name():
    mlp, params, x, _ = make_case((4, 20, 3), "tanh", 12)
    with pytest.raises(ArgumentError, match="x: expected shape"):
        mlp(params, x[:, :3])
    with pytest.raises(ArgumentError, match=r"params: .*got shapes"):
        mlp(params[::-1], x)


def test_a_cotangent_of_a_wrong_shape_is_not_read():
    crooked = ug.primitive(lambda y: y, transpose=lambda g, y: g[:1])
    mlp, params, x, _ = make_case((4, 20, 3), "tanh", 12)
    with pytest.raises(ValueError, match=r"shape \(12, 3\), got shape \(1, 3\)"):
        ug.grad(lambda p: np.sum(crooked(mlp(p, x))))(params)


def test_memory_of_passes_is_used_again():
    mlp, params, x, _ = make_case((4, 20, 3), "tanh", 12)
    pool = network_primitive._programs(mlp.layer_form, 12, x.dtype)._pool
    for _ in range(3):
        ug.grad(lambda p: np.sum(mlp(p, x)))(params)
        assert len(pool._free) == 1
