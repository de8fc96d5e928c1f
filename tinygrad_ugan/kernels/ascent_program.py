"""What the discriminator climbs, and in which direction: the first part of a sweep, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.kernels.program import Place, address_of, readable
from tinygrad_ugan.kernels.sweep_program import SweepProgram


class AscentProgram(SweepProgram):
    """A `Sweep` of no steps that stops at g_0. `ascent` is not for two threads at once."""

    def _write(self) -> None:
        run, depth = self.program.run_phase, self.sweep.discriminator.depth
        slots = [self.program.slot() for _ in range(2 * depth)]

        def slot(l: int, kind: str) -> Place:
            return slots[2 * l + (kind == "b")]

        run(self._inputs())
        run(self._generate())
        run(self._forward())
        run(self._hand_out(self.sweep.discriminator, self.partial_d, self.g, slot))

    def ascent(
        self,
        theta_g: Sequence[NDArray],
        theta_d: Sequence[NDArray],
        real: NDArray,
        noise: NDArray,
    ) -> tuple[Any, list[NDArray]]:
        """The inner objective, and its gradient with respect to w and b of every layer.

        Parameters
        ----------
        theta_g, theta_d : sequence of ndarray
            w and b of every layer, in this order.
        real, noise : ndarray
            The batch.
        """
        addresses, kept = readable([*theta_g, *theta_d, real, noise])
        gradient = [np.empty(x.shape, x.dtype) for x in theta_d]
        unused = [0] * len(theta_g)  # where a sweep leaves the generator's gradient
        self._executable.run([*addresses, *unused, *map(address_of, gradient)])
        del kept  # the program has read them
        return real.dtype.type(self.inner_values()[0]), gradient
