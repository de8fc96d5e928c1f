"""Error hints: the function of SciPy that asks for a plain array, and its replacement."""

from __future__ import annotations

import importlib
import inspect
from operator import attrgetter
from types import FrameType
from typing import Any

import numpy as np

_ROOMS = ("special", "linalg", "stats", "integrate")


def scipy_caller() -> str:
    """Return the public name of the function of SciPy that called this, or an empty string.

    Frames of NumPy in between are skipped. A frame of any other package, such as a user's callback,
    means that SciPy did not ask.
    """
    frame, outermost = inspect.currentframe(), None
    while frame is not None and (_package(frame) != "scipy" or _package(frame.f_back) == "scipy"):
        if _package(frame) not in ("tinygrad_ugan", "numpy", "scipy"):
            return ""
        frame = frame.f_back
    outermost = frame
    return "" if outermost is None else _public_name(outermost)


def use_instead(name: str) -> str:
    """Name the replacement for calling a function of SciPy with a tensor.

    Our own namespaces stand above the engine, and are looked up only to raise an error.
    """
    _, room, function = name.split(".", 2)
    if room in _ROOMS and _has(importlib.import_module(f"tinygrad_ugan.{room}"), function):
        return f"call ug.{room}.{function} instead"
    if room == "linalg" and _has(np.linalg, function):
        return f"call np.linalg.{function} instead"
    return (
        "write it with functions that differentiate (NumPy's, the ufuncs of scipy.special, those "
        "of ug.special, ug.linalg, ug.stats and ug.integrate), give it a rule with ug.primitive "
        "or ug.custom_vjp, or cut the derivative with stop_gradient"
    )


def _package(frame: FrameType | None) -> str:
    return "" if frame is None else str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _public_name(frame: FrameType) -> str:
    """Return the public name of a frame's function, such as ``scipy.stats.norm.logpdf``."""
    module, name = frame.f_globals["__name__"], frame.f_code.co_name
    inner = frame.f_locals.get("f")
    if module.startswith("scipy._lib") and callable(inner):  # a decorator's
        module, name = inner.__module__, inner.__name__
    family = frame.f_locals.get("self")
    if family is not None:
        family = getattr(family, "dist", family)  # with its parameters frozen
        kind = getattr(family, "name", type(family).__name__.removesuffix("_gen"))
        name = f"{kind}.{name}"
    return ".".join([*module.split(".")[:2], name])


def _has(namespace: Any, name: str) -> bool:
    try:
        attrgetter(name)(namespace)
    except AttributeError:
        return False
    return True
