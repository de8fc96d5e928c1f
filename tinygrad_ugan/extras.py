"""Libraries that not everybody needs: they come with the extras of this package."""

from __future__ import annotations

import importlib
from typing import Any

from tinygrad_ugan.errors import ArgumentError


def import_extra(module: str, extra: str) -> Any:
    """Import a module that an extra of this package brings.

    Raises
    ------
    ArgumentError
        If it is not installed; the message says what to install.

    Examples
    --------
    >>> import_extra("no_such_module", "sweep")
    Traceback (most recent call last):
        ...
    tinygrad_ugan.errors.ArgumentError: no_such_module: expected an installed library, got none; \
pip install 'tinygrad_ugan[sweep]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        hint = f"pip install 'tinygrad_ugan[{extra}]'"
        raise ArgumentError(module, "none", "an installed library", hint) from None
