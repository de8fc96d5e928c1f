"""The contenders of `compiled`: the problems in each library, as an expert writes them for speed.

JAX and PyTorch are imported only where they are asked for.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import optree
from compiled_problems import CLASSES, DIGITS, FACES, LR, PROBLEMS, STEPS, labels

import tinygrad_ugan as ug
from tinygrad_ugan import bench
from tinygrad_ugan.bench import libraries

ONE_HOT = np.eye(CLASSES)[labels()]


def calls(contender, name, dtype):
    """Calls without arguments for a problem; the fastest of them counts.

    Raises
    ------
    UnsuitableError
        If the contender has nothing for it.
    """
    if contender.startswith("jax"):
        return calls_of_jax(name, dtype)
    if contender.startswith("torch"):
        return calls_of_torch(name, dtype, compiled=contender == "torch.compile")
    return calls_of_ours(name, dtype, contender)


def calls_of_ours(name, dtype, contender):
    """The function as it is, compiled, or by the kernels' own sweep, which A, B and C have."""
    problem = PROBLEMS[name]
    if contender == "kernels":
        if not problem.workload:
            raise bench.UnsuitableError("the kernels have a sweep for games between MLPs only")
        f, arguments = problem.make(dtype, method="fused")
    else:
        f, arguments = problem.make(dtype)
    if contender == "compiled":
        f = ug.compile(f)
    return [lambda: f(*arguments)]


def calls_of_jax(name, dtype):
    """In one jit, in each form that may be the fastest."""
    import jax

    problem = PROBLEMS[name]
    if problem.workload:
        return libraries.jax_calls(dataclasses.replace(problem.workload, dtype=dtype))
    jax.config.update("jax_enable_x64", True)
    arguments = optree.tree_map(jax.numpy.asarray, problem.make(dtype)[1])

    def call(compiled):
        return jax.block_until_ready(compiled(*arguments))

    return [functools.partial(call, jax.jit(f)) for f in in_jax()[name]]


def calls_of_torch(name, dtype, *, compiled):
    """Eager, or in one compiled graph."""
    import torch

    problem = PROBLEMS[name]
    if problem.workload:
        make = bench.RIVALS["torch.compile" if compiled else "torch"]
        return [make(dataclasses.replace(problem.workload, dtype=dtype))]
    functions = in_torch(by_transform if compiled else by_tape)
    if name not in functions:
        raise bench.UnsuitableError("PyTorch has no such loop")
    f, arguments = functions[name], optree.tree_map(torch.from_numpy, problem.make(dtype)[1])
    if compiled:
        torch.compiler.reset()  # a program of its own for every problem
        f = torch.compile(f, fullgraph=True)
    return [lambda: f(*arguments)]


