"""A game's calls of its networks: what does not fit is named as the caller of the game knows it."""

from __future__ import annotations

from typing import Any

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.typing import PyTree

_THETA = {"generator": "theta_g", "discriminator": "theta_d"}


def part(batch: Any, name: str, kind: str = "gan.Batch") -> Any:
    """What a batch, such as one of `kind`, holds under a name.

    Raises
    ------
    ArgumentTypeError
        If it holds no such thing.
    """
    try:
        return getattr(batch, name)
    except AttributeError:
        expected = f"one with .{name}, such as a {kind}"
        raise ArgumentTypeError("batch", f"a {kind_of(batch)}", expected) from None


def check_pure(player: str, network: Any) -> None:
    """Raise `ArgumentError` if a network takes random numbers, which its game does not hand over.

    Without them such layers let everything pass, as in evaluation: they would do nothing.
    """
    if getattr(network, "is_random", False):
        raise ArgumentError(
            player,
            "one with layers that take random numbers, such as Dropout",
            "a network that is a function of its parameters and x",
            "such a game is written as ug.unroll.Game(inner, outer): its batch holds what "
            "network.draw(rng, n) draws, and its functions call network(theta, x, drawn)",
        )


def call(player: str, network: Any, theta: PyTree, x: Any, place: str, *side: Any) -> Any:
    """``network(theta, x)``, for x from some place, such as "batch.noise"; or with a side input.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit, or there is no side input and `check_pure` asks for one.
    """
    if not side:
        check_pure(player, network)
    try:
        return network(theta, x, *side)
    except (ArgumentError, ArgumentTypeError) as error:
        raise error.seen_from(player, {"x": place, "params": _THETA[player]}) from None
