"""The games of the map: a cell is a setting, trained by several methods."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tinygrad_ugan.gan import Config

LOSSES = ("minimax", "nonsaturating")
WIDTHS = (32, 128, 512)
STEPS = (1, 3, 10)
RATES = (0.03, 0.1, 0.3, 1.0)
EDGE_RATES = (0.05, 0.07, 0.1, 0.14, 0.2, 0.3)  # where collapse ends, with K = 1


class Cell(NamedTuple):
    """A setting: the loss, the width of D's hidden layer, K, and the inner step size."""

    loss: str
    width: int
    steps: int
    lr: float

    def __str__(self) -> str:
        return f"{self.loss}, width {self.width}, K = {self.steps}, eta = {self.lr:g}"


CELLS = tuple(
    Cell(loss, width, steps, lr)
    for loss in LOSSES
    for width in WIDTHS
    for steps in STEPS
    for lr in RATES
)

BASE = Config.miniature().updated(
    {
        "steps": 1_000,
        "evaluate_every": 50,
        "pictures": 1,
        "checkpoint_every": 1_000,
        "checkpoints": 1,
    }
)


_METHODS: Mapping[str, Any] = MappingProxyType(
    {
        "exact": lambda steps: {},
        "detached": lambda steps: {"unroll": {"method": "detached"}},
        "detached, 2 K": lambda steps: {"unroll": {"method": "detached", "steps": 2 * steps}},
        "last step only": lambda steps: {"unroll": {"truncate": 1}},
        "last half": lambda steps: {"unroll": {"truncate": (steps + 1) // 2}},
        "exact, fresh batches": lambda steps: {"unroll": {"fresh": True}},
        "Chainer's": lambda steps: {
            "unroll": {"method": "detached", "fresh": True},
            "update": {"scheme": "simultaneous"},
        },
        "theta_D^K kept": lambda steps: {"update": {"keep": "last"}},
    }
)
METHODS = tuple(_METHODS)


def config(cell: Cell, method: str, seed: int) -> Config:
    """The settings of one run."""
    settings = {
        "loss": cell.loss,
        "seed": seed,
        "networks": {"discriminator": (cell.width,)},
        "unroll": {"steps": cell.steps, "lr": cell.lr},
    }
    return BASE.updated(settings).updated(_METHODS[method](cell.steps))


def label(cell: Cell, method: str, seed: int) -> str:
    """The name of a run's folder."""
    name = method.replace(", ", "-").replace(" ", "-").replace("^", "").replace("'", "")
    return f"{cell.loss}-D{cell.width}-K{cell.steps}-eta{cell.lr:g}-{name}-seed{seed}"
