"""Six losses: what their gradients mean at the best D, and what they do on the ring."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan import autodiff, gan, viz
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.normal_mixture import NormalMixture, quadrature
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.gan import LOSSES
from tinygrad_ugan.typing import Array

PAGE = """
With s the logit of a generated sample, D = sigmoid(s); D ascends its objective, G descends

| loss | D ascends | G descends |
|---|---|---|
| minimax | E log D(x) + E log(1 - D(G(z))) | E log(1 - D(G(z))) |
| non-saturating | the same | -E log D(G(z)) |
| maximum likelihood | the same | -E exp(s) / 2 |
| Wasserstein | E r - E s, r the logit of a real sample | -E s |
| least squares | -E (r - 1)^2 / 2 - E s^2 / 2 | E (s - 1)^2 / 2 |
| hinge | -E max(0, 1 - r) - E max(0, 1 + s) | -E s |

**Exercise 7.3.** At the best D, s = log p - log q with p the data's density and q the
generator's. While G moves, D holds still, so the expected gradient of E f(s(G(z))) is the
integral of f(s) dq. With f = -exp(s) = -p / q that is the integral of -p d(log q): **the gradient
of KL(p, q), maximum likelihood**. (With the tutorial's factor of 1/2 it is half of that.)
Likewise f = log(1 - D) gives that of 2 JS(p, q), and f = -log D that of KL(q, p) - 2 JS(p, q).
Checked here for G(z) = w z + b, by quadrature: the left side through G, with the library's own
losses; the right side by differentiating the divergence.

**On the ring**, all losses have the same settings, those of `ugan train ring-miniature` for 2,000
steps, tuned for none of them; the Wasserstein loss has no Lipschitz constraint other than the few
steps that D takes. What differs is the loss, and whether G looks 5 steps ahead.
"""

AHEAD = (0, 5)
RING = dataclasses.replace(gan.Config.miniature(), steps=2_000, evaluate_every=500, threads=1)
NAMES = {
    "minimax": "2 JS(p, q)",
    "nonsaturating": "KL(q, p) - 2 JS(p, q)",
    "max_likelihood": "KL(p, q) / 2",
}


def run(session: Session) -> Outcome:
    """Integrate, and train."""
    errors = {(case, loss): _error(*GAMES[case], loss) for case in GAMES for loss in NAMES}
    ring = dataclasses.replace(RING, steps=600) if session.quick else RING
    losses = ("minimax", "max_likelihood") if session.quick else tuple(LOSSES)
    runs = {
        (loss, K): [_train(session, ring, loss, K, seed) for seed in session.seeds]
        for K in AHEAD
        for loss in session.track(losses, f"ring, K = {K}")
    }
    claims = [*_claims_of_gradients(errors), *_claims_of_ring(runs, 6 if session.quick else 8)]
    rows = [_row(loss, K, group) for (loss, K), group in runs.items()]
    settings = {
        "quadrature": {case: [vars(p), theta.tolist()] for case, (p, theta) in GAMES.items()},
        "ring": ring.to_dict(),
    }
    return Outcome(claims, rows, {"samples": _samples(runs), "seeds": _intervals(runs)}, settings)


# What the gradients mean, by quadrature.

GAMES = {
    "one Gaussian": (NormalMixture((500.0,), (5.0,)), np.array([3.0, 495.0])),
    "two": (NormalMixture((-2.0, 2.0), (0.5, 1.0), (0.3, 0.7)), np.array([1.7, 0.4])),
}  # the data, and (w, b) of G(z) = w z + b


def _log_q(theta: Any, x: Any) -> Any:
    """The log density of w z + b."""
    w, b = theta[0], theta[1]
    return -(((x - b) / w) ** 2) / 2 - np.log(np.abs(w)) - np.log(2 * np.pi) / 2


def _error(p: NormalMixture, theta: Array, loss: str) -> float:
    """How far G's expected gradient at D* is from that of the divergence, as a part of it."""
    divergence = _divergence(p, theta, loss)
    expected = autodiff.grad(divergence)(theta)
    apart = _gradient_through_g(p, theta, loss) - expected
    return float(np.linalg.norm(apart) / np.linalg.norm(expected))


def _gradient_through_g(p: NormalMixture, theta: Array, loss: str) -> NDArray[np.float64]:
    """The integral of f'(s(x)) s'(x) dG/d(w, b) over q, with x = G(z) and D* held still."""
    x, weights = quadrature(p, _as_mixture(theta))

    def logit(u: Any) -> Any:
        return p.log_density(u) - _log_q(theta, u)

    def outer(s: Any) -> Any:
        return LOSSES[loss].outer(np.zeros(1), s)  # a mean over s, the logits

    logits = logit(x)
    pull = len(x) * autodiff.grad(outer)(logits) * autodiff.grad(lambda u: np.sum(logit(u)))(x)
    at_q = weights * np.exp(_log_q(theta, x))
    z = (x - theta[1]) / theta[0]  # dG/dw = z and dG/db = 1
    return np.array([at_q @ (pull * z), at_q @ pull])


def _divergence(p: NormalMixture, theta: Array, loss: str) -> Callable[[Any], Any]:
    """The divergence of `NAMES` as a function of (w, b), on the nodes that suit `theta`."""
    x, weights = quadrature(p, _as_mixture(theta))
    log_p = p.log_density(x)
    over_p = weights * np.exp(log_p)

    def double_js(theta: Any) -> Any:
        log_q = _log_q(theta, x)
        log_m = np.logaddexp(log_p, log_q) - np.log(2)
        return over_p @ (log_p - log_m) + np.sum(weights * np.exp(log_q) * (log_q - log_m))

    def reverse_kl(theta: Any) -> Any:
        log_q = _log_q(theta, x)
        return np.sum(weights * np.exp(log_q) * (log_q - log_p))

    return {
        "minimax": double_js,
        "nonsaturating": lambda theta: reverse_kl(theta) - double_js(theta),
        "max_likelihood": lambda theta: over_p @ (log_p - _log_q(theta, x)) / 2,
    }[loss]


def _as_mixture(theta: Array) -> NormalMixture:
    return NormalMixture((float(theta[1]),), (float(theta[0]),))


def _claims_of_gradients(errors: Mapping[tuple[str, str], float]) -> list[Claim]:
    worst = {
        loss: max(error for (_, other), error in errors.items() if other == loss) for loss in NAMES
    }
    return [
        Claim(
            f"{loss}: G's expected gradient at D* is that of {divergence}, to 1e-9",
            f"relative error {worst[loss]:.1e}",
            worst[loss] < 1e-9,
        )
        for loss, divergence in NAMES.items()
    ]


# The ring.

Runs = Mapping[tuple[str, int], Sequence[gan.Run | None]]


def _train(session: Session, ring: gan.Config, loss: str, K: int, seed: int) -> gan.Run | None:
    """Train; None if it leaves the finite numbers."""
    config = dataclasses.replace(ring, loss=loss, unroll=gan.Unroll(K), seed=seed)
    try:
        return session.train(f"{loss},K={K},seed={seed}", config)
    except NonFiniteError:
        return None


def _last(group: Sequence[gan.Run | None], column: str) -> NDArray[np.float64]:
    """A column of the metrics at the end; a run that is lost has no modes and no quality."""
    return np.array([getattr(run.metrics[-1], column) if run else 0.0 for run in group], float)


def _row(loss: str, K: int, group: Sequence[gan.Run | None]) -> dict[str, Any]:
    modes, quality = _last(group, "modes"), _last(group, "high_quality")
    low, high = viz.confidence_interval(quality)
    return {
        "loss": loss,
        "K": K,
        "modes: mean": float(modes.mean()),
        "fewest": int(modes.min()),
        "high quality": f"{quality.mean():.1%}",
        "95 % interval": f"{low:.1%} to {high:.1%}",
        "not finite": sum(run is None for run in group),
    }


def _claims_of_ring(runs: Runs, least: int) -> list[Claim]:
    losses = list(dict.fromkeys(loss for loss, _ in runs))
    modes = {key: _last(group, "modes") for key, group in runs.items()}
    fewest = {loss: modes[loss, 5].min() for loss in losses}
    ahead = {loss: modes[loss, 5].mean() - modes[loss, 0].mean() for loss in losses}
    weakest, least_ahead = min(losses, key=fewest.__getitem__), min(losses, key=ahead.__getitem__)
    return [
        Claim(
            f"ring, K = 5: at least {least} of 8 modes with every loss, on every seed",
            f"fewest {fewest[weakest]:.0f}, {weakest}",
            bool(fewest[weakest] >= least),
        ),
        Claim(
            "ring: K = 5 finds more modes than K = 0 with every loss, on average",
            f"at least {ahead[least_ahead]:.1f} more, {least_ahead}",
            ahead[least_ahead] > 0,
        ),
    ]


def _samples(runs: Runs) -> Any:
    """The first seed's samples at the end."""
    from matplotlib.figure import Figure

    losses = list(dict.fromkeys(loss for loss, _ in runs))
    figure = Figure(figsize=(2.1 * len(losses), 4.6), layout="constrained")
    axes = figure.subplots(len(AHEAD), len(losses))
    for row, K in zip(axes, AHEAD, strict=True):
        row[0].set_ylabel(f"K = {K}")
        for axis, loss in zip(row, losses, strict=True):
            axis.set(title=loss, xticks=[], yticks=[])
            if run := runs[loss, K][0]:
                shades = np.sqrt(viz.density(run.samples[-1], extent=3.0))
                axis.imshow(shades, origin="lower", cmap="Greens")
    return figure


def _intervals(runs: Runs) -> Any:
    groups = {
        f"{title}, K = {K}": {
            loss: _last(group, column) for (loss, other), group in runs.items() if other == K
        }
        for column, title in (("modes", "modes"), ("high_quality", "high quality"))
        for K in AHEAD
    }
    return viz.intervals(groups, dict(zip(groups, groups, strict=True)))


EXPERIMENT = Experiment(
    name="losses",
    summary="six losses: exercise 7.3 and what each gradient means; the ring with K = 0 and K = 5",
    source="Goodfellow (2016), NIPS tutorial, arXiv:1701.00160, exercise 7.3",
    page=PAGE,
    run=run,
)
