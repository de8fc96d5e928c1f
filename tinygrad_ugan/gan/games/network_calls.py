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


def is_random(network: Any) -> bool:
    """Whether a network, a game or a penalty takes random numbers, which its `draw` draws.

    It says so by `is_random`, or by having `draw` at all.
    """
    return bool(getattr(network, "is_random", callable(getattr(network, "draw", None))))


def side_of(player: str, network: Any, batch: Any, name: str) -> Any:
    """Return the side input of a network from ``batch.drawn``; None if it has none there.

    Raises
    ------
    ArgumentError
        If the network takes random numbers, and the batch does not say that it is without.
    """
    drawn = getattr(batch, "drawn", None)
    if drawn is None:
        check_pure(player, network)
        return None
    return drawn.get(name)


def check_pure(player: str, network: Any) -> None:
    """Raise `ArgumentError` if a network takes random numbers that nobody has drawn.

    Without them such layers are the identity, as in evaluation.
    """
    if is_random(network):
        raise ArgumentError(
            player,
            "one with layers that take random numbers, such as Dropout",
            "a network that is a function of its parameters and x",
            "a gan.Game reads them from the batch, and training draws them: "
            "gan.FullBatch(real, noise, drawn=game.draw(rng, batch)), or {} to evaluate without; "
            "any other game is written as ug.unroll.Game(inner, outer), whose functions call "
            "network(theta, x, drawn) with what network.draw(rng, n) draws",
        )


def call(player: str, network: Any, theta: PyTree, x: Any, place: str, side: Any = None) -> Any:
    """Return ``network(theta, x)``, or ``network(theta, x, side)``; errors name `place` for x.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.
    """
    try:
        return network(theta, x) if side is None else network(theta, x, side)
    except (ArgumentError, ArgumentTypeError) as error:
        raise error.seen_from(player, {"x": place, "params": _THETA[player]}) from None
