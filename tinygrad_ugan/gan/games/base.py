"""The base class of games whose generator makes samples for the discriminator to judge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from tinygrad_ugan.stated import stated, states
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


class WrappedGame(GeneratorGame):
    """A game around another one, `game`, whose samples and whatever else it has are its own.

    A subclass changes `inner_on`, `outer_on` or both, and states its `sample_form`.
    """

    game: Any

    def __getattr__(self, name: str) -> Any:
        """Look up in the other game what this one does not have."""
        if name == "game" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.game, name)

    def generate(self, theta_g: PyTree, batch: Any) -> Any:
        """Return the generated samples, shape (B, d)."""
        return self.game.generate(theta_g, batch)

    def inner_on(self, samples: Any, theta_d: PyTree, batch: Any) -> Any:
        """Return `inner` as a function of the generated samples."""
        return self.game.inner_on(samples, theta_d, batch)

    def outer_on(self, samples: Any, theta_d: PyTree, batch: Any) -> Any:
        """Return `outer` as a function of the generated samples."""
        return self.game.outer_on(samples, theta_d, batch)

    @states()
    def logit_form(self) -> str:
        """The reason why the kernels do not play it."""
        return f"the kernels play a gan.Game, not a {type(self).__name__} around one"

    def _through_samples(self) -> SampleForm | None:
        """The factorisation through the samples, if the other game has it."""
        if stated(self.game, "sample_form") is None:
            return None
        return SampleForm(self.generate, self.inner_on, self.outer_on)


def logits_of(game: Any, theta_d: PyTree, x: Any, batch: Any, name: str) -> Any:
    """Return the discriminator's logits of rows x: by `Game.logits`, if the game has such.

    Else by ``game.discriminator(theta_d, x)``.
    """
    own = getattr(game, "logits", None)
    return own(theta_d, x, batch, name) if callable(own) else game.discriminator(theta_d, x)
