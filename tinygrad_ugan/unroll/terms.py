"""The exact gradient taken apart: the direct term, and what each inner step contributes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.autodiff.defensive_copies import writable_copy
from tinygrad_ugan.tree import add, is_finite, vdot
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.adjoint import backsteps, outer_gradients
from tinygrad_ugan.unroll.dynamics import InnerState
from tinygrad_ugan.unroll.fused import Parts, parts, why_not_auto
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import (
    Problem,
    check_parameters,
    explain_non_finite,
    make_problem,
    through_samples,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


class Trajectory(NamedTuple):
    """Where the discriminator goes.

    Attributes
    ----------
    thetas : tuple of K + 1 pytrees
        theta_0 ... theta_K.
    inner_values : ndarray, shape (K + 1,)
        inner(theta_G, theta_k, b_k).
    """

    thetas: tuple[PyTree, ...]
    inner_values: NDArray


@dataclass(frozen=True)
class Terms:
    """What `decompose` returns: f_K, its exact gradient, and where each part comes from.

    Attributes
    ----------
    value : float
        f_K.
    total, direct, indirect : pytree like theta_g
        ``total = direct + indirect``: d f_K/d theta_G; with theta_K held constant; through theta_K.
    per_step : tuple of K pytrees like theta_g
        c_k, whose sum is the indirect term: what flows through the gradient of step k.
    trajectory : tuple of K + 1 pytrees
        theta_0 ... theta_K.
    inner_values : ndarray, shape (K + 1,)
        inner(theta_G, theta_k, b_k).
    grad_theta_d : pytree like theta_d
        lambda_0 = d f_K / d theta_0.
    grad_lr : ndarray, shape (K,)
        <lambda_{k+1}, g_k> = d f_K / d eta_k.
    adjoint_norms : ndarray, shape (K + 1,)
        ||lambda_k||.
    """

    value: Any
    total: PyTree
    direct: PyTree
    indirect: PyTree
    per_step: tuple[PyTree, ...]
    trajectory: tuple[PyTree, ...]
    inner_values: NDArray
    grad_theta_d: PyTree
    grad_lr: NDArray
    adjoint_norms: NDArray

    @property
    def norm_ratio(self) -> float:
        """``||indirect|| / ||direct||``; infinite if the direct term is zero and the other not."""
        return _ratio(_norm(self.indirect), _norm(self.direct))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the direct and the indirect term; NaN if either is zero."""
        return _cosine(self.direct, self.indirect)

    def table(self) -> Table:
        """Return a `rich` table: norms, shares of the total, and cosines with it."""
        from rich.table import Table

        table = Table("term", "norm", "norm / total", "cosine with total", "cosine with direct")
        rows = {"total": self.total, "direct": self.direct, "indirect": self.indirect}
        rows |= {f"  c_{k}": c for k, c in enumerate(self.per_step)}
        for name, term in rows.items():
            table.add_row(
                name,
                f"{_norm(term):.4g}",
                f"{_ratio(_norm(term), _norm(self.total)):.3f}",
                f"{_cosine(term, self.total):+.3f}",
                f"{_cosine(term, self.direct):+.3f}",
            )
        return table

    def plot(self) -> Figure:
        """Draw what each term adds along the direction of the total; the bars sum to its norm."""
        from matplotlib.figure import Figure

        size = _norm(self.total)
        names = ["direct", *(f"$c_{{{k}}}$" for k in range(len(self.per_step)))]
        parts = [vdot(t, self.total) / size for t in (self.direct, *self.per_step)]
        figure = Figure(figsize=(max(4.0, 0.5 * len(names)), 3), layout="constrained")
        axis = figure.subplots()
        colors = ["tab:gray", *["tab:blue"] * len(self.per_step)]
        axis.bar(names, np.asarray(parts, float), color=colors)
        axis.axhline(color="black")
        axis.set(
            ylabel="component along the total",
            title=f"|total| = {size:.3g}, |indirect| / |direct| = {self.norm_ratio:.3g}",
        )
        return figure