def in_jax():
    """Functions of the problems' arguments; the games with the K steps unrolled, and scanned."""
    import jax
    from jax import lax
    from jax import numpy as jnp
    from jax.nn import log_sigmoid

    def mlp(theta, x):
        for layer in theta[:-1]:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return x @ theta[-1]["w"] + theta[-1]["b"]

    def minimax(r, s):
        return log_sigmoid(r).mean() + log_sigmoid(-s).mean()

    def unrolled(value_of, theta_g, theta_d, generate, scan):
        """Value and gradient of ``outer``, with value_of(samples) -> inner, outer."""

        def f_K(theta_g):
            inner, outer = value_of(generate(theta_g))

            def step(theta, _):
                g = jax.grad(inner)(theta)
                return jax.tree.map(lambda p, g: p + LR * g, theta, g), None

            theta = theta_d
            if scan:
                theta, _ = lax.scan(step, theta, None, length=STEPS)
            else:
                for _ in range(STEPS):
                    theta, _ = step(theta, None)
            return outer(theta)

        return jax.value_and_grad(f_K)(theta_g)

    def wgan_gp(theta_g, theta_d, real, noise, line, scan):
        def value_of(fake):
            def plain(theta):
                return mlp(theta, real).mean() - mlp(theta, fake).mean()

            def penalized(theta):
                points = fake + line * (real - fake)
                slopes = jax.grad(lambda x: mlp(theta, x).sum())(points)
                norms = jnp.sqrt((slopes**2).sum(axis=1))
                return plain(theta) - 10 * ((norms - 1) ** 2).mean()

            return penalized, plain

        return unrolled(value_of, theta_g, theta_d, lambda theta: mlp(theta, noise), scan)

    def normalized(layer, x):
        mean = x.mean(axis=0)
        var = ((x - mean) ** 2).mean(axis=0)
        return (x - mean) * (layer["scale"] / jnp.sqrt(var + 1e-5)) + layer["shift"]

    def conditional(theta_g, theta_d, real, noise, scan):
        classes = jnp.asarray(ONE_HOT, real.dtype)

        def generate(theta):
            x = jnp.concatenate([noise, classes], axis=1)
            for i in (0, 3):
                x = jnp.tanh(normalized(theta[i + 1], mlp(theta[i], x)))
            return mlp(theta[6], x)

        def value_of(fake):
            def value(theta):
                r, s = (mlp(theta, jnp.concatenate([x, classes], axis=1)) for x in (real, fake))
                return minimax(r, s)

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate, scan)

    def conv(layer, x, stride, padding):
        border, layout = 2 * ((padding, padding),), ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, layer["w"], stride, border, dimension_numbers=layout)
        return y + layer["b"]

    def conv_transpose(layer, x, padding):
        """The transpose of a convolution of stride 2: one of x with zeros in between."""
        w, border = layer["w"][::-1, ::-1], layer["w"].shape[0] - 1 - padding
        layout = ("NHWC", "HWOI", "NHWC")
        y = lax.conv_general_dilated(
            *(x, w, (1, 1), 2 * ((border, border),), (2, 2)), dimension_numbers=layout
        )
        return y + layer["b"]

    def convolutional(theta_g, theta_d, real, noise, scan):
        def generate(theta):
            x = jnp.tanh(mlp(theta[:1], noise)).reshape(-1, 4, 4, 16)
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            return jnp.tanh(conv(theta[1], x, (1, 1), 1))

        def logits(theta, x):
            for layer in theta[:2]:
                x = jax.nn.leaky_relu(conv(layer, x, (2, 2), 1))
            return mlp(theta[2:], x.reshape(len(x), -1))

        def value_of(fake):
            def value(theta):
                return minimax(logits(theta, real), logits(theta, fake))

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate, scan)

    def dcgan(theta_g, theta_d, real, noise, scan, shape):
        def generate(theta):
            dense, _, norm, _, *layers = theta
            x = mlp(dense, noise).reshape(-1, shape.up[0])
            x = normalized(norm, x).reshape(-1, shape.start, shape.start, shape.up[0])
            for layer in layers[::2]:
                x = conv_transpose(layer, jax.nn.leaky_relu(x), shape.padding)
            return jnp.tanh(x)

        def logits(theta, x):
            *layers, _, last = theta
            for layer in layers[::2]:
                x = jax.nn.leaky_relu(conv(layer, x, (2, 2), shape.padding))
            return mlp(last, x.reshape(len(x), -1))

        def value_of(fake):
            def value(theta):
                return minimax(logits(theta, real), logits(theta, fake))

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate, scan)

    def recurrent(weights, h, xs, scan):
        def loss(weights):
            def step(h, x):
                return jnp.tanh(h @ weights["w"] + x @ weights["u"]), None

            last = h
            if scan:
                last, _ = lax.scan(step, last, xs)
            else:
                for x in xs:
                    last, _ = step(last, x)
            return (last**2).mean()

        return jax.grad(loss)(weights)

    def newton(w, x, y):
        def loss(w):
            return jnp.logaddexp(0, -y * (x @ w)).mean() + 0.5e-3 * (w**2).sum()

        return w - jnp.linalg.solve(jax.hessian(loss)(w), jax.grad(loss)(w))

    def hvp(theta, direction, x):
        gradient = jax.grad(lambda theta: (mlp(theta, x) ** 2).mean())
        return jax.jvp(gradient, (theta,), (direction,))[1]

    def chain(x):
        for _ in range(5):
            x = jnp.tanh(x) * 1.1 + jnp.sin(x)
        return x.sum()

    def softmax(logits, labels):
        def loss(logits):
            return -jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels].mean()

        return jax.grad(loss)(logits)

    def both(f):
        return [functools.partial(f, scan=scan) for scan in (False, True)]

    return {
        "wgan-gp": both(wgan_gp),
        "conditional": both(conditional),
        "convolutional": both(convolutional),
        "faces": both(functools.partial(dcgan, shape=FACES)),
        "stacked-digits": both(functools.partial(dcgan, shape=DIGITS)),
        "rnn": [functools.partial(recurrent, scan=False)],
        "rnn-scan": [functools.partial(recurrent, scan=True)],
        "newton": [newton],
        "hvp": [hvp],
        "hvp-small": [hvp],
        "chain": [jax.grad(chain)],
        "softmax": [softmax],
    }


