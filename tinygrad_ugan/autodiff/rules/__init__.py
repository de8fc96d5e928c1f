"""The table of derivatives, one line a function, in files by kind of operation.

`TABLE` maps every NumPy function to its record, a primitive or a composite; `CONSTANTS` are the
functions whose derivative is zero wherever it exists.
"""

from types import MappingProxyType

from tinygrad_ugan.autodiff.rules import elementwise, linalg, reductions, shape

RECORDS = (*elementwise.RULES, *reductions.RULES, *shape.RULES, *linalg.RULES)
TABLE = MappingProxyType({record.function: record for record in RECORDS})
CONSTANTS = frozenset({*elementwise.CONSTANTS, *reductions.CONSTANTS, *shape.CONSTANTS})

__all__ = ["CONSTANTS", "RECORDS", "TABLE"]
