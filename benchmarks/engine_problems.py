"""The five problems: data, and the functions to differentiate, in NumPy's language.

``np`` is an argument, so that libraries which imitate NumPy's interface run the same text.
"""

import functools
from types import SimpleNamespace

import numpy

import tinygrad_ugan as ug

TITLES = {
    "mlp": "gradient of a 2-layer MLP's loss",
    "hvp": "Hessian-vector product of it",
    "unrolled": "unrolled GAN gradient, K = 5",
    "newton": "Newton step, logistic regression",
    "rnn": "gradient of an RNN's loss, 50 steps",
}

STEPS, LR = 5, 0.1


def mlp(np, params, x):
    for layer in params[:-1]:
        x = np.tanh(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def mlp_loss(np, params, x, y):
    return np.mean((mlp(np, params, x) - y) ** 2)


def log_sigmoid(np, x):
    return -np.logaddexp(-x, 0)


def gan_value(np, theta_d, real, fake):
    """The minimax objective: the discriminator ascends it, the generator descends it."""
    r, s = mlp(np, theta_d, real), mlp(np, theta_d, fake)
    return np.mean(log_sigmoid(np, r)) + np.mean(log_sigmoid(np, -s))


def logistic_loss(np, w, x, y):
    return np.mean(np.logaddexp(0, -y * (x @ w))) + 0.01 * np.sum(w**2)


def rnn_loss(np, params, xs, ys):
    h, outputs = params["h"], []
    for x in xs:
        h = np.tanh(x @ params["wx"] + h @ params["wh"] + params["b"])
        outputs.append(h)
    return np.mean((np.stack(outputs) @ params["wo"] - ys) ** 2)


@functools.cache
def data():
    """Float64 arrays for every problem, the same in every call."""
    rng = numpy.random.default_rng(0)
    draw = rng.standard_normal

    def network(*sizes):
        params = ug.nn.MLP(sizes).init(rng, numpy.float64)
        return [{"w": p["w"], "b": 0.1 * draw(p["b"].shape)} for p in params]

    return SimpleNamespace(
        mlp=network(8, 16, 1),
        mlp_direction=network(8, 16, 1),
        x=draw((32, 8)),
        y=draw((32, 1)),
        theta_g=network(16, 32, 32, 2),
        theta_d=network(2, 32, 32, 1),
        real=draw((64, 2)),
        noise=draw((64, 16)),
        w=draw(8),
        points=draw((64, 8)),
        labels=numpy.sign(draw(64)),
        rnn={
            "wx": draw((4, 16)) / 2,
            "wh": draw((16, 16)) / 4,
            "b": draw(16) / 10,
            "wo": draw((16, 1)),
            "h": numpy.zeros((8, 16)),
        },
        xs=draw((50, 8, 4)),
        ys=draw((50, 8, 1)),
    )
