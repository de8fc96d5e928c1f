"""The problems of `compiled`: data, and functions of them as a user of this library writes them.

Each function here takes a dtype and returns a function and its arguments, pytrees of arrays.
`compiled_rivals` says the same in other libraries.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_ugan as ug
from tinygrad_ugan import bench

STEPS, LR = 5, 0.01
"""K and the inner step size of the games, but for A, B and C."""

CRITIC = (2, 64, 64, 1)
CLASSES = 8
IMAGE = (8, 8, 1)

leaky_relu = ug.nn.ACTIVATIONS["leaky_relu"]

FLOAT32, FLOAT64 = ("float32",), ("float64",)
BOTH = FLOAT32 + FLOAT64


class Problem(NamedTuple):
    """A part of the table.

    Attributes
    ----------
    title : str
    make : callable
        dtype -> function, arguments.
    dtypes : tuple of str
        Those that it is timed in.
    workload : bench.Workload, optional
        If it is one of these.
    """

    title: str
    make: Callable[[str], tuple[Callable[..., Any], tuple[Any, ...]]]
    dtypes: tuple[str, ...]
    workload: bench.Workload | None = None


def exact_gradient(workload, dtype, method="adjoint"):
    """That of game A, B or C."""
    theta_g, theta_d, *batch = dataclasses.replace(workload, dtype=dtype).arrays()

    def gradient(theta_g, theta_d, real, noise):
        given = workload.game, theta_g, theta_d, ug.gan.Batch(real, noise)
        return ug.unroll.value_and_grad(*given, steps=workload.steps, lr=workload.lr, method=method)

    return gradient, (theta_g, theta_d, *batch)


def wgan_gp(dtype):
    """The exact gradient of an unrolled WGAN-GP."""
    rng = np.random.default_rng(0)
    generator, critic = ug.nn.MLP((32, 64, 64, 2)), ug.nn.MLP(CRITIC)
    penalty = ug.gan.penalties.GradientPenalty()
    game = ug.gan.Penalized(ug.gan.Game(generator, critic, "wasserstein"), penalty)
    real, noise = rng.standard_normal((256, 2), dtype), rng.standard_normal((256, 32), dtype)
    line = game.draw(rng, ug.gan.FullBatch(real, noise))["line"]

    def gradient(theta_g, theta_d, real, noise, line):
        batch = ug.gan.FullBatch(real, noise, drawn={"line": line})
        return unrolled(game, theta_g, theta_d, batch)

    return gradient, (generator.init(rng, dtype), critic.init(rng, dtype), real, noise, line)


def conditional(dtype):
    """The exact gradient of a conditional GAN with batch normalisation in the generator."""
    rng = np.random.default_rng(0)
    norm = ug.nn.BatchNorm(64)
    layers = ug.nn.MLP((16 + CLASSES, 64)), norm, np.tanh, ug.nn.MLP((64, 64)), norm, np.tanh
    generator = ug.nn.Sequential(*layers, ug.nn.MLP((64, 2)))
    discriminator = ug.nn.MLP((2 + CLASSES, 64, 64, 1))
    game = ug.gan.Game(generator, discriminator, classes=CLASSES)
    real, noise = rng.standard_normal((256, 2), dtype), rng.standard_normal((256, 16), dtype)

    def gradient(theta_g, theta_d, real, noise):
        return unrolled(game, theta_g, theta_d, ug.gan.FullBatch(real, noise, labels()))

    return gradient, (generator.init(rng, dtype), discriminator.init(rng, dtype), real, noise)


def labels():
    """The classes of a batch: constants, whose one-hot rows the networks see."""
    return np.arange(256) % CLASSES


def convolutional(dtype):
    """The exact gradient of a small convolutional GAN on images of 8 x 8."""
    rng = np.random.default_rng(0)

    def layer(*shape):
        w = rng.standard_normal(shape, dtype) / np.sqrt(np.prod(shape[:-1]), dtype=dtype)
        return {"w": w, "b": 0.1 * rng.standard_normal(shape[-1], dtype)}

    def convolution(layer, x, stride):
        return ug.nn.conv(x, layer["w"], stride, padding=1) + layer["b"]

    def generator(theta, z):
        first, last = theta
        x = np.reshape(np.tanh(z @ first["w"] + first["b"]), (-1, 4, 4, 16))
        return np.tanh(convolution(last, ug.nn.upsample(x, 2), stride=1))

    def discriminator(theta, x):
        first, second, last = theta
        x = leaky_relu(convolution(first, x, stride=2))
        x = leaky_relu(convolution(second, x, stride=2))
        return np.reshape(x, (-1, 2 * 2 * 32)) @ last["w"] + last["b"]

    theta_g = [layer(16, 4 * 4 * 16), layer(3, 3, 16, 1)]
    theta_d = [layer(3, 3, 1, 16), layer(3, 3, 16, 32), layer(2 * 2 * 32, 1)]
    real, noise = rng.standard_normal((64, *IMAGE), dtype), rng.standard_normal((64, 16), dtype)
    game = ug.gan.Game(generator, discriminator)

    def gradient(theta_g, theta_d, real, noise):
        return unrolled(game, theta_g, theta_d, ug.gan.Batch(real, noise))

    return gradient, (theta_g, theta_d, real, noise)


class DCGAN(NamedTuple):
    """A GAN whose images grow and shrink by convolutions of stride 2.

    Attributes
    ----------
    start : int
        Height and width of the generator's first image, and of the discriminator's last one.
    up, down : tuple of int
        Channels in the generator and in the discriminator.
    kernel, padding : int
    """

    start: int
    up: tuple[int, ...]
    down: tuple[int, ...]
    kernel: int
    padding: int


FACES = DCGAN(start=7, up=(32, 16, 1), down=(1, 16, 32), kernel=5, padding=2)  # 7, 13, 25
DIGITS = DCGAN(start=2, up=(32, 16, 3), down=(3, 8, 16), kernel=4, padding=1)  # 2, 4, 8


def dcgan(dtype, shape):
    """The exact gradient of a GAN after Radford et al. (2015), of a few layers."""
    rng = np.random.default_rng(0)

    def stack(layer, channels):
        for n_in, n_out in itertools.pairwise(channels):
            yield layer(n_in, n_out, shape.kernel, stride=2, padding=shape.padding)
            yield leaky_relu

    first = shape.start, shape.start, shape.up[0]
    dense = ug.nn.MLP((32, math.prod(first))), ug.nn.Reshape(first), ug.nn.BatchNorm(first[-1])
    *layers, _ = stack(ug.nn.ConvTranspose, shape.up)
    generator = ug.nn.Sequential(*dense, leaky_relu, *layers, np.tanh)
    flat = shape.start**2 * shape.down[-1]
    layers = stack(ug.nn.Conv, shape.down)
    discriminator = ug.nn.Sequential(*layers, ug.nn.Reshape((flat,)), ug.nn.MLP((flat, 1)))
    game = ug.gan.Game(generator, discriminator)
    theta_g, theta_d = generator.init(rng, dtype), discriminator.init(rng, dtype)
    noise = rng.standard_normal((64, 32), dtype)
    real = rng.standard_normal(generator(theta_g, noise).shape, dtype)

    def gradient(theta_g, theta_d, real, noise):
        return unrolled(game, theta_g, theta_d, ug.gan.Batch(real, noise))

    return gradient, (theta_g, theta_d, real, noise)


def unrolled(game, theta_g, theta_d, batch):
    given = game, theta_g, theta_d, batch
    return ug.unroll.value_and_grad(*given, steps=STEPS, lr=LR, method="adjoint")


def recurrent(dtype, *, scan):
    """The gradient of a recurrent network of 50 steps."""
    rng = np.random.default_rng(0)
    weights = {
        "w": 0.1 * rng.standard_normal((16, 16), dtype),
        "u": rng.standard_normal((4, 16), dtype),
    }

    def loss(weights, h, xs):
        def step(h, x):
            return np.tanh(h @ weights["w"] + x @ weights["u"]), None

        if scan:
            h, _ = ug.scan(step, h, xs)
        else:
            for x in xs:
                h, _ = step(h, x)
        return np.mean(h**2)

    return ug.grad(loss), (
        weights,
        np.zeros((8, 16), dtype),
        rng.standard_normal((50, 8, 4), dtype),
    )


def newton(dtype):
    """A Newton step of a regularised logistic regression."""
    rng = np.random.default_rng(0)

    def step(w, x, y):
        def loss(w):
            return np.mean(np.logaddexp(0, -y * (x @ w))) + 0.5e-3 * np.sum(w**2)

        return w - np.linalg.solve(ug.hessian(loss)(w), ug.grad(loss)(w))

    y = rng.choice([-1.0, 1.0], 200).astype(dtype)
    return step, (np.zeros(5, dtype), rng.standard_normal((200, 5), dtype), y)


def hvp(dtype, sizes, rows):
    """The Hessian of an MLP's mean square, times a direction."""
    rng = np.random.default_rng(0)
    network = ug.nn.MLP(sizes)

    def product(theta, direction, x):
        return ug.hvp(lambda theta: np.mean(network(theta, x) ** 2), theta, direction)

    theta, direction = network.init(rng, dtype), network.init(rng, dtype)
    return product, (theta, direction, rng.standard_normal((rows, sizes[0]), dtype))


