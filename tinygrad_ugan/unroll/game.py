"""Games: what each player wants, as functions of both players' parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from tinygrad_ugan.typing import PyTree

Objective = Callable[[PyTree, PyTree, Any], Any]


class AnyGame(Protocol):
    """The methods that this room needs of a game."""

    @property
    def inner(self) -> Objective:
        """``inner(theta_g, theta_d, batch)``, a scalar that the discriminator ascends."""
        ...

    @property
    def outer(self) -> Objective:
        """``outer(theta_g, theta_d, batch)``, a scalar that the generator descends."""
        ...


@dataclass(frozen=True)
class Game:
    """A game of any two scalar functions.

    Parameters
    ----------
    inner : callable
        ``inner(theta_g, theta_d, batch)``, which the discriminator ascends.
    outer : callable, optional
        ``outer(theta_g, theta_d, batch)``, which the generator descends; `inner` if not given, as
        in the paper.

    Examples
    --------
    >>> import numpy as np
    >>> bilinear = Game(lambda theta_g, theta_d, batch: theta_g * theta_d)
    >>> bilinear.outer(2.0, 3.0, None)
    6.0
    """

    inner: Objective
    outer: Any = None

    def __post_init__(self) -> None:
        if self.outer is None:
            object.__setattr__(self, "outer", self.inner)


@runtime_checkable
class SampleGame(Protocol):
    """A game whose players meet only through samples that the generator makes of a batch."""

    def generate(self, theta_g: PyTree, batch: Any) -> PyTree:
        """Return the samples."""
        ...

    def inner_on(self, samples: PyTree, theta_d: PyTree, batch: Any) -> Any:
        """``inner`` as a function of the samples."""
        ...

    def outer_on(self, samples: PyTree, theta_d: PyTree, batch: Any) -> Any:
        """``outer`` as a function of the samples."""
        ...


# What a game may state about its `inner` and `outer`, by `tinygrad_ugan.stated.states`. That it has
# methods of certain names states nothing.


class SampleForm(NamedTuple):
    """The factorisation that a game states, ``inner = inner_on(generate(theta_g, batch), ...)``.

    And likewise `outer`. If the same batch serves every step, the samples x do too, and by the
    chain rule d f_K/d theta_G = (dx/d theta_G)^T d f_K/dx: the generator runs once.

    Attributes
    ----------
    generate : callable
        ``generate(theta_g, batch)`` -> samples.
    inner_on, outer_on : callable
        Functions of ``(samples, theta_d, batch)``.
    """

    generate: Callable[[PyTree, Any], PyTree]
    inner_on: Objective
    outer_on: Objective


Term = tuple[str, float]
LogitTerms = tuple[Term | None, Term | None]


class LogitForm(NamedTuple):
    """The objectives that a game states as `logit_form`: weighted means of functions of the logits.

    ``inner = factor_r mean(phi_r(r)) + factor_s mean(phi_s(s))`` with the logits
    ``r = discriminator(theta_d, batch.real)`` and ``s = discriminator(theta_d, generator(theta_g,
    batch.noise))``; likewise `outer`. The functions are those of
    `tinygrad_ugan.kernels.losses.OBJECTIVES`, by name. A game that cannot be put so may state the
    reason instead, in words.

    Attributes
    ----------
    generator, discriminator : callable
        Functions of ``(theta, x)``.
    inner_terms, outer_terms : tuple of two
        ``(phi_r, factor_r)`` and ``(phi_s, factor_s)``; None where there is no such term.
    """

    generator: Any
    discriminator: Any
    inner_terms: LogitTerms
    outer_terms: LogitTerms
