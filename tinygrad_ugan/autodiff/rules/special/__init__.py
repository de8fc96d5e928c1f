"""The ufuncs of scipy.special, in files by the headings of its reference.

Importing SciPy takes longer than all the rest, so that `rules.find` reads this only when needed.
"""

from types import MappingProxyType

from tinygrad_ugan.autodiff.rules.special import (
    bessel,
    elementary,
    error_functions,
    gamma_functions,
    information_theory,
    integrals,
)

_ROOMS = (elementary, error_functions, information_theory, gamma_functions, bessel, integrals)
RULES = tuple(record for room in _ROOMS for record in room.RULES)
TABLE = MappingProxyType({record.function: record for record in RULES})
SAMPLES = MappingProxyType({f: calls for room in _ROOMS for f, calls in room.SAMPLES.items()})

__all__ = ["RULES", "SAMPLES", "TABLE"]
