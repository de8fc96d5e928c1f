"""A tensor never changes: its copy is itself, with its derivative, and it cannot be pickled."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot
from tinygrad_ugan.errors import NotDifferentiableError

X = np.array([0.5, -1.0, 2.0])
COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "deepcopy of a list": lambda x: copy.deepcopy([x])[0],
    "deepcopy of a nested dict": lambda x: copy.deepcopy({"layers": [{"w": (x,)}]})["layers"][0][
        "w"
    ][0],
    "copy of a dict": lambda x: copy.copy({"w": x})["w"],
    "np.copy": np.copy,
    "method": lambda x: x.copy(),
    "positive": lambda x: +x,
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_keeps_its_derivative(duplicate):
    def f(x):
        return np.sum(duplicate(x) ** 3)

    np.testing.assert_array_equal(ug.grad(f)(X), 3 * X**2)
    assert ug.jvp(f, (X,), (X,))[1] == np.sum(3 * X**3)
    np.testing.assert_array_equal(ug.hvp(f, X, X), 6 * X * X)


def test_a_copy_within_nested_transforms_keeps_both_derivatives():
    def inner(x, y):
        return np.sum(copy.deepcopy(x) ** 2 * copy.deepcopy(y))

    mixed = ug.grad(lambda y: np.sum(ug.grad(inner)(copy.deepcopy(X), y) * X))(X)
    np.testing.assert_array_equal(mixed, 2 * X * X)


def test_deepcopy_meets_one_tensor_twice():
    def f(x):
        first, second = copy.deepcopy([x, x])
        return np.sum(first * second)

    np.testing.assert_array_equal(ug.grad(f)(X), 2 * X)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol):
    with pytest.raises(NotDifferentiableError, match=r"pickled.*stop_gradient"):
        ug.grad(lambda x: pickle.dumps({"w": x}, protocol))(X)


def inner(theta_g, theta_d, batch):
    """An objective that D ascends, of somebody who copies parameters first, as PyTorch users do."""
    w = copy.deepcopy(theta_d)
    return np.sum(np.tanh(w["w"] * batch) * theta_g["g"]) - 0.5 * np.sum(w["w"] ** 2)


def outer(theta_g, theta_d, batch):
    saved = {key: copy.copy(value) for key, value in theta_d.items()}
    return np.sum(saved["w"] * theta_g["g"]) + np.sum(np.cos(saved["w"]) * batch)


GAME = ug.unroll.Game(inner, outer)
THETA_G, THETA_D = {"g": np.array([0.3, -0.7])}, {"w": np.array([0.2, 0.9])}
BATCH = np.array([1.1, -0.4])
SETTINGS = {"steps": 3, "lr": 0.3}


def by_hand(theta_g):
    theta = copy.deepcopy(THETA_D)
    for _ in range(SETTINGS["steps"]):
        g = ug.grad(inner, argnums=1)(theta_g, theta, BATCH)
        theta = {"w": theta["w"] + SETTINGS["lr"] * g["w"]}
    return outer(theta_g, copy.deepcopy(theta), BATCH)


@pytest.mark.parametrize("method", ["tape", "adjoint", "forward", "auto"])
def test_unroll_of_a_game_that_copies(method):
    _, gradient = ug.unroll.value_and_grad(GAME, THETA_G, THETA_D, BATCH, method=method, **SETTINGS)
    v = {"g": np.array([0.6, 0.8])}
    numeric = directional_derivative(by_hand, THETA_G, v)
    # what Richardson extrapolation leaves of a function of size one
    assert dot(gradient, v) == pytest.approx(numeric, rel=1e-8)
    assert dot(ug.grad(by_hand)(THETA_G), v) == pytest.approx(numeric, rel=1e-8)


def test_the_other_methods_of_a_game_that_copies():
    """The same numbers as the game without copies, whose methods have tests of their own."""
    plain = ug.unroll.Game(
        lambda g, d, b: np.sum(np.tanh(d["w"] * b) * g["g"]) - 0.5 * np.sum(d["w"] ** 2),
        lambda g, d, b: np.sum(d["w"] * g["g"]) + np.sum(np.cos(d["w"]) * b),
    )
    arguments = THETA_G, THETA_D, BATCH
    found, expected = (
        ug.unroll.value_and_grad(game, *arguments, method="detached", **SETTINGS)[1]["g"]
        for game in (GAME, plain)
    )
    np.testing.assert_array_equal(found, expected)
    terms, expected = (ug.unroll.decompose(game, *arguments, **SETTINGS) for game in (GAME, plain))
    np.testing.assert_array_equal(terms.indirect["g"], expected.indirect["g"])
    np.testing.assert_array_equal(terms.grad_lr, expected.grad_lr)
