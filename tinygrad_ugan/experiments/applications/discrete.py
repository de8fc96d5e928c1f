"""A generator of tokens: three ways around samples that cannot be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan import autodiff, gan, nn, viz
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.nn.activations import log_sigmoid
from tinygrad_ugan.typing import Array

PAGE = """
The data are one-hot tokens, ten of them, the k-th with probability proportional to 1 / k. A
generator that samples a token has no derivative: moving its weights a little moves no sample,
until one of them jumps. Three ways around:

- **REINFORCE.** Sample token k from softmax(G(z)), call R = log D(k) its reward, and ascend (R -
  b) log softmax(G(z))_k, with b the mean reward of the others in the batch. Right on average, and
  noisy.
- **Gumbel and softmax** (the concrete distribution). k = argmax(G(z) + g) with Gumbel noise g is
  a sample of softmax(G(z)); softmax((G(z) + g) / t) is a smooth stand-in. Not right on average: D
  sees vectors that no real token is, and G may please it by these alone. The colder, the closer
  to a token, and the noisier the gradient. *Straight-through*: D sees the token, the derivative
  is that of the stand-in.
- **Continuous output, decoded afterwards.** G draws any vector, D tells it from one-hot vectors
  with N(0, 0.2^2) added, and argmax decodes it. To the GAN these are ten little Gaussians, and it
  may drop some, as on the ring. This one needs no trick for looking ahead: K = 10 is shown, too.

Bias and noise in the table are those of the gradient at one fixed D, where the exact one is a sum
over the ten tokens: how far off is each estimator on average, and how much does it scatter, both
as a part of the exact gradient's length? KL(generated, true) is taken after training, from 20,000
z.

