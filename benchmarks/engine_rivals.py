"""The problems as a user of each library would write them.

Every function here imports its library and returns, for each problem, a call without arguments
that does the work and returns a pytree of arrays.
"""

import functools

import engine_problems as problems
import numpy as np
import optree

import tinygrad_ugan as ug

LR, STEPS = problems.LR, problems.STEPS


def ours():
    data = problems.data()
    loss = functools.partial(problems.mlp_loss, np, x=data.x, y=data.y)
    logistic = functools.partial(problems.logistic_loss, np, x=data.points, y=data.labels)
    rnn = functools.partial(problems.rnn_loss, np, xs=data.xs, ys=data.ys)
    game = ug.gan.Game(ug.nn.MLP((16, 32, 32, 2)), ug.nn.MLP((2, 32, 32, 1)))
    batch = ug.gan.Batch(data.real, data.noise)

    def unrolled():
        return ug.unroll.value_and_grad(
            game, data.theta_g, data.theta_d, batch, steps=STEPS, lr=LR, method="tape"
        )[1]

    def newton():
        return data.w - np.linalg.solve(ug.hessian(logistic)(data.w), ug.grad(logistic)(data.w))

    return {
        "mlp": lambda: ug.grad(loss)(data.mlp),
        "hvp": lambda: ug.hvp(loss, data.mlp, data.mlp_direction),
        "unrolled": unrolled,
        "newton": newton,
        "rnn": lambda: ug.grad(rnn)(data.rnn),
    }


def autograd():
    import autograd.numpy as anp
    from autograd import grad, hessian

    data = problems.data()
    loss = functools.partial(problems.mlp_loss, anp, x=data.x, y=data.y)
    logistic = functools.partial(problems.logistic_loss, anp, x=data.points, y=data.labels)
    rnn = functools.partial(problems.rnn_loss, anp, xs=data.xs, ys=data.ys)

    def hvp():
        def slope(params):
            pairs = zip(grad(loss)(params), data.mlp_direction, strict=True)
            return sum(anp.sum(g[k] * v[k]) for g, v in pairs for k in v)

        return grad(slope)(data.mlp)

    def unrolled():
        ascent = grad(lambda theta, fake: problems.gan_value(anp, theta, data.real, fake))

        def value(theta_g):
            fake, theta = problems.mlp(anp, theta_g, data.noise), data.theta_d
            for _ in range(STEPS):
                pairs = zip(theta, ascent(theta, fake), strict=True)
                theta = [{k: p[k] + LR * g[k] for k in p} for p, g in pairs]
            return problems.gan_value(anp, theta, data.real, fake)

        return grad(value)(data.theta_g)

    def newton():
        return data.w - np.linalg.solve(hessian(logistic)(data.w), grad(logistic)(data.w))

    return {
        "mlp": lambda: grad(loss)(data.mlp),
        "hvp": hvp,
        "unrolled": unrolled,
        "newton": newton,
        "rnn": lambda: grad(rnn)(data.rnn),
    }


def jax_eager():
    import jax

    return _finished(jax, _jax(jax))


def jax_jit():
    import jax

    return _finished(jax, {name: (jax.jit(f), args) for name, (f, args) in _jax(jax).items()})


def _finished(jax, calls):
    """Calls that return when the numbers are there: JAX computes in the background."""
    return {
        name: lambda f=f, args=args: jax.block_until_ready(f(*args))
        for name, (f, args) in calls.items()
    }


