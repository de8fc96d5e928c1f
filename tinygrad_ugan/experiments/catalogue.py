"""The experiments by name; each is the `EXPERIMENT` of a module of its own.

Only the module that is asked for is imported.
"""

from __future__ import annotations

import importlib

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.experiments.experiment import Experiment

_THEMES = {
    "foundations": ("gaussian-1d", "gan-theory", "bilinear", "simultaneous", "mode-collapse"),
    "unrolling": (
        "ring",
        "ring-best",
        "ring-notebook",
        "double-ring",
        "grid",
        "1200d",
        "exact-vs-detached",
        "limit",
        "museum",
    ),
    "applications": (
        "losses",
        "minibatch-discrimination",
        "semi-supervised",
        "discrete",
        "encoder",
        "infogan",
        "stacked-digits",
    ),
}
_RENAMED = {"1200d": "high_dimensional"}  # no name of a module starts with a digit


def names() -> tuple[str, ...]:
    """Return the names of all experiments, theme by theme."""
    return tuple(_modules())


def find(name: str) -> Experiment:
    """Return an experiment.

    Raises
    ------
    ArgumentError
        If there is none of that name.

    Examples
    --------
    >>> find("bilinear").summary
    'V = x y: the circle, the outward spiral, and how unrolling turns it inward'
    """
    modules = _modules()
    check_choice("experiment", name, modules)
    experiment: Experiment = importlib.import_module(modules[name]).EXPERIMENT
    return experiment


def _modules() -> dict[str, str]:
    return {
        name: f"{__package__}.{theme}.{_RENAMED.get(name, name.replace('-', '_'))}"
        for theme, members in _THEMES.items()
        for name in members
    }
