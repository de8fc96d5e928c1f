"""The trajectories of optax and of PyTorch, where these are installed."""

import numpy as np
import optree
import pytest

from tinygrad_ugan import optim

STEPS = 12
START = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([0.1, -0.7])}
# Theirs stands beside the root, or beside the mean square: next to nothing either way.
EPS = 1e-14


def slope(x):
    return x**3 / 3 + np.sin(3 * x) + 0.1


def ours(optimizer):
    params, state = START, optimizer.init(START)
    for _ in range(STEPS):
        grads = optree.tree_map(slope, params)
        params, state = optim.descend(optimizer, grads, state, params)
    return params


def check(found, expected, rtol=1e-9):
    for name, x in START.items():
        np.testing.assert_allclose(found[name], np.asarray(expected[name]), rtol=rtol)
        assert np.abs(found[name] - x).min() > 1e-3


OPTAX = {
    "sgd": (optim.SGD(0.1), lambda o: o.sgd(0.1)),
    "momentum": (optim.Momentum(0.05, 0.7), lambda o: o.sgd(0.05, momentum=0.7)),
    "nesterov": (
        optim.Nesterov(0.05, 0.7),
        lambda o: o.sgd(0.05, momentum=0.7, nesterov=True),
    ),
    "optimistic": (optim.Optimistic(0.05), lambda o: o.optimistic_gradient_descent(0.05)),
    "rmsprop": (
        optim.RMSprop(0.05, 0.8, EPS),
        lambda o: o.rmsprop(0.05, decay=0.8, eps=EPS**2),
    ),
    "adam": (optim.Adam(0.05, 0.6, 0.8, EPS), lambda o: o.adam(0.05, 0.6, 0.8, EPS)),
    "adamw": (
        optim.AdamW(0.05, 0.6, 0.8, EPS, weight_decay=0.2),
        lambda o: o.adamw(0.05, 0.6, 0.8, EPS, weight_decay=0.2),
    ),
    "chain": (
        optim.chain(optim.clip_by_norm(2.0), optim.add_decayed_weights(0.3), optim.Momentum(0.05)),
        lambda o: o.chain(
            o.clip_by_global_norm(2.0), o.add_decayed_weights(0.3), o.sgd(0.05, momentum=0.9)
        ),
    ),
    "linear": (
        optim.SGD(optim.LinearSchedule(0.1, 0.02, 8)),
        lambda o: o.sgd(o.linear_schedule(0.1, 0.02, 8)),
    ),
    "cosine": (
        optim.Adam(optim.CosineSchedule(0.1, 20, 0.02), eps=EPS),
        lambda o: o.adam(o.cosine_decay_schedule(0.1, 20, 0.2), eps=EPS),
    ),
    "exponential": (
        optim.Momentum(optim.ExponentialSchedule(0.1, 0.5, 4)),
        lambda o: o.sgd(o.exponential_decay(0.1, 4, 0.5), momentum=0.9),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_optax(name):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    optimizer, theirs = OPTAX[name]
    with jax.enable_x64(True):
        made = theirs(optax)
        params = optree.tree_map(jax.numpy.asarray, START)
        state = made.init(params)
        for _ in range(STEPS):
            grads = optree.tree_map(lambda x: jax.numpy.asarray(slope(np.asarray(x))), params)
            updates, state = made.update(grads, state, params)
            params = optax.apply_updates(params, updates)
    in_float32 = name in ("linear", "exponential")  # optax computes these two schedules in it
    check(ours(optimizer), params, 1e-6 if in_float32 else 1e-9)


DECAYED = optim.add_decayed_weights(0.2)
TORCH = {
    "sgd": (optim.chain(DECAYED, optim.SGD(0.1)), "SGD", {"lr": 0.1, "weight_decay": 0.2}),
    "momentum": (optim.Momentum(0.05, 0.7), "SGD", {"lr": 0.05, "momentum": 0.7}),
    "nesterov": (
        optim.Nesterov(0.05, 0.7),
        "SGD",
        {"lr": 0.05, "momentum": 0.7, "nesterov": True},
    ),
    "rmsprop": (
        optim.RMSprop(0.05, 0.8, EPS),
        "RMSprop",
        {"lr": 0.05, "alpha": 0.8, "eps": EPS},
    ),
    "adam": (
        optim.chain(DECAYED, optim.Adam(0.05, 0.6, 0.8, EPS)),
        "Adam",
        {"lr": 0.05, "betas": (0.6, 0.8), "eps": EPS, "weight_decay": 0.2},
    ),
    "adamw": (
        optim.AdamW(0.05, 0.6, 0.8, EPS, weight_decay=0.2),
        "AdamW",
        {"lr": 0.05, "betas": (0.6, 0.8), "eps": EPS, "weight_decay": 0.2},
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch(name):
    torch = pytest.importorskip("torch")
    optimizer, kind, settings = TORCH[name]
    params = {name: torch.tensor(x, requires_grad=True) for name, x in START.items()}
    theirs = getattr(torch.optim, kind)(params.values(), **settings)
    for _ in range(STEPS):
        for x in params.values():
            x.grad = torch.tensor(slope(x.detach().numpy()))
        theirs.step()
    check(ours(optimizer), {name: x.detach().numpy() for name, x in params.items()})
