"""Locks and threads that survive a fork: the rules for all of the package.

A child has its parent's memory, but only the thread that forked. A lock that another thread held
at that moment would never be released, and the data it guards would be left half written.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

Lock = AbstractContextManager[Any]
Value = TypeVar("Value")


class cached_property(Generic[Value]):  # noqa: N801
    """An attribute computed at its first use, as `functools.cached_property`, without its lock.

    Before Python 3.12 that one holds a lock of the whole class while it computes.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Value:
        """Compute the value, and keep it on the instance, where it is found from then on."""
        value = self._compute(instance)
        instance.__dict__[self._compute.__name__] = value
        return value


def fork_safe_lock() -> Lock:
    """Return a new reentrant lock that is `hold_during_fork`."""
    return hold_during_fork(threading.RLock())


def hold_during_fork(lock: Lock) -> Lock:
    """Acquire a reentrant lock around every fork, so that no other thread holds it in the child.

    Several locks are acquired in the reverse order of registration.
    """

    def release() -> None:
        lock.__exit__(None, None, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.__enter__, after_in_parent=release, after_in_child=release)
    return lock


def call_in_child(renew: Callable[[], None]) -> Callable[[], None]:
    """Call a function in every child, to replace what belonged to threads it does not have."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)
    return renew
