"""Stages: each computes what it can, and hands on what the next ones need."""

import numpy as np
import pytest

from tinygrad_ugan.compile.program import Symbol
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.stages import record_stages


def three(numbers, arrays, late):
    (eta,), (x, w), (v,) = numbers, arrays, late
    scale = 2.0 / (1.0 + eta)
    y = np.tanh(x @ w) * scale
    return [[eta + 1.0], [y], [np.sum(y * v) * scale, v @ w]]


def groups(rng):
    return [3.0], [rng.standard_normal((4, 3)), rng.standard_normal((3, 3))], [np.ones((4, 3))]


def run(stages, given):
    """Run stages one after the other; return the results of each."""
    known, found = {}, []
    for stage, leaves in zip(stages, given, strict=True):
        known |= zip(stage.arguments, leaves, strict=True)
        outputs = Replay(stage.program)([known[x] for x in stage.program.inputs])
        known |= zip(stage.program.outputs, outputs, strict=True)
        found.append(outputs[: stage.results])
    return found


def test_stages_in_turn_are_the_function(rng):
    given = groups(rng)
    stages = record_stages("three", three, *given)
    others = [5.0], [x + 1 for x in given[1]], [2 * given[2][0]]
    for found, expected in zip(run(stages, others), three(*others), strict=True):
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-14)


def test_nothing_is_computed_twice_that_is_not_cheap(rng):
    first, second, third = record_stages("three", three, *groups(rng))
    names = [[each.name for each in stage.program.instructions] for stage in (first, second, third)]
    assert "truediv" in names[0]
    assert "tanh" in names[1]
    assert not {"truediv", "tanh"}.intersection(names[2])
    assert all(isinstance(x, Symbol) for x in (*first.kept, *second.kept))


def test_only_some_results_need_less(rng):
    *_, last = record_stages("three", three, *groups(rng))
    product = last.only(slice(1, None))
    assert [each.name for each in product.program.instructions] == ["matmul"]
    assert product.results == 1


def test_a_result_that_needs_later_arguments_is_noticed(rng):
    def early(first, second):
        return [[first[0] + np.sum(second[0])], [second[0] * 2]]

    stage, _ = record_stages("early", early, [1.0], [np.ones(3)])
    assert not stage.is_complete
    assert all(each.is_complete for each in record_stages("three", three, *groups(rng)))


@pytest.mark.parametrize(("f", "is_whole"), [(np.tanh, True), (np.sort, False)])
def test_a_piece_takes_all_or_nothing(f, is_whole, rng):
    (stage,) = record_stages("f", lambda xs: [[f(xs[0]) * 2.0]], [rng.standard_normal(8)])
    assert (stage.piece(np.dtype(float)) is not None) == is_whole


def test_constant_results_are_results_too(rng):
    (stage,) = record_stages("f", lambda xs: [[np.zeros(3), xs[0] * 2.0]], [rng.random(8)])
    piece = stage.piece(np.dtype(float))
    assert [x.shape for x in piece.outputs] == [(3,), (8,)]
    assert stage.piece(np.dtype(np.float32)) is None
