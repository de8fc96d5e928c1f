"""The theory of the value function, by quadrature, and a discriminator that is trained to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan import autodiff, gan, nn, optim
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.normal_mixture import NormalMixture, quadrature
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.nn.activations import log_sigmoid, sigmoid
from tinygrad_ugan.typing import Array

PAGE = """
    V(D, G) = E_data log D(x) + E_z log(1 - D(G(z)))  =  integral of  p log D + q log(1 - D)

with p the density of the data and q = p_g that of the generator.

- **The best D.** At each x the integrand is largest where p / D = q / (1 - D), so at D* = p / (p
  + q); its logit is log p - log q. The integrand is concave in the logit, so there is no other.
- **What is left for G.** C(G) = V(D*, G) = 2 JS(p, q) - ln 4, with JS(p, q) = KL(p, m) / 2 +
  KL(q, m) / 2 and m = (p + q) / 2. Unlike KL it is symmetric, and it is never more than ln 2,
  however far apart p and q are: then it is flat, too, and G learns nothing (the picture on the
  right).
- **The optimum.** JS = 0 only if q = p: C(G) = -ln 4 there, and is above it everywhere else.
- **In bits and nats.** Throw a fair coin Z, and draw X from p or from q accordingly. What X tells
  about Z, I(X; Z) = H(X) - H(X | Z), is JS(p, q).

