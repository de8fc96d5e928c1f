"""The table of derivatives, one line a function, in files by kind of operation.

`TABLE` maps every NumPy function to its record, a primitive or a composite; `CONSTANTS` are the
functions whose derivative is zero wherever it exists.
"""

from types import MappingProxyType

from tinygrad_ugan.autodiff.rules import (
    calculus,
    decompositions,
    elementwise,
    indexing,
    joining,
    linalg,
    products,
    reductions,
    shape,
)
from tinygrad_ugan.autodiff.rules.indexing import IN_PLACE

RECORDS = (
    *elementwise.RULES,
    *reductions.RULES,
    *(*indexing.RULES, *shape.RULES, *joining.RULES, *calculus.RULES),
    *(*products.RULES, *linalg.RULES, *decompositions.RULES),
)
TABLE = MappingProxyType({record.function: record for record in RECORDS})
CONSTANTS = frozenset(
    {
        *elementwise.CONSTANTS,
        *reductions.CONSTANTS,
        *(*indexing.CONSTANTS, *shape.CONSTANTS, *linalg.CONSTANTS),
    }
)

__all__ = ["CONSTANTS", "IN_PLACE", "RECORDS", "TABLE"]
