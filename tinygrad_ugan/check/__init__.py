"""Is a gradient right? An auditor for anyone's code, whatever library it is written with.

`audit` names what a gradient of an unrolled GAN is: exact, or which known mistake it is the result
of.
"""

from tinygrad_ugan.check.audit import audit
from tinygrad_ugan.check.findings import Audit, Candidate
from tinygrad_ugan.check.verdicts import VERDICTS

__all__ = ["VERDICTS", "Audit", "Candidate", "audit"]
