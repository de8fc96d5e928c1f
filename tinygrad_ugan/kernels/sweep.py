"""Description of an unrolled gradient, of which `sweep_program` makes a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_ugan.kernels import parameters
from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.schedule import Schedule


class Term(NamedTuple):
    """``factor * mean(phi(logits))``, phi being one of `losses.OBJECTIVES`."""

    objective: str
    factor: float


@dataclass(frozen=True)
class UpdateKernels:
    """An update rule of theta_k: the kernel of a step, that of its pullback, and its memory.

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
    "ascent": UpdateKernels(parameters.ascend, parameters.pull_back_ascend),
    "momentum": UpdateKernels(
        parameters.momentum, parameters.pull_back_momentum, ("velocity",), ("nu",)
    ),
    "adam": UpdateKernels(
        parameters.adam, parameters.pull_back_adam, ("mean", "square"), ("nu", "xi"), True
    ),
}


class Sweep(NamedTuple):
    """Everything that a program depends on but dtype, machine, and numbers that change per call.

    Attributes
    ----------
    generator, discriminator : Network
    real, fake : int
        Rows of a batch.
    inner, outer : tuple of Term or None
        The objectives, on real and on generated samples.
    steps : int
        K.
    schedule : tuple
        The order in which the steps are taken and differentiated.
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
    schedule: Schedule
    rule: str = "ascent"
    fresh: bool = False
    keep: bool = True
    terms: bool = False
