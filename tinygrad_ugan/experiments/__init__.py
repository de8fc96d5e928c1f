"""Named experiments: settings that are known to show something, and the systems of the
literature, each with a claim, a table and a picture. `catalogue` lists them.
"""

from tinygrad_ugan.experiments.catalogue import find, names
from tinygrad_ugan.experiments.experiment import Claim, Experiment, Outcome
from tinygrad_ugan.experiments.page import write_page
from tinygrad_ugan.experiments.presets import PRESETS
from tinygrad_ugan.experiments.session import Session

__all__ = [
    "PRESETS",
    "Claim",
    "Experiment",
    "Outcome",
    "Session",
    "find",
    "names",
    "write_page",
]
