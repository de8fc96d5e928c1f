"""Trust: is a gradient right? `check_grads` judges the derivatives of any function by differences;
`audit` names what a gradient of an unrolled GAN is, exact or which known mistake it is the result
of, and `audit_step` does so for a whole training step. `strategies` draws functions, networks and
games at random; `cases` are small unrolled games with their exact gradients; `pytest_plugin` makes
`check_grads` a fixture.
"""

import importlib
from typing import Any

from tinygrad_ugan.check.audit import (
    VERDICTS,
    Audit,
    Candidate,
    StepAudit,
    Trial,
    TrialAudit,
    audit,
    audit_step,
    trials,
)
from tinygrad_ugan.check.conformance import Case, cases
from tinygrad_ugan.check.grads import GradCheckError, check_grads
from tinygrad_ugan.extras import import_extra

__all__ = [
    "VERDICTS",
    "Audit",
    "Candidate",
    "Case",
    "GradCheckError",
    "StepAudit",
    "Trial",
    "TrialAudit",
    "audit",
    "audit_step",
    "cases",
    "check_grads",
    "trials",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # read when first used: not everybody has hypothesis
        import_extra("hypothesis", "check")
        return importlib.import_module("tinygrad_ugan.check.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
