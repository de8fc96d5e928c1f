"""What all games of this room have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from tinygrad_ugan.stated import states
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import SampleForm


class GeneratorGame(ABC):
    """A game whose players meet only through the samples that a generator makes of a batch.

    A subclass says how they are made, and what both players want of them. What
    `tinygrad_ugan.unroll` computes is always that of the methods, whichever are overridden.
    """

    def inner(self, theta_g: PyTree, theta_d: PyTree, batch: Any) -> Any:
        """Return the objective that the discriminator ascends."""
        return self.inner_on(self.generate(theta_g, batch), theta_d, batch)

    def outer(self, theta_g: PyTree, theta_d: PyTree, batch: Any) -> Any:
        """Return the objective that the generator descends."""
        return self.outer_on(self.generate(theta_g, batch), theta_d, batch)

    @abstractmethod
    def generate(self, theta_g: PyTree, batch: Any) -> Any:
        """Return the generated samples, shape (B, d)."""

    @abstractmethod
    def inner_on(self, samples: Any, theta_d: PyTree, batch: Any) -> Any:
        """Return `inner` as a function of the generated samples."""

    @abstractmethod
    def outer_on(self, samples: Any, theta_d: PyTree, batch: Any) -> Any:
        """Return `outer` as a function of the generated samples."""

    @states("inner", "outer")
    def sample_form(self) -> SampleForm | None:
        """The factorisation through the samples: see `unroll.SampleForm`."""
        return SampleForm(self.generate, self.inner_on, self.outer_on)
