"""What an unrolled gradient depends on, in words that the kernels understand.

`tinygrad_ugan.kernels.sweep_program` makes a program of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_ugan.kernels import parameters
from tinygrad_ugan.kernels.network import Network


class Term(NamedTuple):
    """``factor * mean(phi(logits))``, phi being one of `losses.OBJECTIVES`."""

    objective: str
    factor: float


class Move(NamedTuple):
    """One move of the discriminator: up from state k, kept in slot `source`, or back to it."""

    up: bool
    k: int
    source: int
    target: int = 0


@dataclass(frozen=True)
class Rule:
    """How theta_k moves: the kernel of a step, that of its pullback, and what it remembers.

    Attributes
    ----------
    step, pull_back : callable
        Kernels of `parameters`.
    memory : tuple of str
        Names of what the rule remembers, as the kernels call it.
    adjoints : tuple of str
        Names of their adjoints.
    needs_past : bool
        Whether `pull_back` reads g_k and the memory before step k.
    """

    step: Callable[..., None]
    pull_back: Callable[..., None]
    memory: tuple[str, ...] = ()
    adjoints: tuple[str, ...] = ()
    needs_past: bool = False


RULES = {
    "ascent": Rule(parameters.ascend, parameters.pull_back_ascend),
    "momentum": Rule(parameters.momentum, parameters.pull_back_momentum, ("velocity",), ("nu",)),
    "adam": Rule(
        parameters.adam, parameters.pull_back_adam, ("mean", "square"), ("nu", "xi"), True
    ),
}


@dataclass(frozen=True)
class Sweep:
    """Everything that a program depends on, numbers that change from call to call excepted.

    Attributes
    ----------
    generator, discriminator : Network
    real, fake : int
        Rows of a batch.
    inner, outer : tuple of Term or None
        The objectives, on real and on generated samples.
    steps : int
        K.
    moves : tuple of Move
        Up to state K, and then back, with steps up again where states were not kept; `straight`
        makes the simplest. ArraySlot 0 holds the first state.
    rule : str
        One of `RULES`.
    fresh : bool
        Whether every step has a batch of its own.
    keep : bool
        Keep what the reverse step needs of the forward step, instead of taking that again.
    terms : bool
        Whether all parts of the gradient are wanted one by one.
    """

    generator: Network
    discriminator: Network
    real: int
    fake: int
    inner: tuple[Term | None, Term | None]
    outer: tuple[Term | None, Term | None]
    steps: int
    moves: tuple[Move, ...]
    rule: str = "ascent"
    fresh: bool = False
    keep: bool = True
    terms: bool = False


def straight(steps: int, differentiated: int) -> tuple[Move, ...]:
    """All K steps up, each to a slot of its own, and so many back."""
    up = [Move(True, k, k, k + 1) for k in range(steps)]
    return (*up, *(Move(False, k, k) for k in reversed(range(steps - differentiated, steps))))
