"""Trust: is a gradient right? `check_grads` judges the derivatives of any function by differences;
`strategies` draws functions, networks and games at random; `cases` are small unrolled games with
their exact gradients. `pytest_plugin` makes the first a fixture.
"""

import importlib
from typing import Any

from tinygrad_ugan.check.conformance import Case, cases
from tinygrad_ugan.check.grads import GradCheckError, check_grads
from tinygrad_ugan.gan.extras import import_extra

__all__ = ["Case", "GradCheckError", "cases", "check_grads"]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # read when first used: not everybody has hypothesis
        import_extra("hypothesis", "check")
        return importlib.import_module("tinygrad_ugan.check.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
