"""The discriminator's objective and gradient: the first part of a sweep, and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.typing import Array


class AscentProgram(SweepProgram):
    """A `Sweep` of no steps that stops at g_0. `ascent` is not for two threads at once."""

    def _write(self) -> None:
        run = self.program.run_phase
        run(self._inputs())
        run(self._generate())
        run(self._forward())
        run(self._hand_out(self._judged, self.partial_d, self.g, self._slot_out))

    @property
    def _judged(self) -> Network:
        return self.sweep.discriminator

    def ascent(
        self,
        theta_g: Sequence[Array],
        theta_d: Sequence[Array],
        real: Array,
        noise: Array,
    ) -> tuple[Any, list[Array], bool]:
        """The inner objective, its gradient with respect to w and b of every layer, and soundness.

        The last says whether both, and the batch, are finite for sure.

        Parameters
        ----------
        theta_g, theta_d : sequence of ndarray
            w and b of every layer, in this order.
        real, noise : ndarray
            The batch.
        """
        gradient = self._executable.run([*theta_g, *theta_d, real, noise])
        value = self.inner_values()[0]
        flaws = sum(x[0, 0] for x in self._sums_of_chunks[1])
        return real.dtype.type(value), gradient, math.isfinite(value + flaws)