def decompose(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float],
) -> Terms:
    """Take the exact gradient of f_K apart, term by term.

    d f_K/d theta_G = d outer/d theta_G + sum_k c_k, with c_k = eta_k d<g_k, lambda_{k+1}>/d
    theta_G and lambda_k = d f_K / d theta_k: the second term of equation 10 of Metz et al. (2016),
    step by step.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `value_and_grad`.

    Returns
    -------
    Terms

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    In the bilinear game V = x y every step contributes eta x, and the direct term y + K eta x.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> terms = ug.unroll.decompose(game, 2.0, 3.0, None, steps=2, lr=0.5)
    >>> float(terms.total), float(terms.direct), [float(c) for c in terms.per_step]
    (7.0, 5.0, [1.0, 1.0])
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    found = None
    if why_not_auto(problem) is None and (found := parts(problem)) is None:
        check_parameters(problem)
    found = found or _parts(problem)
    zeros = optree.tree_map(np.zeros_like, found.direct)
    indirect = functools.reduce(add, found.per_step, zeros)
    total = add(found.direct, indirect)
    if not is_finite((found.value, total)):
        raise explain_non_finite(problem)
    return Terms(total=total, indirect=indirect, **found._asdict())


def _parts(problem: Problem) -> Parts:
    """By the adjoint recursion, for any game."""
    reduced, pull_back = through_samples(problem)
    states = list(enumerate(reduced.states()))
    value, direct, lam, final = outer_gradients(reduced, iter(states[-1:]))
    backs = list(backsteps(reduced, iter(states[-2::-1]), lam, final))[::-1]
    return Parts(
        value=value,
        direct=pull_back(direct),
        per_step=tuple(pull_back(back.c) for back in backs),
        trajectory=_thetas(state for _, state in states),
        inner_values=_inner_values(reduced, [state.theta for _, state in states]),
        grad_theta_d=backs[0].lam if backs else lam,
        grad_lr=np.array([vdot(back.lam_next, back.g) for back in backs], float),
        adjoint_norms=np.array([*(_norm(back.lam) for back in backs), _norm(lam)]),
    )


def trajectory(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Any = None,
) -> Trajectory:
    """Take the K inner steps and return every theta_k, with the inner objective there.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr, optimizer
        See `value_and_grad`.

    Returns
    -------
    Trajectory

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> path = ug.unroll.trajectory(game, 2.0, 3.0, None, steps=2, lr=0.5)
    >>> [float(y) for y in path.thetas], path.inner_values
    ([3.0, 4.0, 5.0], array([ 6.,  8., 10.]))
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr, optimizer=optimizer)
    reduced, _ = through_samples(problem)
    thetas = _thetas(reduced.states())
    if not is_finite(thetas):
        raise explain_non_finite(problem)
    return Trajectory(thetas, _inner_values(reduced, thetas))


def _thetas(states: Iterable[InnerState]) -> tuple[PyTree, ...]:
    """theta_0 ... theta_K; the first is a copy, for it is the caller's own."""
    first, *rest = (state.theta for state in states)
    return optree.tree_map(writable_copy, first), *rest


def _inner_values(problem: Problem, thetas: Sequence[PyTree]) -> NDArray:
    return np.array(
        [
            problem.game.inner(problem.theta_g, theta, batch)
            for theta, batch in zip(thetas, problem.batches, strict=True)
        ]
    )


def _norm(tree: PyTree) -> float:
    return float(np.sqrt(vdot(tree, tree)))


def _ratio(a: float, b: float) -> float:
    if b == 0:
        return np.inf if a else 0.0
    return a / b


def _cosine(x: PyTree, y: PyTree) -> float:
    sizes = _norm(x) * _norm(y)
    return float(vdot(x, y)) / sizes if sizes else float("nan")
