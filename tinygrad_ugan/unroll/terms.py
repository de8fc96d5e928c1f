"""The terms of an unrolled gradient, as a record that can be tabulated and drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optree

from tinygrad_ugan.tree import add, vdot
from tinygrad_ugan.typing import Array, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table


@dataclass(frozen=True)
class Terms:
    """f_K and its exact gradient, taken apart by `decompose`.

    Attributes
    ----------
    value : float
        f_K.
    total, direct, indirect : pytree like theta_g
        ``total = direct + indirect``: d f_K/d theta_G; with theta_K held constant; through theta_K.
    per_step : tuple of K pytrees like theta_g
        c_k, what flows through the gradient of step k; their sum is the indirect term.
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
    inner_values: Array
    grad_theta_d: PyTree
    grad_lr: Array
    adjoint_norms: Array

    @classmethod
    def of_parts(cls, *, direct: PyTree, per_step: Sequence[PyTree], **others: Any) -> Terms:
        """Add up the parts; `others` are the other attributes."""
        zeros = optree.tree_map(np.zeros_like, direct)
        indirect = functools.reduce(add, per_step, zeros)
        return cls(
            total=add(direct, indirect),
            direct=direct,
            indirect=indirect,
            per_step=tuple(per_step),
            **others,
        )

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


def _norm(tree: PyTree) -> float:
    return float(np.sqrt(vdot(tree, tree)))


def _ratio(a: float, b: float) -> float:
    if b == 0:
        return np.inf if a else 0.0
    return a / b


def _cosine(x: PyTree, y: PyTree) -> float:
    sizes = _norm(x) * _norm(y)
    return float(vdot(x, y)) / sizes if sizes else float("nan")
