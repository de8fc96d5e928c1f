"""Is a gradient right? An auditor for anyone's code, whatever library it is written with.

`audit` names what a gradient of an unrolled GAN is: exact, or which known mistake it is the result
of. `audit_step` does so for a whole training step.
"""

from tinygrad_ugan.check.audit import audit
from tinygrad_ugan.check.findings import Audit, Candidate
from tinygrad_ugan.check.step import audit_step
from tinygrad_ugan.check.step_findings import StepAudit, TrialAudit
from tinygrad_ugan.check.trials import Trial, trials
from tinygrad_ugan.check.verdicts import VERDICTS

__all__ = [
    "VERDICTS",
    "Audit",
    "Candidate",
    "StepAudit",
    "Trial",
    "TrialAudit",
    "audit",
    "audit_step",
    "trials",
]
