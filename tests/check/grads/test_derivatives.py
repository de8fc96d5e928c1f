"""Functions of pytrees as functions of lists of arrays, and both modes of their derivatives."""

import numpy as np
import pytest

from tinygrad_ugan.check.grads.derivatives import MODES, flatten

W = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])
X = np.array([0.3, -0.7])


def function(params, scale):
    return {"y": scale * np.sin(params["w"] @ params["x"])}


@pytest.fixture
def flat():
    return flatten(function, ({"w": W, "x": X}, 2))


def test_floating_arrays_are_inputs_and_the_rest_is_constant(flat):
    assert flat.input_names == ["args[0]['w']", "args[0]['x']"]
    assert flat.output_names == ["result['y']"]
    np.testing.assert_array_equal(flat.outputs[0], 2 * np.sin(W @ X))


def test_a_line_leads_through_all_inputs(flat):
    v = np.arange(1.0, 9.0)
    dw, dx = flat.split(v)
    assert (dw.shape, dx.shape) == (W.shape, X.shape)
    np.testing.assert_allclose(flat.along(v)(0.1), 2 * np.sin((W + 0.1 * dw) @ (X + 0.1 * dx)))


@pytest.mark.parametrize("mode", MODES)
def test_the_engine_and_the_rates_by_hand_give_the_same_numbers(mode, flat, rng):
    v = rng.standard_normal(8)
    dw, dx = flat.split(v)
    rates = 2 * np.cos(W @ X) * (dw @ X + W @ dx)
    chosen = MODES[mode](flat, rng)
    np.testing.assert_allclose(chosen.found(flat.inputs, v), chosen.project(rates), rtol=1e-13)
    assert np.all(np.abs(chosen.project(rates)) <= chosen.bound(np.abs(rates)))


@pytest.mark.parametrize("mode", MODES)
def test_a_derivative_is_a_function_that_can_be_differentiated(mode, flat, rng):
    derivative = MODES[mode](flat, rng).derivative
    assert len(derivative.inputs) == len(flat.inputs) + (2 if mode == "forward" else 1)
    second = MODES["forward"](derivative, rng).derivative
    assert [np.shape(x) for x in second.outputs] == [np.shape(x) for x in derivative.outputs]
