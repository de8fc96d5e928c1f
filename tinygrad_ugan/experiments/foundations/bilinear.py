"""The two exercises of Goodfellow's tutorial that pen and paper solve: 7.1 and 7.2."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan import autodiff, unroll, viz
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.nn.activations import log_sigmoid
from tinygrad_ugan.typing import Array

RATE, ETA, STEPS = 0.1, 0.1, 150  # of both players, of the look-ahead, and how many are taken
START = np.array([1.5, 0.0])
FIELDS = {"K = 0": 0, "K = 1": 1, "K = 5": 5, "K = 20": 20}
GAME = unroll.games.bilinear().game

PAGE = """
In the game V(x, y) = x y, where x descends and y ascends, the only equilibrium is (0, 0).

**In continuous time** x' = -y and y' = x: a circle of fixed radius; nobody ever gets nearer.
**Simultaneous steps** of size r multiply the radius by sqrt(1 + r^2): an outward spiral.
**Unrolling**: if x looks K steps of size eta ahead, it descends f_K = x y + K eta x^2. The
look-ahead is friction; half of that force is the direct term of the gradient, half the indirect
one. In continuous time any friction will do. A simultaneous step [[1 - 2 r g, -r], [r, 1]], with
g = K eta, has eigenvalues 1 - r g +- r sqrt(g^2 - 1). For g < 1 their modulus is
sqrt(1 - 2 r g + r^2), below 1 if and only if 2 g > r; for g >= 1 they are real, and above -1 if
and only if g < 1 / r + r / 4. So for r < 2 the spiral goes inwards if r / 2 < g < 1 / r + r / 4,
and slowly at either end: here r = 0.1, from 0.05 to 10. The table has the mean factor of 150 steps
from (1.5, 0), which need not yet be that of the larger eigenvalue (0.9732 for K = 20).

**Exercise 7.1**: the best discriminator is D* = p_data / (p_data + p_model). That takes densities
that are not zero everywhere at once: where both vanish, no sample ever says what D is to be. On
five points, the last of them with neither data nor model, ascent finds D* on the first four and
leaves the fifth where it was.
"""


def run(session: Session) -> Outcome:
    """Follow the players, and a discriminator on five points."""
    drift = _continuous_drift()
    paths = {name: _path(steps) for name, steps in FIELDS.items()}
    growth = {name: _growth(path) for name, path in paths.items()}
    error, untouched = _best_discriminator()
    expected = np.sqrt(1 + RATE**2)
    claims = [
        Claim("continuous time: the radius stays within 1e-9", f"drift {drift:.1e}", drift < 1e-9),
        Claim(
            "simultaneous steps: the radius grows by sqrt(1 + r^2) a step, to 1e-12",
            f"{growth['K = 0']:.9f} against {expected:.9f}",
            abs(growth["K = 0"] - expected) < 1e-12,
        ),
        Claim(
            "K = 1, 5 and 20: the spiral goes inwards",
            ", ".join(f"{factor:.4f}" for factor in list(growth.values())[1:]),
            all(factor < 1 for name, factor in growth.items() if name != "K = 0"),
        ),
        Claim("exercise 7.1: ascent finds D* to 1e-9", f"error {error:.1e}", error < 1e-9),
        Claim("and leaves D alone where both densities vanish", f"{untouched}", untouched == 0.0),
    ]
    rows = [{"player x": name, "radius, a step": growth[name]} for name in FIELDS]
    settings = {"rate": RATE, "eta": ETA, "steps": STEPS, "start": START.tolist()}
    return Outcome(claims, rows, {"paths": _figure(paths)}, settings)


def _velocity(point: Array, steps: int) -> Array:
    """(-d f_K / dx, dV / dy), by the engine."""
    return np.concatenate(
        unroll.field(GAME, point[:1], point[1:], None, steps=steps, lr=ETA), dtype=float
    )


def _continuous_drift() -> float:
    """How far the radius moves over one revolution in continuous time."""
    from scipy.integrate import solve_ivp

    flow = solve_ivp(
        lambda _, point: _velocity(point, 0), (0, 2 * np.pi), START, rtol=1e-11, atol=1e-12
    )
    return float(np.abs(np.linalg.norm(flow.y, axis=0) - np.linalg.norm(START)).max())


def _path(steps: int) -> Array:
    path = [START]
    for _ in range(STEPS):
        path.append(path[-1] + RATE * _velocity(path[-1], steps))
    return np.array(path)


def _growth(path: Array) -> float:
    """The factor of the radius, a step, over the whole path."""
    start, end = np.linalg.norm(path[[0, -1]], axis=1)
    return float((end / start) ** (1 / STEPS))


def _best_discriminator() -> tuple[float, float]:
    """The error of D against D* where there is mass, and how far it moved where there is none."""
    data, model = np.array([0.4, 0.3, 0.2, 0.1, 0.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.0])

    def value(logits: Any) -> Any:
        """V(D, G) = E_data log D + E_model log(1 - D), on points."""
        return np.sum(data * log_sigmoid(logits) + model * log_sigmoid(-logits))

    logits = np.zeros(5)
    for _ in range(400):
        logits = logits + 4 * autodiff.grad(value)(logits)
    found, best = 1 / (1 + np.exp(-logits[:4])), data[:4] / (data[:4] + model[:4])
    return float(np.abs(found - best).max()), float(abs(logits[4]))


def _figure(paths: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.4), layout="constrained")
    grid = np.linspace(-3.5, 3.5, 13)
    for axis, (name, path) in zip(figure.subplots(1, len(paths)), paths.items(), strict=True):
        arrows = np.array([[_velocity(np.array([x, y]), FIELDS[name]) for x in grid] for y in grid])
        viz.vector_field(axis, grid, arrows, path)
        axis.set_title(name)
    return figure


EXPERIMENT = Experiment(
    name="bilinear",
    summary="V = x y: the circle, the outward spiral, and how unrolling turns it inward",
    source="Goodfellow (2016), NIPS tutorial, arXiv:1701.00160, exercises 7.1 and 7.2",
    page=PAGE,
    run=run,
    seeds=1,
)
