"""Autograd's three descents, on the leaves of a pytree as one vector."""

import numpy as np

from autograd.misc.flatten import flatten


def _of_vectors(descend):
    def optimize(grad, x0, callback=None, **options):
        x, unflatten = flatten(x0)
        for i, step in enumerate(descend(len(x), **options)):
            gradient = grad(unflatten(x), i)
            if callback:
                callback(unflatten(x), i, gradient)
            x = x + step(flatten(gradient)[0])
        return unflatten(x)

    return lambda grad, x0, callback=None, num_iters=None, step_size=None, **options: optimize(
        grad,
        x0,
        callback,
        **options,
        **{k: v for k, v in (("num_iters", num_iters), ("step_size", step_size)) if v is not None},
    )


@_of_vectors
def sgd(n, num_iters=200, step_size=0.1, mass=0.9):
    """Descent with momentum."""
    velocity = np.zeros(n)

    def step(g):
        nonlocal velocity
        velocity = mass * velocity - (1.0 - mass) * g
        return step_size * velocity

    for _ in range(num_iters):
        yield step


@_of_vectors
def rmsprop(n, num_iters=100, step_size=0.1, gamma=0.9, eps=1e-8):
    """Steps over the root of a mean of squares."""
    mean = np.ones(n)

    def step(g):
        nonlocal mean
        mean = mean * gamma + g**2 * (1 - gamma)
        return -step_size * g / (np.sqrt(mean) + eps)

    for _ in range(num_iters):
        yield step


@_of_vectors
def adam(n, num_iters=100, step_size=0.001, b1=0.9, b2=0.999, eps=1e-8):
    """Kingma and Ba's."""
    m, v = np.zeros(n), np.zeros(n)
    for i in range(1, num_iters + 1):

        def step(g, i=i):
            nonlocal m, v
            m = (1 - b1) * g + b1 * m
            v = (1 - b2) * g**2 + b2 * v
            return -step_size * (m / (1 - b1**i)) / (np.sqrt(v / (1 - b2**i)) + eps)

        yield step
