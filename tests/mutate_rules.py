"""Break every rule of the table as a slip of the pen would, and see that the tests notice.

``python -m tests.mutate_rules [names of records]`` prints a line for each primitive and exits with
1 if a mutant survives the checks that the quick test-suite makes of it.

A mutant wraps a record's jvp, its vjp, or both in the same way: nothing needs to be known of how
the record was declared. One that computes the same as the record on all samples is equivalent, and
counted apart.
"""

import dataclasses
import itertools
import sys
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tests.autodiff.rules import test_table
from tests.oracles import subsets
from tinygrad_ugan import jvp, vjp
from tinygrad_ugan.autodiff.operands import broadcast_like, unbroadcast
from tinygrad_ugan.autodiff.primitive import Primitive
from tinygrad_ugan.autodiff.samples import Random
from tinygrad_ugan.check.strategies.samples import samples_of

PRIMITIVES = [record for record in test_table.ALL if isinstance(record, Primitive)]


def mutants(record):
    """Pairs of a description and a broken record."""
    for slip, broken_jvp, broken_vjp in slips(record):
        if broken_jvp:
            yield f"{slip} in the jvp", dataclasses.replace(record, jvp=broken_jvp)
        if broken_vjp:
            yield f"{slip} in the vjp", dataclasses.replace(record, vjp=broken_vjp)
        if broken_jvp and broken_vjp:
            both = dataclasses.replace(record, jvp=broken_jvp, vjp=broken_vjp)
            yield f"{slip} in both", both


def slips(record):
    """Triples of a description, a broken jvp and a broken vjp; None where it makes no sense."""
    places = sorted(
        {
            i
            for sample in samples_of(record)
            for i, x in enumerate(sample.args)
            if isinstance(x, Random)
        }
    )
    for i in places:
        yield f"sign of argument {i}", *scaled(record, i, -1)
        yield f"factor 2 at argument {i}", *scaled(record, i, 2)
        yield f"zero for argument {i}", *scaled(record, i, 0)
        if record.kind == "elementwise":
            yield f"partial {i} replaced by 1", *replaced_by_one(record, i)
    for i, j in itertools.pairwise(places):
        yield f"arguments {i} and {j} exchanged", *exchanged(record, i, j)
    if record.kind == "elementwise" and len(places) > 1:
        yield "sum over broadcast axes dropped", None, without_sum(record)
    if record.kind != "elementwise" or len(places) > 1:
        yield "cast dropped", *without_cast(record)


def scaled(record, place, factor):
    """The derivative in one argument times a factor."""

    def broken_jvp(traced, ans, args, params, tangents):
        pairs = zip(traced, tangents, strict=True)
        scaled = [t * factor if i == place else t for i, t in pairs]
        return record.jvp(traced, ans, args, params, scaled)

    def broken_vjp(traced, ans, args, params, cotangent):
        parts = record.vjp(traced, ans, args, params, cotangent)
        pairs = zip(traced, parts, strict=True)
        return [part * factor if i == place and part is not None else part for i, part in pairs]

    return broken_jvp, broken_vjp


def replaced_by_one(record, place):
    """An elementwise function with 1 for one of its partial derivatives."""
    without, _ = scaled(record, place, 0)

    def broken_jvp(traced, ans, args, params, tangents):
        total = without(traced, ans, args, params, tangents)
        ones = [t for i, t in zip(traced, tangents, strict=True) if i == place]
        return total + broadcast_like(ones[0], ans) if ones else total

    def broken_vjp(traced, ans, args, params, cotangent):
        parts = record.vjp(traced, ans, args, params, cotangent)
        pairs = zip(traced, parts, strict=True)
        return [unbroadcast(cotangent, args[i]) if i == place else part for i, part in pairs]

    return broken_jvp, broken_vjp


