"""The table of derivatives, one line a function, in files by kind of operation.

`TABLE` maps every NumPy function to its record, a primitive or a composite; `CONSTANTS` are the
functions whose derivative is zero wherever it exists; `find` knows scipy.special as well.
"""

import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.autodiff.rules import (
    calculus,
    choice,
    cumulative,
    decompositions,
    determinants,
    elementwise,
    indexing,
    joining,
    linalg,
    powers,
    products,
    quantiles,
    reductions,
    shape,
    slopes,
    standard,
)
from tinygrad_ugan.autodiff.rules.indexing import IN_PLACE

_ELEMENTS = (elementwise, powers, slopes, choice, reductions, cumulative, quantiles)
_PLACES = (indexing, shape, joining, calculus)
_MATRICES = (products, linalg, determinants, decompositions, standard)
RECORDS = tuple(record for room in (*_ELEMENTS, *_PLACES, *_MATRICES) for record in room.RULES)
TABLE = MappingProxyType({record.function: record for record in RECORDS})
CONSTANTS = frozenset(
    {
        *(*elementwise.CONSTANTS, *choice.CONSTANTS, *reductions.CONSTANTS),
        *(*indexing.CONSTANTS, *shape.CONSTANTS, *linalg.CONSTANTS),
    }
)


def find(function: Callable[..., Any]) -> Primitive | Composite | None:
    """The record of a function, or None.

    The rules of scipy.special are read only once somebody uses it: importing it takes longer than
    all the rest.
    """
    record = TABLE.get(function)
    if record is None and "scipy.special" in sys.modules:
        from tinygrad_ugan.autodiff.rules import special

        record = special.TABLE.get(function)
    return record


__all__ = ["CONSTANTS", "IN_PLACE", "RECORDS", "TABLE", "find"]
