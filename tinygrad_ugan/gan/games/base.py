"""The base class of games whose generator makes samples for the discriminator to judge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from tinygrad_ugan.stated import states
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import SampleForm


class GeneratorGame(ABC):
    """A game whose players meet only through generated samples.

    A subclass defines `generate`, `inner_on` and `outer_on`; `inner` and `outer` follow. Any method
    may be overridden: `tinygrad_ugan.unroll` computes what the methods say.
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
