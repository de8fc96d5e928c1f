"""Watch over the unrolled steps: a warning where their size is beyond what the curvature allows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_ugan import unroll
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.step import State

PRODUCTS = 8
"""Products with the Hessian at a look: enough for two digits of the limit, and the time of about
25 unrolled steps."""

LEAST_WORK = 1_000
"""Unrolled and real steps between two looks, of which these are then a few per cent."""


class StepSizeWatch:
    """Looks at the curvature when training is evaluated, and warns once; it changes no number.

    The unrolled steps must be plain ascent, and looks so far apart that they cost little. It warns
    only if the steps, taken on the batch of the evaluation, lead downhill in fact.

    Parameters
    ----------
    config : Config
        The settings of the run.
    """

    def __init__(self, config: Config) -> None:
        work = config.evaluate_every * (config.unroll.steps + 1)
        self._looks = config.unroll.steps > 0 and work >= LEAST_WORK

    def look(self, game: Any, state: State, batch: Any, dynamics: Mapping[str, Any]) -> None:
        """Warn if the unrolled steps from a state overshoot.

        Parameters
        ----------
        game, batch
            The game, and what it is judged on.
        state : State
            The state of training.
        dynamics : mapping
            The arguments of `unroll.value_and_grad` that define the steps.
        """
        if not self._looks or dynamics.get("lr") is None:
            return
        place = game, state.theta_g, state.theta_d, batch
        try:
            limit = unroll.inner_spectrum(*place, products=PRODUCTS).largest_lr
            lr = float(np.max(dynamics["lr"]))
            if lr <= limit:
                return
            values = unroll.trajectory(*place, **dynamics).inner_values
        except NonFiniteError:  # the evaluation has NaN then, and training its own error
            return
        if values[-1] < values[0]:
            self._looks = False
            warnings.warn(
                f"step {state.step}: unroll.lr = {lr:g} is beyond {limit:.3g}, the limit by the "
                f"curvature there: the unrolled steps overshoot, from f = {values[0]:.3g} down to "
                f"{values[-1]:.3g} (see ug.unroll.advise)",
                stacklevel=2,
            )
