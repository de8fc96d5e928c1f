"""The table of derivatives, one line a function, in files by kind of operation.

`TABLE` maps every NumPy function to its record, a primitive or a composite; `CONSTANTS` are the
functions whose derivative is zero wherever it exists; `find` knows scipy.special as well, and
`vector_form` what compilers ask for.
"""

import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.autodiff.rules import (
    array_api,
    calculus,
    conditionals,
    cumulative,
    decompositions,
    determinants,
    eigen,
    elementwise,
    floating_point,
    functional,
    indexing,
    joining,
    linalg,
    nan_reductions,
    polynomials,
    powers,
    products,
    quantiles,
    ranges,
    reductions,
    sets,
    shape,
    signals,
    stable_derivatives,
    statistics,
)
from tinygrad_ugan.autodiff.rules.indexing import IN_PLACE
from tinygrad_ugan.autodiff.vector_forms import VectorForm, registered, ufunc_form

_ELEMENTS = (elementwise, powers, stable_derivatives, floating_point, conditionals)
_REDUCTIONS = (reductions, cumulative, quantiles, nan_reductions)
_PLACES = (indexing, sets, shape, joining, functional)
_SERIES = (calculus, ranges, polynomials, signals, statistics)
_MATRICES = (products, linalg, determinants, decompositions, eigen, array_api)
_ROOMS = (*_ELEMENTS, *_REDUCTIONS, *_PLACES, *_SERIES, *_MATRICES)
RECORDS = tuple(record for room in _ROOMS for record in room.RULES)
TABLE = MappingProxyType({record.function: record for record in RECORDS})
SAMPLES = MappingProxyType({f: calls for room in _ROOMS for f, calls in room.SAMPLES.items()})
CONSTANTS = frozenset(
    {
        *(*elementwise.CONSTANTS, *conditionals.CONSTANTS, *reductions.CONSTANTS),
        *(*indexing.CONSTANTS, *shape.CONSTANTS, *linalg.CONSTANTS),
        *(*nan_reductions.CONSTANTS, *floating_point.CONSTANTS, *sets.CONSTANTS),
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


def vector_form(function: Callable[..., Any]) -> VectorForm | None:
    """The vector form of what an instruction of a program calls, or None.

    That is a function of NumPy or SciPy, or the implementation of any primitive. The arguments of
    the form are vectors of one floating-point type, Python numbers for constants, and masks where
    the function takes booleans.
    """
    record = find(function)
    form = registered(function) if record is None else record.vector
    return form or ufunc_form(function)


__all__ = ["CONSTANTS", "IN_PLACE", "RECORDS", "SAMPLES", "TABLE", "find", "vector_form"]