def in_torch(grad):
    """Functions of the problems' arguments, with ``grad(f, last=False)`` to differentiate."""
    import torch
    from torch.nn import functional
    from torch.nn.functional import logsigmoid

    def affine(layer, x):
        return torch.addmm(layer["b"], x, layer["w"])

    def mlp(theta, x):
        for layer in theta[:-1]:
            x = torch.tanh(affine(layer, x))
        return affine(theta[-1], x)

    def minimax(r, s):
        return logsigmoid(r).mean() + logsigmoid(-s).mean()

    def unrolled(value_of, theta_g, theta_d, generate):
        """Value and gradient of ``outer``, with value_of(samples) -> inner, outer."""

        def f_K(theta_g):
            (inner, outer), theta = value_of(generate(theta_g)), theta_d
            for _ in range(STEPS):
                _, g = grad(inner)(theta)
                theta = optree.tree_map(lambda p, g: torch.add(p, g, alpha=LR), theta, g)
            return outer(theta)

        return grad(f_K, last=True)(theta_g)

    def wgan_gp(theta_g, theta_d, real, noise, line):
        def value_of(fake):
            def plain(theta):
                return mlp(theta, real).mean() - mlp(theta, fake).mean()

            def penalized(theta):
                points = fake + line * (real - fake)
                _, slopes = grad(lambda x: mlp(theta, x).sum())(points)
                norms = (slopes**2).sum(1).sqrt()
                return plain(theta) - 10 * ((norms - 1) ** 2).mean()

            return penalized, plain

        return unrolled(value_of, theta_g, theta_d, lambda theta: mlp(theta, noise))

    def normalized(layer, x):
        return functional.batch_norm(x, None, None, layer["scale"], layer["shift"], True)

    def conditional(theta_g, theta_d, real, noise):
        classes = torch.from_numpy(ONE_HOT).to(real.dtype)

        def generate(theta):
            x = torch.cat([noise, classes], 1)
            for i in (0, 3):
                x = torch.tanh(normalized(theta[i + 1], mlp(theta[i], x)))
            return mlp(theta[6], x)

        def value_of(fake):
            def value(theta):
                return minimax(*(mlp(theta, torch.cat([x, classes], 1)) for x in (real, fake)))

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate)

    def conv(layer, x, stride, padding):
        return functional.conv2d(x, layer["w"].permute(3, 2, 0, 1), layer["b"], stride, padding)

    def conv_transpose(layer, x, padding):
        w = layer["w"].permute(3, 2, 0, 1)
        return functional.conv_transpose2d(x, w, layer["b"], 2, padding)

    def convolutional(theta_g, theta_d, real, noise):
        real = real.permute(0, 3, 1, 2)

        def generate(theta):
            x = torch.tanh(mlp(theta[:1], noise)).reshape(-1, 4, 4, 16).permute(0, 3, 1, 2)
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            return torch.tanh(conv(theta[1], x, 1, 1))

        def logits(theta, x):
            for layer in theta[:2]:
                x = functional.leaky_relu(conv(layer, x, 2, 1))
            return mlp(theta[2:], x.permute(0, 2, 3, 1).reshape(len(x), -1))

        def value_of(fake):
            def value(theta):
                return minimax(logits(theta, real), logits(theta, fake))

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate)

    def dcgan(theta_g, theta_d, real, noise, shape):
        real = real.permute(0, 3, 1, 2)

        def generate(theta):
            dense, _, norm, _, *layers = theta
            x = mlp(dense, noise).reshape(-1, shape.start, shape.start, shape.up[0])
            x = normalized(norm, x.permute(0, 3, 1, 2))
            for layer in layers[::2]:
                x = conv_transpose(layer, functional.leaky_relu(x), shape.padding)
            return torch.tanh(x)

        def logits(theta, x):
            *layers, _, last = theta
            for layer in layers[::2]:
                x = functional.leaky_relu(conv(layer, x, 2, shape.padding))
            return mlp(last, x.permute(0, 2, 3, 1).reshape(len(x), -1))

        def value_of(fake):
            def value(theta):
                return minimax(logits(theta, real), logits(theta, fake))

            return value, value

        return unrolled(value_of, theta_g, theta_d, generate)

    def recurrent(weights, h, xs):
        def loss(weights):
            last = h
            for x in xs:
                last = torch.tanh(last @ weights["w"] + x @ weights["u"])
            return (last**2).mean()

        return grad(loss, last=True)(weights)[1]

    def newton(w, x, y):
        def loss(w):
            return functional.softplus(-y * (x @ w)).mean() + 0.5e-3 * (w**2).sum()

        return w - torch.linalg.solve(torch.func.hessian(loss)(w), torch.func.grad(loss)(w))

    def hvp(theta, direction, x):
        def slope(theta):
            _, g = grad(lambda theta: (mlp(theta, x) ** 2).mean())(theta)
            pairs = zip(optree.tree_leaves(g), optree.tree_leaves(direction), strict=True)
            return sum((a * b).sum() for a, b in pairs)

        return grad(slope, last=True)(theta)[1]

    def chain(x):
        def total(x):
            for _ in range(5):
                x = torch.tanh(x) * 1.1 + torch.sin(x)
            return x.sum()

        return grad(total, last=True)(x)[1]

    def softmax(logits, labels):
        return grad(lambda x: functional.cross_entropy(x, labels), last=True)(logits)[1]

    return {
        "wgan-gp": wgan_gp,
        "conditional": conditional,
        "convolutional": convolutional,
        "faces": functools.partial(dcgan, shape=FACES),
        "stacked-digits": functools.partial(dcgan, shape=DIGITS),
        "rnn": recurrent,
        "newton": newton,
        "hvp": hvp,
        "hvp-small": hvp,
        "chain": chain,
        "softmax": softmax,
    }


def by_tape(f, last=False):
    """Value and gradient by ``torch.autograd``; the tape is kept unless it is the last."""
    import torch

    def value_and_gradient(params):
        leaves, treedef = optree.tree_flatten(params)
        leaves = [x if x.requires_grad else x.detach().requires_grad_() for x in leaves]
        value = f(optree.tree_unflatten(treedef, leaves))
        g = torch.autograd.grad(value, leaves, create_graph=not last)
        return value.detach() if last else value, optree.tree_unflatten(treedef, g)

    return value_and_gradient


def by_transform(f, last=False):
    """Value and gradient by ``torch.func``: `torch.compile` does not differentiate by the tape."""
    import torch

    def value_and_gradient(params):
        gradient, value = torch.func.grad_and_value(f)(params)
        return value, gradient

    return value_and_gradient
