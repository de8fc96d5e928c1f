"""Recurrent cells against their equations, gate by gate."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError

CELLS = [nn.LSTMCell(3, 4), nn.GRUCell(3, 4)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def drawn(cell, rng):
    params = cell.init(rng, np.float64)
    params["b"] = params["b"] + rng.standard_normal(len(params["b"]))
    return params, rng.standard_normal((2, 4)), rng.standard_normal((2, 3))


def test_lstm_is_its_equations(rng):
    cell = CELLS[0]
    params, h, x = drawn(cell, rng)
    c = rng.standard_normal((2, 4))
    i, f, g, o = np.split(x @ params["w"] + h @ params["u"] + params["b"], 4, axis=1)
    memory = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    state, y = cell(params, nn.LSTMState(h, c), x)
    np.testing.assert_allclose(state.c, memory, rtol=1e-13)
    np.testing.assert_allclose(state.h, sigmoid(o) * np.tanh(memory), rtol=1e-13)
    assert y is state.h


def test_gru_is_its_equations(rng):
    params, h, x = drawn(CELLS[1], rng)
    (w_r, w_z, w), (u_r, u_z, u), (b_r, b_z, b) = (
        np.split(params[name], 3, axis=-1) for name in ("w", "u", "b")
    )
    r, z = sigmoid(x @ w_r + h @ u_r + b_r), sigmoid(x @ w_z + h @ u_z + b_z)
    expected = z * h + (1 - z) * np.tanh(x @ w + (r * h) @ u + b)
    state, y = CELLS[1](params, h, x)
    np.testing.assert_allclose(state, expected, rtol=1e-13)
    assert y is state


def over_time(cell):
    def outputs(params, xs):
        start = cell.start(xs.shape[1], xs.dtype)
        return ug.scan(lambda state, x: cell(params, state, x), start, xs)[1]

    return outputs


@pytest.mark.parametrize("cell", CELLS)
def test_over_time_to_second_order(cell, rng):
    params, _, _ = drawn(cell, rng)
    xs = rng.standard_normal((3, 2, 3))
    names = list(params)

    def f(*args):
        return over_time(cell)(dict(zip(names, args[1:], strict=True)), args[0])

    check_modes(f, (xs, *params.values()), rng, order=2)
    state, expected = cell.start(2, np.float64), []
    for x in xs:
        state, y = cell(params, state, x)
        expected.append(y)
    np.testing.assert_array_equal(f(xs, *params.values()), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_compiled(cell, rng):
    params, xs = cell.init(rng), rng.standard_normal((5, 2, 3)).astype(np.float32)
    gradient = ug.grad(lambda params: np.mean(over_time(cell)(params, xs) ** 2))
    found, expected = ug.compile(gradient)(params), gradient(params)
    assert relative_error(list(found.values()), list(expected.values())) < 1e-5
    assert {x.dtype for x in found.values()} == {np.dtype(np.float32)}


def test_an_lstm_remembers_at_first():
    params = CELLS[0].init(np.random.default_rng(0))
    np.testing.assert_array_equal(params["b"], np.repeat([0, 1, 0, 0], 4))


@pytest.mark.parametrize("cell", CELLS)
def test_other_shapes_are_refused(cell, rng):
    params, start = cell.init(rng), cell.start(2)
    with pytest.raises(ArgumentError, match=r"^x: expected shape \(batch, 3\)"):
        cell(params, start, np.ones((2, 4), np.float32))
    with pytest.raises(ArgumentError, match=r"^state"):
        cell(params, type(cell)(3, 5).start(2), np.ones((2, 3), np.float32))
    with pytest.raises(ArgumentError, match=r"^params"):
        cell({**params, "u": params["w"]}, start, np.ones((2, 3), np.float32))
    with pytest.raises(ArgumentError, match=r"^width"):
        type(cell)(3, 0)
