"""Where the values of pieces are, and until when."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from tests.compile.matrix_functions import arguments, functions
from tests.compile.pieces import by_numpy, lowered, pieces, simplified
from tests.compile.test_scheduling import check
from tinygrad_ugan.compile import assembly, row_sums, scheduling
from tinygrad_ugan.kernels.program import BASE, CHUNK, Program
from tinygrad_ugan.kernels.target import host_target


def places(piece):
    """The first byte and the one after the last, of every storage in the memory of a piece."""
    found = assembly.Assembly(Program(host_target(), piece.dtype), [piece])._inside[piece]
    for x, place in found.items():
        if place.slot is None and place.constant is None:
            size = scheduling.CHUNKS * place.address[CHUNK] or x.nbytes
            yield x, (place.address[BASE], place.address[BASE] + size)


def uses(piece):
    """The places in the order of groups, phase by phase, where every storage is used."""
    found = {}
    for number, phase in enumerate(piece.phases):
        groups = (each for section in phase.sections for each in section.groups)
        for time, group in enumerate(groups):
            for x in piece.arrays[group]:
                found.setdefault(x.storage, []).append((number, time))
    return found


@settings(max_examples=50)
@given(f=functions())
@pytest.mark.parametrize("always", [False, True])
def test_values_that_are_needed_at_the_same_time_are_apart(f, always):
    with pytest.MonkeyPatch.context() as patch, by_numpy(patch, simplified(f, *arguments(f))):
        if always:
            patch.setattr(scheduling, "PARALLEL", 0)
            patch.setattr(row_sums, "CACHE", 0)
            patch.setattr(scheduling, "BLOCK_NUMBERS", 0)
        for piece in pieces(lowered(f, *arguments(f))):
            times = uses(piece)
            for (x, first), (y, second) in itertools.combinations(places(piece), 2):
                are_apart = first[1] <= second[0] or second[1] <= first[0]
                a, b = times[x], times[y]
                assert are_apart or max(a) < min(b) or max(b) < min(a)


def held(f, *xs):
    (piece,) = pieces(lowered(f, *xs))
    return piece._idle[0]._memory.nbytes


def chain(x, w):
    for _ in range(20):
        x = np.tanh(x @ w)
    return x


@pytest.mark.parametrize("rows", [8, 1000])
def test_memory_is_taken_over(rng, rows):
    x, w = rng.standard_normal((rows, 32)), rng.standard_normal((32, 32))
    check(chain, x, w)
    assert held(chain, x, w) < 4 * x.nbytes


def test_blocks_that_are_read_again_later_are_kept(rng):
    x, w = rng.standard_normal((1000, 32)), rng.standard_normal((32, 32)) / 10

    def residual(x, w):
        first = np.tanh(x @ w)
        y = np.tanh(np.tanh(first @ w) @ w)
        return np.tanh(y @ w) + first

    check(residual, x, w)
    assert held(residual, x, w) < 4 * x.nbytes


def test_a_chain_of_layers_holds_a_few_blocks_of_rows(rng):
    x, w = rng.standard_normal((4000, 64)), rng.standard_normal((64, 64))
    check(chain, x, w)
    assert held(chain, x, w) < x.nbytes / 2
