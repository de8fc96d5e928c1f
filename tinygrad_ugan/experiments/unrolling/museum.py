"""A museum of mistakes: each verdict of the auditor, trained, beside the exact gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import optim, tree, unroll
from tinygrad_ugan.check.audit import mistakes
from tinygrad_ugan.check.audit.step_size import with_step_size_times
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config, Draws, TrainStep, mode_coverage
from tinygrad_ugan.gan.training.sampler import evaluation_rng, streams
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.fusable import why_not_fused
from tinygrad_ugan.unroll.fused import fused
from tinygrad_ugan.unroll.problem import Problem, make_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

K, ETA = 5, 0.1
EVERY, LAST = 25, 5  # steps between two looks, and the looks at the end that are judged
RATE, BILINEAR_STEPS, START = 0.1, 150, (1.5, 0.0)
ADAM = optim.Adam(lr=1e-3, beta1=0.5)
CONFIG = PRESETS["ring-miniature"].updated(
    {"unroll": {"steps": K, "lr": ETA}, "steps": 1_000, "evaluation_samples": 1_000}
)
BILINEAR = unroll.games.bilinear().game

Gradient = Callable[[Problem], PyTree]
Rings = Mapping[str, Sequence[Mapping[str, Array]]]  # what `train` returns, seed by seed


def solve(problem: Problem) -> PyTree:
    """The exact gradient of a problem, by the quickest way."""
    method = fused if why_not_fused(problem) is None else adjoint
    return method(problem)[1]


def of_altered(alter: Callable[[Problem], Iterable[tuple[str, Problem]]]) -> Gradient:
    """The exact gradient of the first problem that a mistake makes of the one given."""

    def gradient(problem: Problem) -> PyTree:
        _, altered = next(iter(alter(problem)))
        return solve(altered)

    return gradient


def detached(problem: Problem) -> PyTree:
    """The direct term."""
    return solve(replace(problem, constant_steps=problem.steps))


def indirect(problem: Problem) -> PyTree:
    """The indirect term."""
    return tree.axpy(-1.0, detached(problem), solve(problem))


def times(factor: float, gradient: Gradient = solve) -> Gradient:
    """A multiple of a gradient."""
    return lambda problem: optree.tree_map(lambda g: factor * g, gradient(problem))


def at_step_size(factor: float) -> Gradient:
    """The exact gradient with inner steps of another size."""
    return lambda problem: solve(with_step_size_times(problem, factor))


def no_curvature(problem: Problem) -> PyTree:
    """Each step differentiated by theta_G alone; by way of the samples, which is quicker."""
    reduced, pull_back = problem.on_samples()
    return pull_back(of_altered(mistakes.without_curvature)(reduced))


def last_step_only(problem: Problem) -> PyTree:
    """Truncated to one step."""
    return solve(replace(problem, constant_steps=problem.steps - 1))


def second_term_negated(problem: Problem) -> PyTree:
    """The direct term minus the indirect one."""
    return tree.axpy(-2.0, indirect(problem), solve(problem))


class Exhibit(NamedTuple):
    """A way to train that is right, or wrong in one respect.

    Attributes
    ----------
    verdict : str
        The auditor's on the gradient; of the negated second term it has none.
    gradient : callable
        From the unrolled problem to what the generator descends.
    keeps : bool
        Whether the discriminator goes on from theta_D^K, in place of its one real step.
    optimizer : Optimizer or None
        Takes the unrolled steps, in place of plain ascent.
    remembers : bool
        Whether that optimiser's state is not restored after them.
    """

    verdict: str
    gradient: Gradient = solve
    keeps: bool = False
    optimizer: Any = None
    remembers: bool = False

    @property
    def in_bilinear(self) -> bool:
        """Whether the bilinear game, with one loss and no batch, has such a thing."""
        return self.optimizer is None and self.verdict not in ("wrong_loss", "wrong_scale")


EXHIBITS: Mapping[str, Exhibit] = {
    "exact": Exhibit("exact"),
    "detached": Exhibit("detached", detached),
    "last step only": Exhibit("truncated", last_step_only),
    "no curvature": Exhibit("no_curvature", no_curvature),
    "ordinary gradient": Exhibit("lookahead", of_altered(mistakes.without_steps)),
    "stale gradient": Exhibit("stale", of_altered(mistakes.with_stale_gradient)),
    "weights of 1": Exhibit("replaced", of_altered(mistakes.weights_replaced)),
    "one step too few": Exhibit("wrong_steps", of_altered(mistakes.with_other_steps)),
    "half the step": Exhibit("wrong_step_size", at_step_size(0.5)),
    "D descends": Exhibit("wrong_direction", at_step_size(-1.0)),
    "theta_D^K kept": Exhibit("kept", keeps=True),
    "from theta_D^1": Exhibit("moved_first", of_altered(mistakes.after_the_real_step)),
    "sum, not mean": Exhibit("wrong_scale", times(float(CONFIG.batch))),
    "sign of f_K": Exhibit("wrong_sign", times(-1.0)),
    "sign of second term": Exhibit("unknown", second_term_negated),
    "second term alone": Exhibit("indirect_only", indirect),
    "nothing arrives": Exhibit("zero", times(0.0)),
    "other loss": Exhibit("wrong_loss", of_altered(mistakes.with_another_loss)),
    "Adam unrolled": Exhibit("exact", optimizer=ADAM),
    "Adam, not restored": Exhibit("state_not_restored", optimizer=ADAM, remembers=True),
}

RUINOUS = (
    "ordinary gradient", "weights of 1", "D descends", "sign of f_K", "second term alone",
    "nothing arrives",
)  # fmt: skip

PAGE = f"""
Each verdict of the auditor ([verdicts.md](../../verdicts.md)) as a training: what the generator
descends is the gradient that the mistake computes, and all else is the same. *Sign of second term*
is a mistake that the auditor knows no name for. The last two unroll Adam at 1e-3, once from a fresh
state each time, once from the state that the steps before have left.

