"""Trust: is a gradient right? `check_grads` judges the derivatives of any function by differences."""

from tinygrad_ugan.check.grads import GradCheckError, check_grads

__all__ = ["GradCheckError", "check_grads"]
