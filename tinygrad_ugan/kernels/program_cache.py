"""What is built and kept to be used again; building a program takes longer than running it.

There is no lock: every step is one of Python's own on a dict or a list, which no thread and no
interrupt can come into. What gets lost between two of them is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class Recent:
    """Things in common use, by key: the latest, up to so many and so many bytes.

    `limit` counts what each says of itself in its attribute ``nbytes``.
    """

    def __init__(self, limit: int, most: int) -> None:
        self.limit = limit
        self.most = most
        self._things: dict[Hashable, Any] = {}

    def get(self, key: tuple[Any, ...], make: Callable[..., Any]) -> Any:
        """What belongs to a key; made, as a function of it, if it is not here."""
        found = self._things.pop(key, None)
        thing = make(*key) if found is None else found
        self._things[key] = thing  # behind all others
        if found is None:
            self.trim()
        return thing

    def trim(self) -> None:
        """Forget the oldest until the others are few enough: for things that have grown, too."""
        while len(kept := list(self._things.items())) > 1 and (
            len(kept) > self.most or sum(thing.nbytes for _, thing in kept) > self.limit
        ):
            self._things.pop(kept[0][0], None)


class Idle:
    """Keeps programs by key, up to so many and so many bytes; the longest unused go first.

    A program in use is not here, so that no two threads can have the same one; nor is one that has
    failed, or was interrupted. `limit` counts what a program says of itself in its attribute
    ``nbytes``.
    """

    def __init__(self, limit: int, most: int) -> None:
        self.limit = limit
        self.most = most
        self._programs: dict[Hashable, list[Any]] = {}

    def take(self, key: Hashable) -> Any:
        """A program for nobody else to use before it is `put` back; None if there is none."""
        alike = self._programs.pop(key, None)
        if not alike:
            return None
        program = alike.pop()
        if alike:
            self._programs[key] = alike
        return program

    def put(self, key: Hashable, program: Any) -> None:
        """Keep a program."""
        alike = self._programs.pop(key, [])
        alike.append(program)
        self._programs[key] = alike  # behind all others
        kept = self.kept()
        while len(kept) > self.most or sum(p.nbytes for p in kept) > self.limit:
            self._forget_oldest()
            kept = self.kept()

    def kept(self) -> list[Any]:
        """All programs that wait."""
        return [program for alike in list(self._programs.values()) for program in alike]

    def _forget_oldest(self) -> None:
        for key, alike in list(self._programs.items())[:1]:
            del alike[:1]
            if not alike:
                self._programs.pop(key, None)
