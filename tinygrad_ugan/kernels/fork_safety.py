"""What a fork does to locks and threads: said here, for all of the package.

A child has the memory of its parent and only the thread that forked. A lock that another thread
held at that moment would stay taken for ever, and what it guards be half done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Lock = AbstractContextManager[Any]


def lock() -> Lock:
    """A new lock that is `held`."""
    return held(threading.RLock())


def held(lock: Lock) -> Lock:
    """Have whoever forks take a lock first, the latest one first: nobody else has it in the child.

    It must be one that a thread can take again.
    """

    def release() -> None:
        lock.__exit__(None, None, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.__enter__, after_in_parent=release, after_in_child=release)
    return lock


def in_child(renew: Callable[[], None]) -> Callable[[], None]:
    """Call a function in every child, to put new things in the place of those of dead threads."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)
    return renew
