"""The gradient checker: flatten a function (`derivatives`), differentiate it in each mode
(`modes`) and by differences (`differences`), compare the two (`compare`), look whether it is smooth
(`evidence`), and say what is wrong (`report`).
"""

from tinygrad_ugan.check.grads.check import check_grads
from tinygrad_ugan.check.grads.report import GradCheckError

__all__ = ["GradCheckError", "check_grads"]
