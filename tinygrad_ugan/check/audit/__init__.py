"""Is a gradient that of an unrolled GAN? `gradient` answers for a gradient, `step` for a whole
training step. `verdicts` lists what the answer can be, `candidates` computes the gradient that
belongs to each, as that of a problem altered as in `mistakes`, and `classify` compares them with
the one given; `report` shows what was found. `trials` are games to drive a step on. What is
audited is read from arrays of any library (`foreign_arrays`), or from the two files of
``ugan audit``, `game_file` and `gradient_file`.
"""

from tinygrad_ugan.check.audit.gradient import audit
from tinygrad_ugan.check.audit.report import Audit, Candidate, StepAudit, TrialAudit
from tinygrad_ugan.check.audit.step import audit_step
from tinygrad_ugan.check.audit.trials import Trial, trials
from tinygrad_ugan.check.audit.verdicts import VERDICTS

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
