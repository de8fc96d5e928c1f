"""The order in which K steps are taken and differentiated, with few states kept.

Differentiating needs the states in the order s_K, s_{K-1}, ..., s_0, but they can only be computed
forwards. With s of them kept (snapshots), the binomial schedule of Griewank and Walther (2000,
algorithm 799, "revolve") takes the fewest steps possible: with r the smallest integer for which
binomial(s + r, s) >= K, it is

    r K - binomial(s + r, s + 1) + 1

steps to visit all of s_K ... s_0, where K would do with all states kept.
"""

from __future__ import annotations

import functools
from math import comb
from typing import NamedTuple, TypeAlias


class Advance(NamedTuple):
    """Take step k from the state in slot `source`; the next state goes to slot `target`."""

    k: int
    source: int
    target: int


class Outer(NamedTuple):
    """Differentiate the outer objective at s_K, in slot `source`."""

    source: int


class Reverse(NamedTuple):
    """Differentiate step k at s_k, in slot `source`; the slot is free from then on."""

    k: int
    source: int


Schedule: TypeAlias = tuple[Advance | Outer | Reverse, ...]


@functools.lru_cache(maxsize=64)
def schedule(steps: int, snapshots: int | None = None, constant_steps: int = 0) -> Schedule:
    """List the moves from s_0, in slot 0, up to s_K and back.

    Parameters
    ----------
    steps : int
        K.
    snapshots : int, optional
        Number of states to keep; all by default.
    constant_steps : int
        Number of steps, the first ones, that are not differentiated.

    Examples
    --------
    >>> schedule(2)
    (Advance(k=0, source=0, target=1), Advance(k=1, source=1, target=2), Outer(source=2),
     Reverse(k=1, source=1), Reverse(k=0, source=0))
    >>> [sum(type(move) is Advance for move in schedule(10, s)) for s in (10, 3, 1)]
    [10, 16, 46]
    """
    moves: list[Advance | Outer | Reverse] = []
    kept: list[tuple[int, int]] = []  # k and slot of every snapshot
    free = list(range(steps, 0, -1))  # slots, the next one last

    def advance(k: int, slot: int, stop: int) -> tuple[int, int]:
        for j in range(k, stop):
            target = free.pop()
            moves.append(Advance(j, slot, target))
            if (j, slot) not in kept[-1:]:
                free.append(slot)
            slot = target
        return stop, slot

    kept.append(advance(0, 0, constant_steps))
    if constant_steps == steps:
        moves.append(Outer(kept[0][1]))
    for wanted in reversed(range(constant_steps, steps)):
        k, slot = kept[-1]
        while k < wanted:
            room = steps if snapshots is None else snapshots - len(kept)
            stop = k + leap(wanted + 1 - k, room + 1) if room else wanted
            k, slot = advance(k, slot, stop)
            if room:
                kept.append((k, slot))
        if wanted == steps - 1:  # s_K is needed once: its slot stays free
            moves += Advance(wanted, slot, free[-1]), Outer(free[-1])
        moves.append(Reverse(wanted, slot))
        free.append(slot)
        if kept[-1] == (wanted, slot):
            kept.pop()
    return tuple(moves)


def leap(steps: int, snapshots: int) -> int:
    """How far ahead to put the next snapshot, with `steps` to go and `snapshots` to use."""
    r = 0  # no step is taken more often than this
    while comb(snapshots + r, snapshots) < steps:
        r += 1
    rest = comb(snapshots - 1 + r - 1, snapshots - 1)
    return min(comb(snapshots + r - 1, snapshots), steps - rest)
