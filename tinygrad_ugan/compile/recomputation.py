"""Recomputation: what costs less to compute again than to fetch from memory.

A kernel that loads the result of a cheap elementwise function computes it from that function's
operands, if these are in memory anyway and it need not load more than before. So the derivative of
a relu, say, loads a mask of bytes in place of numbers; and a result that nobody loads any more is
not stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tinygrad_ugan.compile.fusion import MAX_ARRAYS, Group
from tinygrad_ugan.compile.operations import AS_NUMBER, Map, Operation, Reduce, reads
from tinygrad_ugan.compile.strided import Storage, View

_CHEAP = {
    AS_NUMBER,
    *(f"numpy.{name}" for name in ("add", "subtract", "multiply", "negative", "square")),
    *(f"numpy.{name}" for name in ("maximum", "minimum", "absolute", "where")),
    *(f"numpy.{name}" for name in ("greater", "greater_equal", "less", "less_equal")),
}


def recompute(groups: Sequence[Group], results: Iterable[Storage]) -> None:
    """Let groups compute again what is cheap; `results` are needed outside."""
    recomputation = _Recomputation(groups, results)
    for group in groups:
        for x in group.loads():
            recomputation.visit(group, x)


class _Recomputation:
    def __init__(self, groups: Sequence[Group], results: Iterable[Storage]) -> None:
        self._results = set(results)
        self._made = {each.out: (group, each) for group in groups for each in group.operations}
        self._readers = Counter(
            storage for group in groups for storage in {x.storage for x in group.sources()}
        )

    def visit(self, group: Group, x: View) -> None:
        """Let a group compute what it loads, if that pays."""
        home, each = self._made.get(x.storage, (None, None))
        if home is None or not isinstance(each, Map) or x.storage in self._results:
            return
        shape = tuple(n for n in each.out.shape if n != 1)
        if each.operation in _CHEAP and x.is_whole and shape == group.space:
            more = set(reads(each)).difference(group.loads())
            if len(more) <= 1 and all(self._is_cheaper(y, x, home) for y in more):
                self._readers.update(y.storage for y in more)
                self._readers[x.storage] -= 1
                _compute(group, x, each)

    def _is_cheaper(self, y: View, x: View, home: Group) -> bool:
        """Whether y is in memory anyway, or to be stored in place of x, and smaller."""
        in_memory = y.storage not in self._made or y.storage in self._results
        if in_memory or self._readers[y.storage]:
            return True
        values = home.values
        written = sum(self._readers[v] > 0 or v in self._results for v in values)
        arrays = len(list(home.sources())) + written + len(home.reductions)
        return y.storage in values and y.storage.nbytes < x.storage.nbytes and arrays < MAX_ARRAYS


def _compute(group: Group, x: View, each: Map) -> None:
    out = Storage(each.out.shape, each.out.dtype)
    here = replace(x, storage=out)
    first = 1 if group.product else 0
    rest = [_reading(operation, x, here) for operation in group.operations[first:]]
    group.operations[first:] = [replace(each, out=out), *rest]


def _reading(each: Operation, x: View, here: View) -> Operation:
    """The operation with another view in place of x."""
    match each:
        case Map():
            return replace(each, operands=tuple(here if y == x else y for y in each.operands))
        case Reduce():
            return replace(each, operand=here if each.operand == x else each.operand)
    return each
