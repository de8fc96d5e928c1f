"""The gradient checker. `check` is the call; `derivatives` flattens a function and differentiates
it in each mode, `differences` estimates the same rates without the engine, `compare` sets the two
side by side, and `report` says what is wrong, and where.
"""

from tinygrad_ugan.check.grads.check import check_grads
from tinygrad_ugan.check.grads.report import GradCheckError

__all__ = ["GradCheckError", "check_grads"]
