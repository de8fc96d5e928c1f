"""The computation of an unrolled objective: the stages, and where gradients flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

FLOWS = {
    "computed from": "0.35",
    "gradient: direct term": "tab:blue",
    "gradient: indirect term, which detached drops": "tab:red",
}
"""The kinds of arrows, and their colours."""

_FORWARD, _DIRECT, _INDIRECT = FLOWS.values()
_TOP, _MIDDLE, _BOTTOM = 2.0, 1.0, 0.0
_FACES = {_TOP: "#e8f0fa", _MIDDLE: "#f4f4f4", _BOTTOM: "#eaf5e6"}
_HALF = np.array([0.27, 0.2])  # the half width and half height of a box
_APART = 0.05  # of the arrows of computation and of gradient, each from the line between boxes


class _Box(NamedTuple):
    """A box by the ends of its middle line."""

    left: float
    right: float
    y: float

    def nearest(self, x: float) -> NDArray[np.float64]:
        """The point of the middle line that is nearest to x."""
        return np.array([np.clip(x, self.left, self.right), self.y])


def computation_graph(axis: Axes, graph: Any) -> None:
    """Draw the stages of f_K, as figure 1 of Metz et al. (2016) does.

    The states theta_k stand above, the gradients g_k that move them below, and what both depend on
    at the bottom. Beside each arrow of the computation the gradient flows the other way: the direct
    term, and the indirect one, which is missing if theta_K is held constant.

    Parameters
    ----------
    axis : Axes
        To draw on.
    graph : unroll.ComputationGraph
        The stages, traced.
    """
    boxes = _boxes(graph)
    for source, target in sorted(graph.edges):
        _connect(axis, graph, (source, target), boxes)
    for name, box in boxes.items():
        _draw(axis, box, _label(name, graph.steps), graph.operations[name])
    axis.set(xlim=(-0.9, graph.steps + 0.9), ylim=(-0.3, 2.3), aspect="equal")
    axis.set_title(f"K = {graph.steps}")
    axis.axis("off")


def computation_legend(figure: Any) -> None:
    """Explain the arrows below the pictures of a figure."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=color, linewidth=1.6) for color in FLOWS.values()]
    figure.legend(lines, list(FLOWS), loc="outside lower center", ncols=3, frameon=False)


def _boxes(graph: Any) -> dict[str, _Box]:
    K = graph.steps
    boxes = {f"theta_{k}": _Box(k, k, _TOP) for k in range(K + 1)}
    boxes |= {f"g_{k}": _Box(k + 0.5, k + 0.5, _MIDDLE) for k in range(K)}
    boxes["f"] = _Box(K + 0.5, K + 0.5, _MIDDLE)
    if "samples" in graph.operations:
        return boxes | {
            "theta_G": _Box(-0.5, -0.5, _BOTTOM),
            "samples": _Box(0.5, K + 0.5, _BOTTOM),
        }
    return boxes | {"theta_G": _Box(0.5, K + 0.5, _BOTTOM)}


def _label(name: str, steps: int) -> str:
    if name == "samples":
        return r"$x = G(z;\, \theta_G)$"
    if name == "f":
        return rf"$f_{{{steps}}}$"
    letter, _, index = name.partition("_")
    letter = rf"\{letter}" if letter == "theta" else letter
    return rf"${letter}_{{{index}}}$"


def _draw(axis: Axes, box: _Box, label: str, operations: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    low = box.nearest(box.left) - _HALF
    width = box.right - box.left + 2 * _HALF[0]
    style = "round,pad=0,rounding_size=0.06"
    colors: Any = {"facecolor": _FACES[box.y], "edgecolor": "0.5"}
    axis.add_patch(FancyBboxPatch((low[0], low[1]), width, 2 * _HALF[1], style, **colors))
    x = (box.left + box.right) / 2
    centred: Any = {"ha": "center", "va": "center"}
    axis.text(x, box.y + 0.05, label, fontsize=12, **centred)
    count = f"{operations} op{'s' * (operations > 1)}." if operations else "given"
    axis.text(x, box.y - 0.12, count, fontsize=6, color="0.4", **centred)


def _connect(axis: Axes, graph: Any, edge: tuple[str, str], boxes: dict[str, _Box]) -> None:
    """The arrow of an edge; and beside it, if there is one, that of the gradient."""
    one, other = (boxes[name] for name in edge)
    start, end = one.nearest(other.left), other.nearest(one.right)
    along = end - start
    start, end = start + _inside(along) * along, end - _inside(along) * along
    if edge not in graph.direct | graph.indirect:
        _arrow(axis, start, end, _FORWARD)
        return
    aside = _APART * np.array([-along[1], along[0]]) / np.linalg.norm(along)
    _arrow(axis, start + aside, end + aside, _FORWARD)
    _arrow(axis, end - aside, start - aside, _DIRECT if edge in graph.direct else _INDIRECT)


def _inside(along: NDArray[np.float64]) -> float:
    """The part of a line between the middles of two boxes that lies in either of them."""
    with np.errstate(divide="ignore"):
        return float(np.min(_HALF / np.abs(along)))


def _arrow(axis: Axes, start: NDArray[np.float64], end: NDArray[np.float64], color: str) -> None:
    style: Any = {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, "shrinkA": 1, "shrinkB": 1}
    axis.annotate(
        "", (end[0], end[1]), (start[0], start[1]), arrowprops={**style, "mutation_scale": 9}
    )
