"""Write the conformance cases: ``python -m tests.check.make_cases [names]``.

Everything is computed from the definitions, by central differences in arithmetic of 800 bits
(python-flint), and shares nothing with the package. A difference of step h is wrong by about h^2:
the gradient of an inner step, h = 2^-200, is good to 120 digits, and that of f_K, h = 2^-120, to
70. Only 30 are written. A test writes the cases again with other steps, to the same bytes.
"""

import decimal
import itertools
import json
import sys
from pathlib import Path

import flint
from flint import arb

FOLDER = Path(__file__).parents[2] / "tinygrad_ugan" / "check" / "cases"

BITS = 800
INNER_STEP, OUTER_STEP = arb(2) ** -200, arb(2) ** -120
DIGITS = 30
VANISHING = decimal.Decimal("1e-60")  # what differences leave of a derivative that is zero

# Parameters are nested lists and dicts of decimal strings, or of numbers.


def read(tree):
    if isinstance(tree, dict):
        return {name: read(x) for name, x in tree.items()}
    return [read(x) for x in tree] if isinstance(tree, list) else arb(tree)


def write(tree):
    if isinstance(tree, dict):
        return {name: write(x) for name, x in tree.items()}
    return [write(x) for x in tree] if isinstance(tree, list) else digits(tree)


def digits(ball):
    """The number, correctly rounded."""
    mantissa, exponent = ball.mid().man_exp()
    with decimal.localcontext(prec=1000, Emin=-10000):
        exact = decimal.Decimal(int(mantissa)) * decimal.Decimal(2) ** int(exponent)
    return "0" if abs(exact) < VANISHING else f"{exact:.{DIGITS - 1}e}"