Left of each pair: the ring in miniature, minimax, K = {K} plain steps of {ETA}, after 1,000 steps;
generated samples in blue on the modes in grey. Right: the bilinear game V = x y from the dot, 150
simultaneous steps of 0.1 of both players, x looking as many steps ahead; the equilibrium is in the
middle. Empty where the game has no such thing.

*Modes* and *% HQ* are means over the last {LAST} looks, {EVERY} steps apart, then over seeds.
"""

REMARKS = """
**Six mistakes ruin training at once**, and are seen: the ordinary gradient chases one mode after
the other, the second term alone drifts, the generator runs out of the picture where the sign, the
direction of D or its weights are wrong, and stays where it was if nothing arrives.

**Three blur it**: half the step, theta_D^K kept, and a wrong sign of the second term, which is as
far from the detached gradient as that is from the exact one. They find the ring, later and less
sharply.

**The others hide.** After these 1,000 steps the detached gradient, a truncated or a stale one, lost
curvature, a missing step and a start at theta_D^1 look like the exact gradient, within what five
seeds can tell; the bilinear game shows some of them, and is blind to others. Adam takes a sum for a
mean. The non-saturating loss in place of the declared one, and Adam's moments that are not
restored, look better than what was meant: they are mistakes because the numbers are those of
another algorithm. Samples do not tell; an audit does.