The table has each side of these equations from an integral of its own. Then a network, which
knows the two densities by samples only, ascends V: the picture in the middle shows it approach
D*, on the left V(D) approaches 2 JS - ln 4 from below.
"""

DATA = NormalMixture((500.0,), (5.0,))
PAIRS = {
    "the data, found": (DATA, DATA),
    "near": (DATA, NormalMixture((490.0,), (4.0,))),
    "one of two modes": (
        NormalMixture((-2.0, 2.0), (0.5, 0.5), (0.5, 0.5)),
        NormalMixture((2.0,), (0.5,)),
    ),
    "three modes, a blur": (
        NormalMixture((-2.0, 0.0, 2.0), (0.3, 0.3, 0.3), (0.3, 0.3, 0.4)),
        NormalMixture((0.0,), (2.0,)),
    ),
    "far apart": (NormalMixture((0.0,)), NormalMixture((40.0,))),
}
TAUGHT = "three modes, a blur"  # the pair that the network learns
BATCH, RATE, HIDDEN, LENGTHS = 1_024, 5e-3, (64, 64), {"quick": 1_000, "full": 2_000}


class Between:
    """Integrals of what two densities have to do with each other.

    Parameters
    ----------
    p, q : NormalMixture
    """

    def __init__(self, p: NormalMixture, q: NormalMixture) -> None:
        self.x, weights = quadrature(p, q)
        self.log_p, self.log_q = p.log_density(self.x), q.log_density(self.x)
        self.log_m = np.logaddexp(self.log_p, self.log_q) - np.log(2)
        self.over_p, self.over_q = weights * np.exp(self.log_p), weights * np.exp(self.log_q)

    def value(self, logit: Array) -> float:
        """V(D, G) for the logits of a discriminator at x."""
        return float(self.over_p @ log_sigmoid(logit) + self.over_q @ log_sigmoid(-logit))

    @property
    def best(self) -> Any:
        """The logit of D* at x."""
        return self.log_p - self.log_q

    @property
    def kl(self) -> float:
        """KL(p, q)."""
        return float(self.over_p @ (self.log_p - self.log_q))

    @property
    def js(self) -> float:
        """The mean of KL(p, m) and KL(q, m)."""
        to_middle = self.over_p @ (self.log_p - self.log_m), self.over_q @ (self.log_q - self.log_m)
        return float(sum(to_middle)) / 2

    @property
    def information(self) -> float:
        """I(X; Z) = H(X) - H(X | Z)."""
        entropy = -(self.over_p + self.over_q) @ self.log_m / 2
        conditional = -(self.over_p @ self.log_p + self.over_q @ self.log_q) / 2
        return float(entropy - conditional)

    def error(self, logit: Array) -> float:
        """The mean of |D - D*| over m."""
        apart = np.abs(sigmoid(logit) - sigmoid(self.best))
        return float((self.over_p + self.over_q) @ apart) / 2


def run(session: Session) -> Outcome:
    """Integrate, and train."""
    pairs = {name: (Between(p, q), Between(q, p)) for name, (p, q) in PAIRS.items()}
    steps = LENGTHS["quick" if session.quick else "full"]
    lessons = [_teach(seed, steps) for seed in session.track(session.seeds, "discriminator")]
    claims = [*_claims_of_value(pairs), *_claims_of_js(pairs), *_claims_of_training(lessons)]
    settings = {
        "pairs": {name: [vars(p), vars(q)] for name, (p, q) in PAIRS.items()},
        "D": [1, *HIDDEN, 1], "batch": BATCH, "Adam's rate": RATE, "steps": steps,
    }  # fmt: skip
    return Outcome(claims, _rows(pairs), {"discriminator": _figure(lessons)}, settings)


Pairs = dict[str, tuple[Between, Between]]


def _rows(pairs: Pairs) -> list[dict[str, Any]]:
    return [
        {
            "p, q": name,
            "V(D*, G)": f"{b.value(b.best):.9f}",
            "2 JS - ln 4": f"{2 * b.js - np.log(4):.9f}",
            "JS(p, q)": f"{b.js:.9f}",
            "I(X; Z)": f"{b.information:.9f}",
            "KL(p, q)": f"{b.kl:.4f}",
            "KL(q, p)": f"{swapped.kl:.4f}",
        }
        for name, (b, swapped) in pairs.items()
    ]


def _claims_of_value(pairs: Pairs) -> list[Claim]:
    every = [b for b, _ in pairs.values()]
    slope = max(_steepest(b) for b in every)
    bent = max(float(_curvature(b).max()) for b in every)
    apart = max(abs(b.value(b.best) - (2 * b.js - np.log(4))) for b in every)
    optimum = pairs["the data, found"][0]
    at_optimum = abs(optimum.value(optimum.best) + np.log(4))
    (mean, std), lowest = _search()
    return [
        Claim("V is stationary at D* = p / (p + q), at every x, to 1e-12 of the density",
              f"steepest {slope:.1e}", slope < 1e-12),
        Claim("and concave in its logit", f"largest curvature {bent + 0.0:.1e}", bent <= 0),
        Claim("V(D*, G) = 2 JS - ln 4 to 1e-9", f"apart by {apart:.1e}", apart < 1e-9),
        Claim("C(G) = -ln 4 to 1e-9 where p_g = p_data",
              f"apart by {at_optimum:.1e}", at_optimum < 1e-9),
        Claim("argmin C(G) is p_data: a search from N(480, 2^2) ends at N(500, 5^2) to 1e-4",
              f"N({mean:.6f}, {std:.6f}^2), C + ln 4 = {lowest + np.log(4):.1e}",
              abs(mean - 500) < 1e-4 and abs(std - 5) < 1e-4),
    ]  # fmt: skip


def _claims_of_js(pairs: Pairs) -> list[Claim]:
    both = [(b.js, swapped.js) for b, swapped in pairs.values()]
    unlike = max(abs(one - other) for one, other in both)
    low, high = min(min(both)), max(max(both))
    told = max(abs(b.js - b.information) for b, _ in pairs.values())
    within = low >= -1e-12 and high <= np.log(2) + 1e-12
    return [
        Claim("JS(p, q) = JS(q, p) to 1e-9", f"apart by {unlike:.1e}", unlike < 1e-9),
        Claim("0 <= JS <= ln 2, to rounding",
              f"{low:.1e} to ln 2 - {np.log(2) - high:.1e}", bool(within)),
        Claim("JS(p, q) = I(X; Z) to 1e-9", f"apart by {told:.1e}", told < 1e-9),
    ]  # fmt: skip


def _slope(between: Between, logit: Any) -> Any:
    """The derivative of p log D + q log(1 - D) with respect to the logit at each x."""
    p, q = np.exp(between.log_p), np.exp(between.log_q)
    return autodiff.grad(lambda s: np.sum(p * log_sigmoid(s) + q * log_sigmoid(-s)))(logit)


def _steepest(between: Between) -> float:
    """The largest slope at D*, as a part of the density."""
    there = np.exp(between.log_m) > 0
    return float(np.max((np.abs(_slope(between, between.best)) / np.exp(between.log_m))[there]))


def _curvature(between: Between) -> Any:
    return autodiff.grad(lambda s: np.sum(_slope(between, s)))(between.best)


def _search() -> tuple[tuple[float, float], float]:
    """Mean and standard deviation of the Gaussian that minimises C(G), and that minimum."""
    from scipy.optimize import minimize

    def cost(place: Array) -> float:
        between = Between(DATA, NormalMixture((float(place[0]),), (float(np.exp(place[1])),)))
        return between.value(between.best)

    options = {"xatol": 1e-8, "fatol": 1e-14}
    found = minimize(cost, [480.0, np.log(2.0)], method="Nelder-Mead", options=options)
    return (float(found.x[0]), float(np.exp(found.x[1]))), float(found.fun)


# A discriminator that learns.


class Lesson(NamedTuple):
    """How a discriminator learns: its logits at the nodes, at some steps."""

    between: Between
    steps: Array
    logits: Array

    @property
    def values(self) -> NDArray[np.float64]:
        """V(D, G) over time, by quadrature."""
        return np.array([self.between.value(logit) for logit in self.logits])

    @property
    def error(self) -> float:
        """The mean of |D - D*| at the end."""
        return self.between.error(self.logits[-1])


def _teach(seed: int, steps: int) -> Lesson:
    rng = np.random.default_rng(seed)
    p, q = PAIRS[TAUGHT]
    between = Between(p, q)
    discriminator = nn.MLP((1, *HIDDEN, 1))
    game = gan.Game(lambda theta, samples: samples, discriminator)
    theta, adam = discriminator.init(rng, np.float64), optim.Adam(RATE)
    memory, ascend = adam.init(theta), autodiff.grad(game.inner, argnums=1)
    looks = set(np.unique(np.geomspace(1, steps, 40).round().astype(int)).tolist()) | {0}
    logits = {}
    for step in range(steps + 1):
        if step in looks:
            logits[step] = discriminator(theta, between.x[:, None])[:, 0]
        batch = gan.Batch(p.sample(BATCH, rng), q.sample(BATCH, rng))
        descent = optree.tree_map(np.negative, ascend((), theta, batch))
        updates, memory = adam.update(descent, memory, theta)
        theta = optim.apply_updates(theta, updates, 1 - step / steps)
    return Lesson(between, np.array(list(logits)), np.array(list(logits.values())))


def _claims_of_training(lessons: list[Lesson]) -> list[Claim]:
    gaps = [lesson.values[-1] - (2 * lesson.between.js - np.log(4)) for lesson in lessons]
    lowest, highest = min(gaps), max(gaps)
    error = max(lesson.error for lesson in lessons)
    return [
        Claim("a trained D comes within 0.005 of 2 JS - ln 4, on every seed",
              f"{-highest:.4f} to {-lowest:.4f} below", -lowest < 0.005),
        Claim("but never above", f"{-highest:.1e} below", highest <= 0),
        Claim("it is D* to 0.02 on average over p and q, on every seed",
              f"worst {error:.4f}", error < 0.02),
    ]  # fmt: skip


def _figure(lessons: list[Lesson]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for lesson in lessons:
        left.plot(lesson.steps, lesson.values, linewidth=1)
    best = 2 * lessons[0].between.js - np.log(4)
    left.axhline(best, color="black", linestyle=":")
    left.text(1, best, "2 JS - ln 4", va="bottom")
    left.axhline(-np.log(4), color="gray", linestyle=":")
    left.text(1, -np.log(4), "-ln 4", va="bottom")
    left.set(
        title="V(D), every seed", xlabel="training step", xscale="log", ylim=(-1.45, best + 0.1)
    )
    _draw_lesson(middle, lessons[0])
    _draw_divergences(right)
    return figure


def _draw_lesson(axis: Any, lesson: Lesson) -> None:
    x = lesson.between.x
    for log_density, name in ((lesson.between.log_p, "p"), (lesson.between.log_q, "q")):
        axis.fill_between(x, np.exp(log_density), alpha=0.25, label=name)
    last = len(lesson.steps) - 1
    for place, shade in ((last // 2, 0.3), (3 * last // 4, 0.6), (last, 1.0)):
        label = f"D after {lesson.steps[place]:,} steps"
        axis.plot(x, sigmoid(lesson.logits[place]), color="tab:red", alpha=shade, label=label)
    axis.plot(x, sigmoid(lesson.between.best), color="black", linestyle=":", label="D*")
    axis.set(title="a discriminator learns", xlim=(-6, 6), ylim=(0, 1.4), xlabel="x")
    axis.legend(fontsize=8, loc="upper center", ncols=2)


def _draw_divergences(axis: Any) -> None:
    shifts = np.linspace(0, 6, 61)
    moved = [Between(NormalMixture((0.0,)), NormalMixture((float(shift),))) for shift in shifts]
    axis.plot(shifts, [between.js for between in moved], label="JS")
    axis.plot(shifts, [between.kl for between in moved], label="KL")
    axis.axhline(np.log(2), color="black", linestyle=":")
    axis.text(6, np.log(2), "ln 2", va="bottom", ha="right")
    axis.set(title="N(0, 1) and N(shift, 1)", xlabel="shift", ylim=(0, 2))
    axis.legend()


EXPERIMENT = Experiment(
    name="gan-theory",
    summary="D* = p / (p + q), V(D*, G) = 2 JS - ln 4, JS = I(X; Z); a trained D gets there",
    source="Goodfellow et al. (2014), section 4.1",
    page=PAGE,
    run=run,
)