def flatten(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [x for part in tree for x in flatten(part)] if isinstance(tree, list) else [tree]


def like(tree, flat):
    """The numbers of an iterator in the structure of a tree."""
    if isinstance(tree, dict):
        return {name: like(x, flat) for name, x in tree.items()}
    return [like(x, flat) for x in tree] if isinstance(tree, list) else next(flat)


def plus(tree, other, factor=1):
    """``tree + factor * other``."""
    pairs = zip(flatten(tree), flatten(other), strict=True)
    return like(tree, iter([x + factor * y for x, y in pairs]))


def gradient(f, tree, h):
    """Central differences, one element after the other."""
    flat, slopes = flatten(tree), []
    for i, x in enumerate(flat):
        up, down = (
            f(like(tree, iter([*flat[:i], moved, *flat[i + 1 :]]))) for moved in (x + h, x - h)
        )
        slopes.append(((up - down) / (2 * h)).mid())  # a radius would grow by 1 / h every time
    return like(tree, iter(slopes))


# Networks.


def is_positive(x):
    assert x > 0 or x < 0, "on a kink"
    return x > 0


ACTIVATIONS = {
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: x.exp().log1p(),
    "identity": lambda x: x,
    "relu": lambda x: x if is_positive(x) else arb(0),
    "leaky_relu": lambda x: x if is_positive(x) else x / 100,
    "elu": lambda x: x if is_positive(x) else x.expm1(),
}


def network(description, params, rows):
    act, scale = ACTIVATIONS[description["activation"]], arb(description["input_scale"])
    rows = [[scale * x for x in row] for row in rows]
    for i, layer in enumerate(params):
        columns = list(zip(*layer["w"], strict=True))
        rows = [
            [
                b + sum(x * w for x, w in zip(row, column, strict=True))
                for column, b in zip(columns, layer["b"], strict=True)
            ]
            for row in rows
        ]
        if i < len(params) - 1:
            rows = [[act(h) for h in row] for row in rows]
    return rows


# Objectives, of the logits r of real and s of generated samples.


def mean(values):
    values = list(values)
    return sum(values, arb(0)) / len(values)


def log_sigmoid(x):
    return -(-x).exp().log1p()


def cross_entropy(r, s):
    return mean(map(log_sigmoid, r)) + mean(log_sigmoid(-x) for x in s)


def hinge(x):
    return x if is_positive(x) else arb(0)


LOSSES = {
    "minimax": (cross_entropy, cross_entropy),
    "nonsaturating": (cross_entropy, lambda r, s: -mean(map(log_sigmoid, s))),
    "max_likelihood": (cross_entropy, lambda r, s: -mean(x.exp() for x in s) / 2),
    "wasserstein": (lambda r, s: mean(r) - mean(s),) * 2,
    "least_squares": (
        lambda r, s: -mean((x - 1) ** 2 for x in r) / 2 - mean(x**2 for x in s) / 2,
        lambda r, s: mean((x - 1) ** 2 for x in s) / 2,
    ),
    "hinge": (
        lambda r, s: -mean(hinge(1 - x) for x in r) - mean(hinge(1 + x) for x in s),
        lambda r, s: -mean(s),
    ),
}


# Games: pairs (inner, outer) of functions of (theta_g, theta_d, batch).


def dot(x, y):
    return sum((a * b for a, b in zip(x, y, strict=True)), arb(0))


def times(matrix, x):
    return [dot(row, x) for row in matrix]


def bilinear(game):
    a = read(game["matrix"])

    def value(x, y, batch):
        return dot(x, times(a, y))

    return value, value


def quadratic(game):
    b, a = read(game["coupling"]), read(game["curvature"])

    def inner(x, y, batch):
        return dot(x, times(b, y)) - dot(y, times(a, y)) / 2

    if "target" not in game:
        return inner, inner
    target = read(game["target"])
    return inner, lambda x, y, batch: sum((u - t) ** 2 for u, t in zip(y, target, strict=True)) / 2


def dirac_gan(game):
    def value(x, y, batch):
        return -arb(2).log() - (x * y).exp().log1p()

    return value, value


def gan(game):
    def logits(theta_g, theta_d, batch):
        fake = network(game["generator"], theta_g, batch["noise"])
        rows = (network(game["discriminator"], theta_d, x) for x in (batch["real"], fake))
        return [[row[0] for row in r] for r in rows]

    inner, outer = LOSSES[game["loss"]]
    return (
        lambda g, d, batch: inner(*logits(g, d, batch)),
        lambda g, d, batch: outer(*logits(g, d, batch)),
    )


GAMES = {"bilinear": bilinear, "quadratic": quadratic, "dirac_gan": dirac_gan, "gan": gan}


# The inner optimisers, which ascend.


def sgd(optimizer):
    for eta in read(optimizer["lr"]):
        yield lambda theta, g, eta=eta: plus(theta, g, eta)


def momentum(optimizer):
    lr, mu = arb(optimizer["lr"]), arb(optimizer["momentum"])
    velocity = None

    def step(theta, g):
        nonlocal velocity
        velocity = g if velocity is None else plus(g, velocity, mu)
        return plus(theta, velocity, lr)

    return itertools.repeat(step)


def adam(optimizer):
    lr, beta1, beta2, eps = (arb(optimizer[name]) for name in ("lr", "beta1", "beta2", "eps"))
    steps, m, v = 0, None, None

    def step(theta, g):
        nonlocal steps, m, v
        g, steps = flatten(g), steps + 1
        m, v = m or [arb(0)] * len(g), v or [arb(0)] * len(g)
        m = [beta1 * a + (1 - beta1) * b for a, b in zip(m, g, strict=True)]
        v = [beta2 * a + (1 - beta2) * b**2 for a, b in zip(v, g, strict=True)]
        hats = [(a / (1 - beta1**steps), b / (1 - beta2**steps)) for a, b in zip(m, v, strict=True)]
        moves = [lr * a / (b + eps**2).sqrt() for a, b in hats]
        return plus(theta, like(theta, iter(moves)))

    return itertools.repeat(step)


OPTIMIZERS = {"sgd": sgd, "momentum": momentum, "adam": adam}


# Cases.


def solve(case):
    """All that is expected of a case."""
    inner, outer = GAMES[case["game"]["kind"]](case["game"])
    theta_g, theta_d = read(case["theta_g"]), read(case["theta_d"])
    batches = read(case["batches"])
    batches = batches if len(batches) > 1 else (batches or [None]) * (case["steps"] + 1)

    def unrolled(g, d):
        steps = OPTIMIZERS[case["optimizer"]["kind"]](case["optimizer"])
        for step, batch in zip(itertools.islice(steps, case["steps"]), batches, strict=False):
            d = step(d, gradient(lambda d, b=batch: inner(g, d, b), d, INNER_STEP))
        return d

    def value(g, d):
        return outer(g, unrolled(g, d), batches[-1])

    theta_K = unrolled(theta_g, theta_d)
    expected = {
        "value": value(theta_g, theta_d),
        "gradient": gradient(lambda g: value(g, theta_d), theta_g, OUTER_STEP),
        "direct": gradient(lambda g: outer(g, theta_K, batches[-1]), theta_g, OUTER_STEP),
        "theta_K": theta_K,
        "lambda_0": gradient(lambda d: value(theta_g, d), theta_d, OUTER_STEP),
    }
    return {name: write(x) for name, x in expected.items()}


class Numbers:
    """Random multiples of 1/64 between -1 and 1, exact in float32, from Knuth's MMIX generator."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, *shape):
        if shape:
            return [self(*shape[1:]) for _ in range(shape[0])]
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return str(decimal.Decimal((self.state >> 57) - 64) / 64)

    def params(self, sizes):
        return [{"w": self(*pair), "b": self(pair[1])} for pair in itertools.pairwise(sizes)]


def plain(about, game, theta_g, theta_d, rates):
    return {
        "about": about,
        "game": game,
        "steps": len(rates),
        "optimizer": {"kind": "sgd", "lr": rates},
        "theta_g": theta_g,
        "theta_d": theta_d,
        "batches": [],
    }


def gan_case(
    about,
    *,
    steps,
    loss="minimax",
    activation="tanh",
    scale="1",
    hidden=(3,),
    optimizer=None,
    fresh=False,
    seed=8,
):
    numbers = Numbers(seed)
    sizes = {"generator": [2, *hidden, 2], "discriminator": [2, *hidden, 1]}
    scales = {"generator": "1", "discriminator": scale}
    networks = {
        name: {"sizes": sizes[name], "activation": activation, "input_scale": scales[name]}
        for name in sizes
    }
    return {
        "about": about,
        "game": {"kind": "gan", "loss": loss, **networks},
        "steps": steps,
        "optimizer": optimizer or {"kind": "sgd", "lr": ["0.25"] * steps},
        "theta_g": numbers.params(sizes["generator"]),
        "theta_d": numbers.params(sizes["discriminator"]),
        "batches": [
            {"real": numbers(3, 2), "noise": numbers(2, 2)}
            for _ in range(steps + 1 if fresh else 1)
        ],
    }


QUADRATIC = {
    "kind": "quadratic",
    "coupling": [["1", "0.5"], ["-0.25", "0.75"]],
    "curvature": [["1", "0.25"], ["0.25", "0.5"]],
}

CASES = {
    "bilinear": plain(
        "x^T A y: steps of a constant direction",
        {"kind": "bilinear", "matrix": [["1", "-0.5", "0.25"], ["0.375", "0.75", "-1.125"]]},
        ["1", "0.5"],
        ["0.5", "-0.25", "0.125"],
        ["0.25"] * 5,
    ),
    "quadratic": plain(
        "an inner problem with a maximum", QUADRATIC, ["1", "-0.5"], ["0.5", "0.25"], ["0.25"] * 7
    ),
    "quadratic-target": plain(
        "an outer objective that does not know x: the direct term is zero",
        QUADRATIC | {"target": ["0.25", "-0.75"]},
        ["1", "-0.5"],
        ["0.5", "0.25"],
        ["0.5", "0.25", "0.125", "0.0625"],
    ),
    "dirac-gan": plain(
        "two numbers; ten steps", {"kind": "dirac_gan"}, "1.5", "0.375", ["0.25"] * 10
    ),
    "gan-k0": gan_case("no step: the ordinary gradient", steps=0),
    "gan-k1": gan_case("one step", steps=1),
    "gan-k5": gan_case("five steps; minimax, tanh", steps=5),
    "gan-nonsaturating": gan_case(
        "softplus; D sees x / 4", steps=3, loss="nonsaturating", activation="softplus", scale="0.25"
    ),
    "gan-max-likelihood": gan_case("sigmoid", steps=2, loss="max_likelihood", activation="sigmoid"),
    "gan-wasserstein": gan_case("elu", steps=3, loss="wasserstein", activation="elu"),
    "gan-least-squares": gan_case("ten steps; least squares", steps=10, loss="least_squares"),
    "gan-hinge": gan_case(
        "relu and the hinge loss", steps=3, loss="hinge", activation="relu", hidden=(4,), seed=36
    ),
    "gan-leaky-relu": gan_case("leaky relu", steps=4, activation="leaky_relu", seed=24),
    "gan-deep": gan_case("two hidden layers", steps=2, hidden=(3, 2)),
    "gan-linear": gan_case("linear networks", steps=3, hidden=(), activation="identity"),
    "gan-schedule": gan_case(
        "a step size for every step",
        steps=4,
        optimizer={"kind": "sgd", "lr": ["0.5", "0.25", "0.125", "0.0625"]},
    ),
    "gan-fresh-batches": gan_case("a batch for every step", steps=3, fresh=True),
    "gan-momentum": gan_case(
        "heavy-ball momentum",
        steps=4,
        optimizer={"kind": "momentum", "lr": "0.25", "momentum": "0.5"},
    ),
    "gan-adam": gan_case(
        "Adam, with epsilon inside the root",
        steps=5,
        optimizer={
            "kind": "adam",
            "lr": "0.0625",
            "beta1": "0.5",
            "beta2": "0.875",
            "eps": "0.0078125",
        },
    ),
}


def text(name):
    """The file of a case."""
    with flint.ctx.workprec(BITS):
        case = CASES[name]
        document = {"format": 1, "name": name, **case, "expected": solve(case)}
    return dump(document) + "\n"


def dump(tree, margin=""):
    """JSON with a line for every row of numbers."""
    inner = margin + " "
    if isinstance(tree, dict):
        lines = [f"{inner}{json.dumps(k)}: {dump(x, inner)}" for k, x in tree.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(tree, list) and any(isinstance(x, list | dict) for x in tree):
        lines = [inner + dump(x, inner) for x in tree]
        return "[\n" + ",\n".join(lines) + f"\n{margin}]"
    return json.dumps(tree)


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
        print(name, flush=True)