The thresholds were set after a look at seed 0, and the last claim after seeds 0 to 2: on these it
is no test. The seconds were taken while the machine did other work.
"""


def run(session: Session) -> Outcome:
    """Train every exhibit on both games."""
    chosen: Iterable[str] = EXHIBITS
    config = CONFIG
    if session.quick:
        chosen = ("exact", "detached", "ordinary gradient", "nothing arrives")
        config = CONFIG.updated({"networks": {"noise": 8}})
    rings = {
        name: [_cached(session, name, config.updated({"seed": seed})) for seed in session.seeds]
        for name in session.track(chosen, "exhibits")
    }
    paths = {name: bilinear_path(each) for name, each in EXHIBITS.items() if each.in_bilinear}
    return Outcome(
        claims=[*_bilinear_claims(paths), *_ring_claims(rings, session.quick)],
        rows=[_row(name, rings[name], paths.get(name)) for name in rings],
        figures={"museum": _figure(rings, paths)},
        settings={**config.to_dict(), "rate": RATE, "adam": ADAM.lr},
        remarks="" if session.quick else REMARKS,
    )


# The ring.


def _cached(session: Session, name: str, config: Config) -> Mapping[str, Array]:
    settings = {"exhibit": name, "config": config.to_dict()}
    label = f"{name.replace(' ', '-').replace(',', '')}-seed{config.seed}"
    return session.obtain(label, settings, lambda: train(EXHIBITS[name], config))


def train(exhibit: Exhibit, config: Config) -> dict[str, Array]:
    """Train on the ring; return modes and % of high quality at each look, and the last samples."""
    take = TrainStep(config)
    data, game = config.build_data(), take.game
    noise = evaluation_rng(config).standard_normal(
        (config.evaluation_samples, config.networks.noise), config.dtype
    )
    found = []
    for state in states(exhibit, take):
        if state.step % EVERY == 0:
            samples = np.asarray(game.generator(state.theta_g, noise))
            found.append(mode_coverage(samples, data.centers(), data.std))
    modes, quality = np.array(found, float).T
    return {"modes": modes, "quality": 100 * quality, "samples": samples}


class Players(NamedTuple):
    """Both players, and the steps taken."""

    theta_g: PyTree
    theta_d: PyTree
    step: int


def states(exhibit: Exhibit, take: TrainStep) -> Iterator[Players]:
    """The states of alternating training, with the exhibit in place of the exact gradient."""
    config, game, players = take.config, take.game, take.setup.optimizers
    init_rng, batch_rng = streams(config)
    start = take.init(init_rng)
    (theta_g, theta_d), (memory_g, memory_d) = start[:2], start[2:4]
    draws, factors, carried = Draws(take.setup, batch_rng), config.factors(), None
    yield Players(theta_g, theta_d, 0)
    for step in range(config.steps):
        (batch,) = draws.next()
        scales = [factor(step) for factor in factors]
        problem = _problem(exhibit, (game, theta_g, theta_d, batch), carried)
        gradient = exhibit.gradient(problem)
        if exhibit.keeps or exhibit.remembers:
            last = mistakes.last_state(problem)
            carried = last.memory if exhibit.remembers else None
        theta_g, memory_g = optim.descend(
            players["generator"], gradient, memory_g, theta_g, scales[0]
        )
        if exhibit.keeps:
            theta_d = last.theta
        else:
            _, ascent = unroll.ascent(game, theta_g, theta_d, batch)
            down = optree.tree_map(np.negative, ascent)
            theta_d, memory_d = optim.descend(
                players["discriminator"], down, memory_d, theta_d, scales[1]
            )
        yield Players(theta_g, theta_d, step + 1)


def _problem(exhibit: Exhibit, place: Sequence[Any], carried: PyTree) -> Problem:
    if exhibit.optimizer is None:
        return make_problem(*place, steps=K, lr=ETA)
    return make_problem(*place, steps=K, lr=None, optimizer=exhibit.optimizer, state=carried)


# The bilinear game.


def bilinear_path(exhibit: Exhibit) -> Array:
    """The way of both players, shape (steps + 1, 2)."""
    x, y = (np.array([each]) for each in START)
    path = [(x, y)]
    for _ in range(BILINEAR_STEPS):
        problem = make_problem(BILINEAR, x, y, None, steps=K, lr=ETA)
        moved = mistakes.last_state(problem).theta if exhibit.keeps else y + RATE * x
        x, y = x - RATE * exhibit.gradient(problem), moved
        path.append((x, y))
    return np.array(path)[:, :, 0]


def growth(path: Array) -> float:
    """The factor of the radius, a step, over a whole path."""
    start, end = np.linalg.norm(path[[0, -1]], axis=1)
    return float((end / start) ** (1 / (len(path) - 1)))


# What is claimed, and shown.


def late(runs: Sequence[Mapping[str, Array]], name: str) -> Array:
    """A measure by its mean over the last looks, seed by seed."""
    return np.array([run[name][-LAST:].mean() for run in runs])


def _bilinear_claims(paths: Mapping[str, Array]) -> list[Claim]:
    exact, ordinary = paths["exact"], paths["ordinary gradient"]
    factors = {name: growth(path) for name, path in paths.items()}
    expected = float(np.sqrt(1 + RATE**2))

    def apart(name: str, other: Array) -> float:
        return float(np.abs(paths[name] - other).max())

    same = [apart(name, exact) for name in ("stale gradient", "no curvature")]
    negated = apart("sign of second term", ordinary)
    return [
        Claim(
            "bilinear: the ordinary gradient spirals out by sqrt(1 + r^2) a step, to 1e-12",
            f"{factors['ordinary gradient']:.9f} against {expected:.9f}",
            abs(factors["ordinary gradient"] - expected) < 1e-12,
        ),
        Claim(
            "bilinear: the exact one spirals in, and faster than the detached one",
            f"{factors['exact']:.4f}, {factors['detached']:.4f}",
            factors["exact"] < factors["detached"] < 1,
        ),
        Claim(
            "bilinear: the second term with a wrong sign undoes the look-ahead: the ordinary path",
            f"{negated:.1e} apart",
            negated < 1e-12,
        ),
        Claim(
            "bilinear: a stale gradient and lost curvature do not show: the exact path",
            f"{max(same):.1e} apart",
            max(same) < 1e-12,
        ),
    ]


def _ring_claims(rings: Rings, quick: bool) -> list[Claim]:
    modes = {name: late(runs, "modes").mean() for name, runs in rings.items()}
    least, most = 7, 4 if quick else 2
    ruined = {name: modes[name] for name in RUINOUS if name in modes}
    claims = [
        Claim(
            f"ring: the exact gradient has at least {least} modes on average",
            f"{modes['exact']:.2f}",
            bool(modes["exact"] >= least),
        ),
        Claim(
            f"ring: each of {', '.join(ruined)} has at most {most} on average",
            ", ".join(f"{value:.2f}" for value in ruined.values()),
            max(ruined.values()) <= most,
        ),
    ]
    if quick:
        return claims
    right, wrong = (late(rings[name], "quality") for name in ("exact", "sign of second term"))
    text = "ring: with the sign of the second term wrong, less of high quality on every seed"
    seen = f"{comparison.estimate(wrong)} % against {comparison.estimate(right)} %"
    return [*claims, Claim(text, seen, bool((wrong < right).all()))]


def _row(name: str, runs: Sequence[Mapping[str, Array]], path: Array | None) -> dict[str, str]:
    return {
        "": name,
        "verdict": EXHIBITS[name].verdict,
        "modes": comparison.estimate(late(runs, "modes")),
        "% HQ": comparison.estimate(late(runs, "quality")),
        "bilinear: radius, a step": "" if path is None else f"{growth(path):.4f}",
    }


def _figure(rings: Rings, paths: Mapping[str, Array]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(5, len(rings))
    rows = -(-len(rings) // columns)
    figure = Figure(figsize=(3.1 * columns, 1.85 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * columns, squeeze=False)
    centers, pairs = CONFIG.build_data().centers(), axes.reshape(-1, 2)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], aspect="equal")
        axis.axis("off")
    for (ring, plane), (name, runs) in zip(pairs, rings.items(), strict=False):
        modes = late(runs, "modes").mean()
        ring.axis("on")
        ring.plot(*centers.T, "o", color="0.8", markersize=8)
        ring.plot(*runs[0]["samples"][:500].T, ".", color="tab:blue", markersize=1.5)
        ring.set(xlim=(-3, 3), ylim=(-3, 3))
        ring.set_title(f"{name}\n{modes:.1f} of {len(centers)} modes", fontsize=8, loc="left")
        if (path := paths.get(name)) is not None:
            plane.axis("on")
            plane.plot(*path.T, color="tab:orange", linewidth=0.9)
            plane.plot(*path[0], "o", color="black", markersize=3)
            plane.plot(0, 0, "+", color="black", markersize=5)
            plane.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
            plane.set_title(f"{growth(path):.3f} a step", fontsize=8, loc="left")
    return figure


EXPERIMENT = Experiment(
    name="museum",
    summary="each mistake that the auditor knows, trained on the ring and in the bilinear game",
    source="the mistakes of public code: docs/verdicts.md",
    page=PAGE,
    run=run,
    seeds=5,
)