def chain(dtype):
    """The gradient of twenty operations on a million numbers."""

    def total(x):
        for _ in range(5):
            x = np.tanh(x) * 1.1 + np.sin(x)
        return np.sum(x)

    return ug.grad(total), (np.random.default_rng(0).standard_normal(1_000_000, dtype),)


def softmax(dtype):
    """The gradient of a cross-entropy over 10,000 rows of 100 logits."""
    rng = np.random.default_rng(0)

    def loss(logits, labels):
        return -np.mean(ug.log_softmax(logits, axis=-1)[np.arange(10_000), labels])

    def gradient(logits, labels):
        return ug.grad(lambda logits: loss(logits, labels))(logits)

    return gradient, (
        rng.standard_normal((10_000, 100), dtype),
        rng.integers(100, size=10_000),
    )


def _games():
    for name, workload in bench.WORKLOADS.items():
        for steps in (0, 1, 5, 10):
            of_steps = dataclasses.replace(workload, steps=steps)
            make = functools.partial(exact_gradient, of_steps)
            yield f"{name}{steps}", Problem(f"game {name}, K = {steps}", make, BOTH, of_steps)


#: By the names of the command line.
PROBLEMS = {
    **dict(_games()),
    "wgan-gp": Problem("WGAN-GP, K = 5", wgan_gp, FLOAT32),
    "conditional": Problem("conditional GAN, batch norm. in G, K = 5", conditional, FLOAT32),
    "convolutional": Problem("convolutional GAN, 8 x 8, K = 5", convolutional, FLOAT32),
    "faces": Problem("face GAN, 25 x 25, K = 5", functools.partial(dcgan, shape=FACES), BOTH),
    "stacked-digits": Problem(
        "GAN of stacked digits, 8 x 8 x 3, K = 5", functools.partial(dcgan, shape=DIGITS), BOTH
    ),
    "rnn": Problem("RNN of 50 steps, a loop", functools.partial(recurrent, scan=False), FLOAT64),
    "rnn-scan": Problem(
        "RNN of 50 steps, `scan`", functools.partial(recurrent, scan=True), FLOAT64
    ),
    "newton": Problem("Newton step, logistic regression, 200 x 5", newton, FLOAT64),
    "hvp": Problem(
        "Hessian-vector product, MLP 2-128-128-1, batch 512",
        functools.partial(hvp, sizes=(2, 128, 128, 1), rows=512),
        FLOAT32,
    ),
    "hvp-small": Problem(
        "Hessian-vector product, MLP 2-16-1, batch 32",
        functools.partial(hvp, sizes=(2, 16, 1), rows=32),
        FLOAT32,
    ),
    "chain": Problem("chain of 20 operations on 1e6 numbers", chain, BOTH),
    "softmax": Problem("softmax cross-entropy, 1e4 x 100", softmax, BOTH),
}
