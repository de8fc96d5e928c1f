"""Calls of a game's networks, whose errors name the arguments as the game's caller does."""

from __future__ import annotations

from typing import Any

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.typing import PyTree

_THETA = {"generator": "theta_g", "discriminator": "theta_d"}


def part(batch: Any, name: str, kind: str = "gan.Batch") -> Any:
    """Return a field of a batch; `kind` names the class in the message.

    Raises
    ------
    ArgumentTypeError
        If the batch has no such field.
    """
    try:
        return getattr(batch, name)
    except AttributeError:
        expected = f"one with .{name}, such as a {kind}"
        raise ArgumentTypeError("batch", f"a {kind_of(batch)}", expected) from None


def check_pure(player: str, network: Any) -> None:
    """Raise `ArgumentError` if a network takes random numbers, which its game does not pass on.

    Without them such layers are the identity, as in evaluation.
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
    """Return ``network(theta, x)``, or ``network(theta, x, side)``; errors name `place` for x.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit, or the network needs a side input and has none.
    """
    if not side:
        check_pure(player, network)
    try:
        return network(theta, x, *side)
    except (ArgumentError, ArgumentTypeError) as error:
        raise error.seen_from(player, {"x": place, "params": _THETA[player]}) from None
