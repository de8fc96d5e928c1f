"""Both players at once, or one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan import gan, unroll, viz
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.typing import Array

SCHEMES = ("alternating", "simultaneous")
RATE, ETA, TURNS = 0.1, 0.1, 1_000  # in V = x y
BILINEAR = unroll.games.bilinear().game
START = np.array([1.5, 0.0])
RING = dataclasses.replace(gan.Config.miniature(), steps=1_500, evaluate_every=250, threads=1)
AHEAD = (0, 5)

PAGE = """
Both players may step from where they are (**simultaneous**), or G steps first and D answers what
it sees then (**alternating**, which is how GANs are usually trained). Each takes as many steps
either way.

**V = x y, with pen and paper.** The simultaneous step [[1, -r], [r, 1]] has eigenvalues 1 +- i r
of modulus sqrt(1 + r^2): outwards, always. The alternating one, [[1, -r], [r, 1 - r^2]], has
determinant 1 and eigenvalues on the unit circle: it stays on the ellipse x^2 - r x y + y^2 =
const for ever, and neither diverges nor converges. It takes the look-ahead to go inwards, and
then both do.

**On the ring**, `update.scheme` is all that differs: the same seeds have the same initial
weights, data and noise. The settings are those of `ugan train ring-miniature`, for 1,500 steps.
The differences are taken seed by seed; the interval is Student's at 95 %, and p is that of
Wilcoxon's signed-rank test.
"""


def run(session: Session) -> Outcome:
    """Follow V = x y, and train on the ring."""
    ring = dataclasses.replace(RING, steps=600) if session.quick else RING
    finals = {
        (ahead, scheme): [
            _train(session, ring, ahead, scheme, seed)
            for seed in session.track(session.seeds, f"K = {ahead}, {scheme}")
        ]
        for ahead in AHEAD
        for scheme in SCHEMES
    }
    paths = {(K, scheme): _path(K, scheme) for K in (0, 1) for scheme in SCHEMES}
    claims = [*_claims_of_bilinear(paths), *_claims_of_ring(finals, 6 if session.quick else 8)]
    rows = [_compared(ahead, finals) for ahead in AHEAD]
    settings = {
        "bilinear": {"rate": RATE, "eta": ETA, "steps": TURNS}, "ring": ring.to_dict(),
    }  # fmt: skip
    figures = {"players": _figure(paths, finals)}
    return Outcome(claims, rows, figures, settings, _remarks(finals))


# V = x y.


def _path(K: int, scheme: str) -> Array:
    """The points that the players pass, shape (steps + 1, 2)."""
    path = [START]
    for _ in range(TURNS):
        x, y = path[-1]
        new_x = x + RATE * _velocity(x, y, K)[0]
        seen = new_x if scheme == "alternating" else x
        path.append(np.array([new_x, y + RATE * _velocity(seen, y, K)[1]]))
    return np.array(path)


def _velocity(x: float, y: float, K: int) -> tuple[float, float]:
    """(-d f_K / dx, dV / dy), by the engine."""
    place = np.array([x]), np.array([y])
    down, up = unroll.field(BILINEAR, *place, None, steps=K, lr=ETA)
    return float(down[0]), float(up[0])


def _claims_of_bilinear(paths: Mapping[tuple[int, str], Array]) -> list[Claim]:
    grown = np.linalg.norm(paths[0, "simultaneous"], axis=1)
    error = np.abs(grown[1:] / grown[:-1] / np.sqrt(1 + RATE**2) - 1).max()
    x, y = paths[0, "alternating"].T
    ellipse = x**2 - RATE * x * y + y**2
    drift = np.ptp(ellipse) / ellipse[0]
    ends = [float(np.linalg.norm(paths[1, scheme][-1])) for scheme in SCHEMES]
    return [
        Claim("V = x y, simultaneous: the radius grows by sqrt(1 + r^2) every step, to 1e-12",
              f"off by {error:.1e}", bool(error < 1e-12)),
        Claim(f"alternating: x^2 - r x y + y^2 stays within 1e-12 for {TURNS:,} steps",
              f"drift {drift:.1e}", bool(drift < 1e-12)),
        Claim("K = 1: both arrive at (0, 0) within 0.02",
              ", ".join(f"{end:.4f}" for end in ends), max(ends) < 0.02),
    ]  # fmt: skip


# The ring.

Finals = Mapping[tuple[int, str], Sequence[gan.Row]]


def _train(session: Session, ring: gan.Config, ahead: int, scheme: str, seed: int) -> gan.Row:
    config = dataclasses.replace(
        ring, seed=seed, unroll=gan.Unroll(ahead), update=gan.Update(scheme)
    )
    return session.train(f"K={ahead},{scheme},seed={seed}", config).metrics[-1]


def _values(rows: Sequence[gan.Row], measure: str) -> NDArray[np.float64]:
    return np.array([getattr(row, measure) for row in rows], float)


def _compared(ahead: int, finals: Finals) -> dict[str, Any]:
    from scipy.stats import wilcoxon

    one, other = (finals[ahead, scheme] for scheme in SCHEMES)
    modes = [_values(rows, "modes").mean() for rows in (one, other)]
    quality = [_values(rows, "high_quality") for rows in (one, other)]
    apart = quality[0] - quality[1]
    low, high = viz.confidence_interval(apart)
    p = wilcoxon(apart).pvalue if apart.any() else 1.0
    return {
        "K": ahead,
        "modes: alternating": modes[0],
        "simultaneous": modes[1],
        "high quality: alternating ": f"{quality[0].mean():.1%}",
        "simultaneous ": f"{quality[1].mean():.1%}",
        "difference": f"{apart.mean():+.1%}, from {low:+.1%} to {high:+.1%}",
        "p": f"{p:.2f}",
    }


def _claims_of_ring(finals: Finals, least: int) -> list[Claim]:
    modes = {key: _values(rows, "modes") for key, rows in finals.items()}
    fewest = min(modes[5, scheme].min() for scheme in SCHEMES)
    most = max(modes[0, scheme].max() for scheme in SCHEMES)
    return [
        Claim(f"ring, K = 5: at least {least} of 8 modes on every seed, with either scheme",
              f"fewest {fewest:.0f}", bool(fewest >= least)),
        Claim("ring, K = 0: at most 4 modes on any seed, with either scheme",
              f"most {most:.0f}", bool(most <= 4)),
    ]  # fmt: skip


def _remarks(finals: Finals) -> str:
    one, other = (_values(finals[5, scheme], "high_quality") for scheme in SCHEMES)
    ahead = (one > other).sum()
    return f"With K = 5 alternation is ahead in high quality on {ahead} of {len(one)} seeds."


def _figure(paths: Mapping[tuple[int, str], Array], finals: Finals) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.9), layout="constrained")
    *planes, ring = figure.subplots(1, 3)
    for axis, K in zip(planes, (0, 1), strict=True):
        for scheme in SCHEMES:
            axis.plot(*paths[K, scheme][:200].T, label=scheme, linewidth=1.2)
        axis.plot(*START, "o", color="black")
        axis.set(title=f"V = x y, K = {K}: 200 steps", xlabel="x", ylabel="y", aspect="equal")
    planes[0].legend(loc="center", fontsize=8, frameon=False, handlelength=1)
    for ahead, color in zip(AHEAD, ("tab:gray", "tab:green"), strict=True):
        pairs = np.array([_values(finals[ahead, scheme], "high_quality") for scheme in SCHEMES])
        lines = ring.plot(SCHEMES, pairs, "o-", color=color, linewidth=1, markersize=4)
        lines[0].set_label(f"K = {ahead}")
    ring.set(title="ring: high quality, a line for each seed", xlim=(-0.3, 1.3), ylim=(-0.02, None))
    ring.legend()
    return figure


EXPERIMENT = Experiment(
    name="simultaneous",
    summary="both players at once, or one after the other: V = x y, and the ring seed by seed",
    source="Goodfellow (2016), NIPS tutorial, arXiv:1701.00160, section 5, Non-convergence",
    page=PAGE,
    run=run,
    seeds=10,
)
