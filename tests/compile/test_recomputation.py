"""Cheap results are computed again where that costs less than to fetch them."""

import numpy as np

from tests.compile.pieces import translated
from tinygrad_ugan.compile.fusion import MAX_ARRAYS, count_uses, fuse
from tinygrad_ugan.compile.operations import reads
from tinygrad_ugan.compile.recomputation import recompute

X, W = np.ones((64, 16)), np.ones((16, 16))


def recomputed(f, *xs):
    """The groups, and the bytes that they store for each other."""
    operations, outputs = translated(f, *xs)
    groups = fuse(operations, outputs)
    recompute(groups, outputs)
    uses = count_uses((each for group in groups for each in group.operations), outputs)
    return groups, sum(x.nbytes for group in groups for x in group.stored(uses))


def test_masks_are_kept_and_not_their_numbers():
    def f(x):
        y = x @ W
        return np.maximum(y, 0) @ W, (y > 0) * (x @ (W + 1))

    _, stored = recomputed(f, X)
    y, mask, first, second = X.nbytes, X.size, X.nbytes, X.nbytes
    assert stored == y + mask + first + second


def test_costly_results_are_kept():
    def f(x):
        y = np.exp(x)
        return (y @ W) * y

    groups, _ = recomputed(f, X)
    assert [len(each.maps) for each in groups] == [1, 1]


def test_results_that_are_needed_outside_are_not_computed_again():
    def f(x):
        y = x + 1
        return y, (y @ W) * y

    groups, _ = recomputed(f, X)
    assert sum(each.operation == "numpy.add" for group in groups for each in group.maps) == 1


def test_what_is_computed_again_is_read_from_the_copy():
    def f(x):
        y = x + 1
        return (y @ W) * y

    first, second = recomputed(f, X)[0]
    again, product = second.maps
    assert again.operation == "numpy.add"
    assert again.out is not first.maps[0].out
    assert again.out in {x.storage for x in reads(product)}


def test_kernels_stay_within_the_arguments_of_a_call():
    def f(*xs):
        ys = [x + 1 for x in xs]
        return [sum(ys[i : i + 14], 0.0) @ W + sum(ys[::-1][i : i + 14]) for i in range(0, 28, 7)]

    groups, _ = recomputed(lambda *xs: f(*xs), *[X + i for i in range(30)])
    assert max(len(set(each.sources())) for each in groups) <= MAX_ARRAYS
