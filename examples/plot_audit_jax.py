"""
Auditing JAX code
=================

In JAX the exact gradient is one line: `jax.grad` through a `lax.scan` of discriminator steps. One
`stop_gradient` too many and it is something else, and the code looks much the same. Here are both,
and a third in which only the weights that a step starts from are cut off, so that the curvature is
lost.

The lesson: where `stop_gradient` stands decides which gradient it is; the audit says which.

(This example needs JAX: the extra `bench`.)
"""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

K, eta = 5, 0.5
rng = np.random.default_rng(0)
game = ug.gan.Game(ug.nn.MLP((4, 8, 2)), ug.nn.MLP((2, 8, 1)), loss="nonsaturating")
theta_g, theta_d = (n.init(rng, np.float32) for n in (game.generator, game.discriminator))
real, noise = (rng.standard_normal(shape, np.float32) for shape in ((32, 2), (32, 4)))


def mlp(params, x):
    *hidden, last = params
    for layer in hidden:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    return x @ last["w"] + last["b"]


def inner(theta_g, theta_d):
    r, s = mlp(theta_d, real), mlp(theta_d, mlp(theta_g, noise))
    return jnp.mean(jax.nn.log_sigmoid(r)) + jnp.mean(jax.nn.log_sigmoid(-s))


def f_K(theta_g, of_steps=lambda x: x, of_weights=lambda x: x):
    def step(theta, _):
        ascent = of_steps(jax.grad(inner, 1)(theta_g, of_weights(theta)))
        return jax.tree.map(lambda t, g: t + eta * g, theta, ascent), None

    theta_K, _ = jax.lax.scan(step, theta_d, length=K)
    return -jnp.mean(jax.nn.log_sigmoid(mlp(theta_K, mlp(theta_g, noise))))


stop = jax.lax.stop_gradient
codes = {
    "jax.grad through the scan": lambda g: f_K(g),
    "stop_gradient(theta_k)": lambda g: f_K(g, of_weights=stop),
    "stop_gradient(g_k)": lambda g: f_K(g, of_steps=stop),
}
batch = ug.gan.Batch(real, noise)
found = {
    name: ug.check.audit(jax.grad(code)(theta_g), game, theta_g, theta_d, batch, steps=K, lr=eta)
    for name, code in codes.items()
}
print(found["stop_gradient(theta_k)"])

figure = Figure(figsize=(6.4, 2.6), layout="constrained")
axis = figure.subplots()
errors = [audit.relative_error for audit in found.values()]
colors = ["tab:green" if audit.ok else "tab:red" for audit in found.values()]
bars = axis.barh(list(found), errors, color=colors)
axis.bar_label(bars, [audit.verdict for audit in found.values()], padding=4)
axis.set(xscale="log", xlim=(1e-8, 1e4), xlabel="relative error of the gradient, float32")
axis.axvline(found["stop_gradient(g_k)"].tolerance, color="black", linewidth=0.8)
axis.invert_yaxis()

assert [audit.verdict for audit in found.values()] == ["exact", "no_curvature", "detached"]
