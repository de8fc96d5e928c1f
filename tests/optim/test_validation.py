"""Optimisers that change what they must keep are refused, in real steps and in unrolled ones."""

from typing import Any, NamedTuple

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError


class Changing(NamedTuple):
    """Momentum that makes something else of its updates or its state."""

    change: Any

    def init(self, params):
        return {"v": optree.tree_map(np.zeros_like, params), "n": 0}

    def update(self, grads, state, params):
        v = optree.tree_map(lambda v, g: 0.5 * v + g, state["v"], grads)
        updates = optree.tree_map(lambda v: -0.1 * v, v)
        return self.change(updates, {"v": v, "n": state["n"] + 1})


def float64(tree):
    return optree.tree_map(lambda x: x.astype(np.float64), tree)


STATE = r"optimizer, .*Changing's state"
CHANGES = [
    (lambda updates, state: (updates, {**state, "more": 0}), STATE + ": .*'more'"),
    (lambda updates, state: (updates, state["v"]), STATE + ": expected the structure"),
    (
        lambda updates, state: (updates, {**state, "v": float64(state["v"])}),
        STATE + r"\['v'\]\[0\]\['b'\]: expected float32 of shape \(1,\), as before .*float64",
    ),
    (
        lambda updates, state: (updates, {**state, "n": state["n"] + 0.5}),
        STATE + r"\['n'\]: expected int64 of shape \(\), as before the update, got float64",
    ),
    (
        lambda updates, state: (updates, optree.tree_map(lambda x: np.stack([x, x]), state)),
        STATE + r"\['n'\]: .*got int64 of shape \(2,\)",
    ),
    (
        lambda updates, state: (float64(updates), state),
        r"optimizer, .*Changing's updates\[0\]\['b'\]: expected float32 .* as params are",
    ),
    (lambda updates, state: (updates[:1] + updates, state), "Changing's updates: .*structure"),
    (lambda updates, state: updates, r"expected the pair \(updates, state\), got a list from"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_what_changes_is_named(change, words, rng):
    game = ug.gan.Game(ug.nn.MLP((2, 2)), ug.nn.MLP((2, 1)))
    theta_g, theta_d = (n.init(rng, np.float32) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(*(rng.standard_normal((4, 2)).astype(np.float32) for _ in range(2)))
    optimizer = Changing(change)
    with pytest.raises(ArgumentError, match=words):
        optim.descend(optimizer, theta_d, optimizer.init(theta_d), theta_d)
    for method in ("adjoint", "tape", "forward", "detached", "auto"):
        with pytest.raises(ArgumentError, match=words):
            ug.unroll.value_and_grad(
                game, theta_g, theta_d, batch, steps=2, optimizer=optimizer, method=method
            )


def test_traced_settings_do_not_widen_what_is_remembered():
    theta = np.ones(3, np.float32)

    def final(momentum):
        optimizer = optim.Momentum(0.1, momentum)
        state, params = optimizer.init(theta), theta
        for _ in range(2):
            params, state = optim.descend(optimizer, params, state, params)
        assert state.velocity.dtype == params.dtype == np.float32
        return params.sum()

    assert ug.grad(final)(0.5) == pytest.approx(-0.3, rel=1e-6)


@pytest.mark.parametrize("lr", [lambda step: np.float64(0.1), np.float64(0.1)])
def test_numbers_of_numpy_do_not_widen_float32(lr):
    theta = np.ones(3, np.float32)
    for optimizer in (optim.RMSprop(lr), optim.chain(optim.SGD(1.0), optim.scale(lr))):
        after, _ = optim.descend(optimizer, theta, optimizer.init(theta), theta)
        assert after.dtype == np.float32
