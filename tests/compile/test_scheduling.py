"""The order in which groups run: parts of phases in any order give what NumPy gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.compile.matrix_functions import arguments, functions
from tests.compile.pieces import by_numpy, lowered, pieces, poison, simplified
from tinygrad_ugan import nn
from tinygrad_ugan.compile import row_sums, scheduling
from tinygrad_ugan.compile.fusion import Group
from tinygrad_ugan.compile.lowering import with_kernels
from tinygrad_ugan.compile.operations import COPY, Map
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.scheduling import CHUNKS, UNIT, Section, results, rows_of
from tinygrad_ugan.compile.strided import Storage


@pytest.fixture
def always_in_parts(monkeypatch):
    """What is done for large programs alone, for small ones too."""
    monkeypatch.setattr(scheduling, "PARALLEL", 0)
    monkeypatch.setattr(row_sums, "CACHE", 0)
    monkeypatch.setattr(scheduling, "BLOCK_NUMBERS", 0)


def check(f, *xs, seed=0):
    """Run a function's kernels in NumPy, parts in a random order, in memory full of NaN."""
    program = simplified(f, *xs)
    with pytest.MonkeyPatch.context() as patch, by_numpy(patch, program, seed):
        run = with_kernels(program)
        poison(run)
        found = Replay(run)(xs)
    for x, y in zip(found, Replay(program)(xs), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("always_in_parts")
@given(f=functions(), seed=st.integers(0, 9))
def test_parts_in_any_order_do_what_the_program_does(f, seed):
    check(f, *arguments(f), seed=seed)


@given(f=functions())
def test_one_part_does_what_the_program_does(f):
    check(f, *arguments(f))


@pytest.mark.usefixtures("always_in_parts")
@pytest.mark.parametrize("n", [1, 5, 40])
def test_windows_are_there_when_they_are_read(n, rng):
    """Images, their windows and what becomes of them, in parts that take turns in any order."""
    x, w, v = (rng.standard_normal(s) for s in ((n, 5, 4, 2), (3, 3, 2, 3), (2, 3, 3, 2)))

    def loss(x, w, v):
        return np.mean(np.sin(nn.conv(np.tanh(nn.conv(np.tanh(x), w, stride=2)), v)))

    for seed in range(5):
        check(lambda *xs: ug.grad(loss, argnums=(0, 1, 2))(*xs), x, w, v, seed=seed)


@pytest.mark.parametrize("rows", [320, 1024])
def test_what_reads_the_values_of_a_reduction_in_parts_runs_after_it(rng, rows):
    x, w = rng.standard_normal((rows, 500)), rng.standard_normal((500, 16))

    def f(x, w):
        y = np.tanh(x)
        return np.max(y, axis=0), y @ w

    check(f, x, w)


def test_a_section_before_a_reduction_in_parts_gets_nothing_that_reads_it(rng):
    x, w, u = (rng.standard_normal(shape) for shape in ((320, 500), (500, 16), (500, 24)))

    def f(x, w, u):
        z, y = x @ u, np.tanh(x)
        return z, np.max(y, axis=0), y @ w

    check(f, x, w, u)


@pytest.mark.usefixtures("always_in_parts")
@given(f=functions())
def test_groups_run_after_those_whose_results_they_read(f):
    with pytest.MonkeyPatch.context() as patch, by_numpy(patch, simplified(f, *arguments(f))):
        found = pieces(lowered(f, *arguments(f)))
    for piece in found:
        sections = [section for phase in piece.phases for section in phase.sections]
        groups = [each for section in sections for each in section.groups]
        made = {x for each in groups for x in results(each)}
        ready = set()
        for each in groups:
            assert {x.storage for x in each.sources()} & made <= ready
            ready.update(results(each))


@given(
    rows=st.integers(1, 1000),
    chunks=st.sampled_from([1, CHUNKS]),
    kind=st.sampled_from(["blocks", "shares", "alone"]),
    place=st.integers(0, 5),
    width=st.sampled_from([1, 100, 1000]),
)
def test_blocks_cover_all_rows_once(rows, chunks, kind, place, width):
    out = Storage((rows, width), np.dtype(np.float64))
    groups = [Group((rows, width), [Map(COPY, (0.0,), out)]) for _ in range(2)]
    blocks = Section(rows, groups, kind).blocks(chunks, place)
    assert len(blocks) == chunks
    covered = [range(start, start + count) for part in blocks for start, count in part]
    assert [i for rows in covered for i in rows] == list(range(rows))
    assert all(start % UNIT == 0 for part in blocks for start, _ in part)


def test_sections_of_the_same_rows_have_the_same_shares(rng):
    """Though one adds up whole blocks of them."""
    x, w = rng.standard_normal((320, 400)), rng.standard_normal((400, 30))

    def f(x, w):
        y = np.tanh(x)
        return np.max(y, axis=0), y.T @ np.tanh(y @ w)

    check(f, x, w)
    (piece,) = pieces(lowered(f, x, w))
    first = piece.phases[0]
    shares = {
        str([sum(n for _, n in part) for part in section.blocks(CHUNKS, 0)])
        for section in first.sections
        if section.is_split
    }
    assert len(shares) == 1
    assert {rows_of(each) for section in first.sections for each in section.groups} >= {320}


def test_what_is_read_row_by_row_waits_for_its_readers(rng):
    """A layer that only a later phase reads is computed there, block by block."""
    x, w = rng.standard_normal((320, 400)), rng.standard_normal((400, 30))

    def f(x, w):
        y = np.tanh(x @ w)
        return np.sin(y) @ (w.T @ w) @ np.ones((30, 8))

    check(f, x, w)
    (piece,) = pieces(lowered(f, x, w))
    section = next(s for s in piece.phases[-1].sections if s.rows == 320)
    assert len(section.groups) > 1
    assert all(s.rows != 320 for phase in piece.phases[:-1] for s in phase.sections)