def exchanged(record, first, second):
    """The derivative in one argument used for another, and the other way round."""
    other = {first: second, second: first}

    def broken_jvp(traced, ans, args, params, tangents):
        return record.jvp([other.get(i, i) for i in traced], ans, args, params, tangents)

    def broken_vjp(traced, ans, args, params, cotangent):
        exchanged = [other.get(i, i) for i in traced]
        if record.kind != "elementwise":
            return record.vjp(exchanged, ans, args, params, cotangent)
        # The partials change places, not what fits them to the arguments' shapes and dtypes.
        full = [np.broadcast_to(x, ans.shape).astype(ans.dtype) for x in args]
        parts = record.vjp(exchanged, ans, full, params, cotangent)
        return [unbroadcast(part, args[i]) for i, part in zip(traced, parts, strict=True)]

    return broken_jvp, broken_vjp


def without_sum(record):
    """Cotangents in the shape of the result, not of the argument."""

    def broken_vjp(traced, ans, args, params, cotangent):
        full = [np.broadcast_to(x, ans.shape) for x in args]
        return record.vjp(traced, ans, full, params, cotangent)

    return broken_vjp


def without_cast(record):
    """Derivatives in the dtype of what they were computed from."""

    def broken_jvp(traced, ans, args, params, tangents):
        return record.jvp(traced, ans, args, params, tangents).astype(tangents[0].dtype)

    def broken_vjp(traced, ans, args, params, cotangent):
        parts = record.vjp(traced, ans, args, params, cotangent)
        return [part if part is None else part.astype(cotangent.dtype) for part in parts]

    return broken_jvp, broken_vjp


def checks(record):
    """The calls ``(test, arguments)`` that test_table.py makes for a record."""
    for test in vars(test_table).values():
        for mark in getattr(test, "pytestmark", ()):
            if mark.name != "parametrize" or "record" not in mark.args[0]:
                continue
            for case in mark.args[1]:
                arguments = getattr(case, "values", (case,))
                if arguments[0] is record:
                    yield test, arguments[1:]


def is_killed(mutant, record):
    """Whether one of the record's tests fails for the mutant."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as in setup.cfg
        try:
            for test, arguments in checks(record):
                test(mutant, *arguments)
        except Exception:  # a crash is noticed as much as a wrong number
            return True
    return False


def is_equivalent(mutant, record):
    """Whether a mutant computes the same derivatives as the record on all of its samples."""
    pairs = zip(derivatives(mutant), derivatives(record), strict=True)
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs)


def derivatives(record):
    """Every jvp and vjp on the samples, in double and in mixed precision."""
    rng = np.random.default_rng(0)
    for sample in samples_of(record):
        places, restrict = test_table.realise(sample, rng)
        for chosen in subsets(places):
            f, operands = restrict(record, chosen)
            for first in (np.float64, np.float32):
                arguments = (first(operands[0]), *operands[1:])
                out, pullback = vjp(f, *arguments)
                yield jvp(f, arguments, arguments)[1]
                yield from pullback(np.cos(out))


def judge(record):
    """The number of killed and of equivalent mutants, and the survivors' descriptions."""
    count, survivors = Counter(), []
    for slip, mutant in mutants(record):
        if is_killed(mutant, record):
            count["killed"] += 1
        elif is_equivalent(mutant, record):
            count["equivalent"] += 1
        else:
            survivors.append(slip)
    return count["killed"], count["equivalent"], survivors


def main(names: Sequence[str] = ()) -> int:
    """Judge the records of the given names, or all; return the number of survivors."""
    row = "{:<28}{:>10}{:>10}{:>12}  {}"
    print(row.format("record", "mutants", "killed", "equivalent", "survivors"))
    totals = np.zeros(4, int)
    for record in PRIMITIVES:
        if names and record.name not in names:
            continue
        killed, equivalent, survivors = judge(record)
        counts = [killed + equivalent + len(survivors), killed, equivalent, len(survivors)]
        totals += counts
        print(row.format(record.name, *counts[:3], "; ".join(survivors)), flush=True)
    print(row.format("total", *totals))
    return int(totals[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