def _jax(jax):
    """Functions and their arguments."""
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    data = jax.tree.map(jnp.asarray, vars(problems.data()))
    loss = functools.partial(problems.mlp_loss, jnp)
    logistic = functools.partial(problems.logistic_loss, jnp)
    rnn = functools.partial(problems.rnn_loss, jnp)

    def hvp(params, direction, x, y):
        return jax.jvp(jax.grad(lambda p: loss(p, x, y)), (params,), (direction,))[1]

    def unrolled(theta_g, theta_d, real, noise):
        ascent = jax.grad(lambda theta, fake: problems.gan_value(jnp, theta, real, fake))

        def value(theta_g):
            fake, theta = problems.mlp(jnp, theta_g, noise), theta_d
            for _ in range(STEPS):
                theta = jax.tree.map(lambda p, g: p + LR * g, theta, ascent(theta, fake))
            return problems.gan_value(jnp, theta, real, fake)

        return jax.grad(value)(theta_g)

    def newton(w, x, y):
        return w - jnp.linalg.solve(jax.hessian(logistic)(w, x, y), jax.grad(logistic)(w, x, y))

    def arguments(*names):
        return [data[name] for name in names]

    return {
        "mlp": (jax.grad(loss), arguments("mlp", "x", "y")),
        "hvp": (hvp, arguments("mlp", "mlp_direction", "x", "y")),
        "unrolled": (unrolled, arguments("theta_g", "theta_d", "real", "noise")),
        "newton": (newton, arguments("w", "points", "labels")),
        "rnn": (jax.grad(rnn), arguments("rnn", "xs", "ys")),
    }


def torch():
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    data = optree.tree_map(torch.tensor, vars(problems.data()))

    def mlp(params, x):
        for layer in params[:-1]:
            x = torch.tanh(functional.linear(x, layer["w"].T, layer["b"]))
        return functional.linear(x, params[-1]["w"].T, params[-1]["b"])

    def leaf(params):
        return optree.tree_map(lambda p: p.detach().requires_grad_(), params)

    def gradient(value, params, **options):
        return torch.autograd.grad(value, optree.tree_leaves(params), **options)

    def loss(params):
        return functional.mse_loss(mlp(params, data["x"]), data["y"])

    def mlp_gradient():
        params = leaf(data["mlp"])
        return gradient(loss(params), params)

    def hvp():
        params = leaf(data["mlp"])
        g = gradient(loss(params), params, create_graph=True)
        direction = optree.tree_leaves(data["mlp_direction"])
        return torch.autograd.grad(g, optree.tree_leaves(params), grad_outputs=direction)

    def gan_value(theta, fake):
        r, s = mlp(theta, data["real"]), mlp(theta, fake)
        return functional.logsigmoid(r).mean() + functional.logsigmoid(-s).mean()

    def unrolled():
        theta_g, theta = leaf(data["theta_g"]), leaf(data["theta_d"])
        fake = mlp(theta_g, data["noise"])
        for _ in range(STEPS):
            g = gradient(gan_value(theta, fake), theta, create_graph=True)
            g = optree.tree_unflatten(optree.tree_structure(theta), g)
            theta = optree.tree_map(lambda p, g: p + LR * g, theta, g)
        return gradient(gan_value(theta, fake), theta_g)

    def logistic(w):
        margins = data["labels"] * (data["points"] @ w)
        return functional.softplus(-margins).mean() + 0.01 * (w**2).sum()

    def newton():
        w = data["w"]
        curvature, slope = torch.func.hessian(logistic)(w), torch.func.grad(logistic)(w)
        return w - torch.linalg.solve(curvature, slope)

    def rnn():
        params = leaf(data["rnn"])
        h, outputs = params["h"], []
        for x in data["xs"]:
            h = torch.tanh(x @ params["wx"] + h @ params["wh"] + params["b"])
            outputs.append(h)
        value = functional.mse_loss(torch.stack(outputs) @ params["wo"], data["ys"])
        return gradient(value, params)

    return {"mlp": mlp_gradient, "hvp": hvp, "unrolled": unrolled, "newton": newton, "rnn": rnn}


#: By the names in the table.
ALL = {
    "tinygrad_ugan": ours,
    "autograd": autograd,
    "torch": torch,
    "jax eager": jax_eager,
    "jax jit": jax_jit,
}