Pilot runs on some of these seeds chose the settings, and the bounds in the claims were set after
them.
"""

TOKENS, LATENT, HIDDEN = 10, 8, 32
TRUTH = 1 / np.arange(1, TOKENS + 1)
TRUTH /= TRUTH.sum()
EYE = np.eye(TOKENS, dtype=np.float32)
BLUR = 0.2  # what is added to the real tokens where the generator is continuous
BATCH, RATE, ETA, STEPS = 256, 2e-3, 0.3, 600
GENERATOR = nn.MLP((LATENT, HIDDEN, TOKENS))
DISCRIMINATOR = nn.MLP((TOKENS, HIDDEN, 1), "relu")


class TokenNoise(NamedTuple):
    """The inputs of a generator of tokens: z, and Gumbel noise for every token."""

    z: Any
    gumbel: Any


# The generators.


def _sampled(theta: Any, noise: TokenNoise) -> Any:
    """A token for every z, one-hot: a constant."""
    logits = autodiff.stop_gradient(GENERATOR(theta, noise.z) + noise.gumbel)
    return EYE[np.argmax(logits, axis=1)]


def _relaxed(temperature: float) -> Callable[[Any, TokenNoise], Any]:
    def generator(theta: Any, noise: TokenNoise) -> Any:
        return autodiff.softmax((GENERATOR(theta, noise.z) + noise.gumbel) / temperature, axis=1)

    return generator


def _straight_through(theta: Any, noise: TokenNoise) -> Any:
    relaxed = _relaxed(1.0)(theta, noise)
    return relaxed + (_sampled(theta, noise) - autodiff.stop_gradient(relaxed))


class Reinforce:
    """The game whose generator learns from rewards; D plays as in the others.

    The gradient of `outer` is an estimate of that of -E log D(token); its value means nothing.
    """

    def generate(self, theta_g: Any, batch: gan.Batch) -> Any:
        """Sample tokens, one-hot."""
        return _sampled(theta_g, batch.noise)

    def inner(self, theta_g: Any, theta_d: Any, batch: gan.Batch) -> Any:
        """The objective that D ascends."""
        return self.inner_on(self.generate(theta_g, batch), theta_d, batch)

    def inner_on(self, tokens: Any, theta_d: Any, batch: gan.Batch) -> Any:
        """`inner` as a function of the tokens."""
        real, generated = (DISCRIMINATOR(theta_d, x) for x in (batch.real, tokens))
        return np.mean(log_sigmoid(real)) + np.mean(log_sigmoid(-generated))

    def outer(self, theta_g: Any, theta_d: Any, batch: gan.Batch) -> Any:
        """The objective that G descends."""
        tokens = self.generate(theta_g, batch)
        log_share = autodiff.log_softmax(GENERATOR(theta_g, batch.noise.z), axis=1)
        rewards = autodiff.stop_gradient(log_sigmoid(DISCRIMINATOR(theta_d, tokens)))
        n = len(tokens)
        above_others = (rewards - np.mean(rewards)) * (n / (n - 1))
        return -np.sum(above_others * log_share * tokens) / n


def _game(generator: Callable[[Any, Any], Any]) -> gan.Game:
    return gan.Game(generator, DISCRIMINATOR, "nonsaturating")


class Way(NamedTuple):
    """A way to train: the game, the steps that G looks ahead, and whether argmax decodes."""

    game: Any
    ahead: int = 0
    decoded: bool = False


WAYS = {
    "REINFORCE": Way(Reinforce()),
    "Gumbel-softmax, t = 1": Way(_game(_relaxed(1.0))),
    "Gumbel-softmax, t = 0.1": Way(_game(_relaxed(0.1))),
    "straight-through, t = 1": Way(_game(_straight_through)),
    "continuous": Way(_game(GENERATOR), decoded=True),
    "continuous, K = 10": Way(_game(GENERATOR), ahead=10, decoded=True),
}
QUICK = ("REINFORCE", "Gumbel-softmax, t = 0.1", "continuous", "continuous, K = 10")


def run(session: Session) -> Outcome:
    """Judge the estimators, and train."""
    steps, draws = (400, 100) if session.quick else (STEPS, 500)
    estimators = {name: _judge(way, draws) for name, way in WAYS.items() if not way.decoded}
    names = QUICK if session.quick else tuple(WAYS)
    courses = {
        name: [_train(WAYS[name], seed, steps) for seed in session.track(session.seeds, name)]
        for name in names
    }
    claims = [*_claims_of_estimators(estimators), *_claims_of_training(courses)]
    settings = {
        "tokens": TOKENS, "G": GENERATOR.sizes, "D": DISCRIMINATOR.sizes, "loss": "nonsaturating",
        "batch": BATCH, "Adam's rate": RATE, "beta1": 0.5, "steps": steps, "blur": BLUR,
        "size of unrolled steps": ETA, "draws for the estimators": draws,
    }  # fmt: skip
    rows = _rows(estimators, courses)
    return Outcome(claims, rows, {"tokens": _figure(courses)}, settings)


# The estimators of the gradient, at one fixed discriminator.


class Estimator(NamedTuple):
    """Bias, noise of one draw, and standard error of the bias: parts of the exact gradient."""

    bias: float
    noise: float
    doubt: float


def _judge(way: Way, draws: int) -> Estimator:
    rng = np.random.default_rng(0)
    theta_g, theta_d = _start(rng)
    z = rng.standard_normal((BATCH, LATENT), np.float32)
    exact = _flat(autodiff.grad(_exact)(theta_g, theta_d, z))
    estimate = autodiff.grad(way.game.outer)
    real = EYE[:1]  # G's objective does not look at the data
    drawn = np.array([
        _flat(estimate(theta_g, theta_d, gan.Batch(real, TokenNoise(z, _gumbel(rng, BATCH)))))
        for _ in range(draws)
    ])  # fmt: skip
    length = np.linalg.norm(exact)
    mean = drawn.mean(axis=0)
    noise = np.sqrt(np.sum((drawn - mean) ** 2) / (draws - 1)) / length
    bias = np.linalg.norm(mean - exact) / length
    return Estimator(float(bias), float(noise), float(noise / np.sqrt(draws)))


def _exact(theta_g: Any, theta_d: Any, z: Array) -> Any:
    """-E log D(token) for these z: a sum over all tokens."""
    shares = autodiff.softmax(GENERATOR(theta_g, z), axis=1)
    return -np.mean(shares @ log_sigmoid(DISCRIMINATOR(theta_d, EYE)))


def _flat(tree: Any) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(leaf) for leaf in optree.tree_leaves(tree)]).astype(float)


def _gumbel(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    return rng.gumbel(size=(n, TOKENS)).astype(np.float32)


def _start(rng: np.random.Generator) -> tuple[Any, Any]:
    return GENERATOR.init(rng), DISCRIMINATOR.init(rng)


# Training.


class ShareHistory(NamedTuple):
    """KL(generated, true) over time, and the shares of the tokens at the end."""

    steps: list[int]
    kl: list[float]
    shares: Array


def _train(way: Way, seed: int, steps: int) -> ShareHistory:
    rng = np.random.default_rng(seed)

    adam = gan.Optimizer(lr=RATE)
    config = gan.Config(
        unroll=gan.Unroll(way.ahead, lr=ETA),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        steps=steps,
        decay=True,
    )
    start = _start(rng)
    passed = gan.TrainStep(config, way.game).states(_batches(way, rng), start)
    z = np.random.default_rng(1).standard_normal((20_000, LATENT), np.float32)
    looks, kl = [], []
    for state in passed:
        if state.step % (steps // 20) == 0:
            shares = _shares(way, state.theta_g, z)
            looks.append(state.step)
            kl.append(_kl(shares))
    return ShareHistory(looks, kl, shares)


def _batches(way: Way, rng: np.random.Generator) -> Iterator[list[gan.Batch]]:
    while True:
        real = EYE[rng.choice(TOKENS, BATCH, p=TRUTH)]
        z = rng.standard_normal((BATCH, LATENT), np.float32)
        if way.decoded:
            yield [gan.Batch(real + BLUR * rng.standard_normal(real.shape, np.float32), z)]
        else:
            yield [gan.Batch(real, TokenNoise(z, _gumbel(rng, BATCH)))]


def _shares(way: Way, theta_g: Any, z: Array) -> Any:
    """How often each token is generated."""
    logits = GENERATOR(theta_g, z).astype(float)
    if way.decoded:
        return np.bincount(logits.argmax(axis=1), minlength=TOKENS) / len(z)
    return autodiff.softmax(logits, axis=1).mean(axis=0)


def _kl(shares: Array) -> float:
    """KL(generated, true), which no missing token makes infinite."""
    there = shares > 0
    return float(np.sum(shares[there] * np.log(shares[there] / TRUTH[there])))


# Results.


def _claims_of_estimators(estimators: Mapping[str, Estimator]) -> list[Claim]:
    fair, hot, cold = (estimators[name] for name in list(WAYS)[:3])
    return [
        Claim("REINFORCE has no bias beyond 2 standard errors",
              f"{fair.bias:.3f}, standard error {fair.doubt:.3f}", fair.bias < 2 * fair.doubt),
        Claim("the relaxation at t = 1 has one, beyond 5 standard errors",
              f"{hot.bias:.3f}, standard error {hot.doubt:.3f}", hot.bias > 5 * hot.doubt),
        Claim("at t = 0.1 it has less bias and more noise",
              f"bias {cold.bias:.3f}, noise {cold.noise:.2f} against {hot.noise:.2f}",
              cold.bias < hot.bias and cold.noise > hot.noise),
    ]  # fmt: skip


GOALS = {"REINFORCE": 0.01, "Gumbel-softmax, t = 0.1": 0.03, "continuous, K = 10": 0.15}


def _claims_of_training(courses: Mapping[str, Sequence[ShareHistory]]) -> list[Claim]:
    worst = {name: max(course.kl[-1] for course in courses[name]) for name in GOALS}
    blind, ahead = (
        float(np.mean([course.kl[-1] for course in courses[name]]))
        for name in ("continuous", "continuous, K = 10")
    )
    return [
        *(Claim(f"{name}: KL(generated, true) below {goal}, on every seed",
                f"worst {worst[name]:.4f}", worst[name] < goal)
          for name, goal in GOALS.items()),
        Claim("continuous: looking ahead lowers it, on average",
              f"{ahead:.3f} against {blind:.3f}", ahead < blind),
    ]  # fmt: skip


def _rows(
    estimators: Mapping[str, Estimator], courses: Mapping[str, Sequence[ShareHistory]]
) -> list[dict[str, Any]]:
    rows = []
    for name in WAYS:
        known, group = estimators.get(name), courses.get(name, ())
        kl = [course.kl[-1] for course in group]
        low, high = viz.confidence_interval(kl) if kl else (np.nan, np.nan)
        tokens = np.mean([(course.shares > TRUTH / 10).sum() for course in group]) if kl else np.nan
        rows.append({
            "way": name,
            "bias": f"{known.bias:.3f}" if known else "",
            "noise": f"{known.noise:.2f}" if known else "",
            "KL(generated, true)": f"{np.mean(kl):.4f}" if kl else "",
            "95 % interval": f"{low:.4f} to {high:.4f}" if kl else "",
            "tokens found": f"{tokens:.1f} of {TOKENS}" if kl else "",
        })  # fmt: skip
    return rows


def _figure(courses: Mapping[str, Sequence[ShareHistory]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    width = 0.8 / len(courses)
    for place, (name, group) in enumerate(courses.items()):
        color = f"C{place}"
        for course in group:
            left.plot(course.steps, course.kl, color=color, linewidth=0.8, alpha=0.4)
        middle = np.median([course.kl for course in group], axis=0)
        left.plot(group[0].steps, middle, color=color, linewidth=2, label=name)
        at = np.arange(1, TOKENS + 1) + (place - (len(courses) - 1) / 2) * width
        right.bar(at, group[0].shares, width, color=color)
    left.set(
        title="KL(generated, true): every seed, and the median",
        xlabel="training step",
        yscale="log",
    )
    left.legend(fontsize=8)
    for token, share in enumerate(TRUTH, start=1):
        right.plot([token - 0.45, token + 0.45], [share, share], color="black")
    right.set(title="shares at the end, first seed; lines: the truth", xlabel="token")
    right.set_xticks(range(1, TOKENS + 1))
    return figure


EXPERIMENT = Experiment(
    name="discrete",
    summary="a generator of tokens: REINFORCE, Gumbel-softmax, or continuous output decoded later",
    source="Goodfellow (2016), NIPS tutorial, arXiv:1701.00160, section 5, Discrete outputs",
    page=PAGE,
    run=run,
)
