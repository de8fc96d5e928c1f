"""A choice among the quantities of a pass through a network."""

from typing import NamedTuple


class Which(NamedTuple):
    """Output, input, parameters: those that move, or those that are asked for."""

    y: bool = False
    x: bool = False
    theta: bool = False
