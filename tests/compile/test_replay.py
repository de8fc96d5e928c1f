from typing import NamedTuple

import numpy as np
import pytest

from tests.compile.programs import recorded
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.errors import NotCompilableError


class Pair(NamedTuple):
    a: object
    b: object


def test_containers_of_arguments_and_results():
    def f(x):
        pair = x.node.call(
            lambda p, q: Pair(p.a + p.b, q["c"][0]), (Pair(x, 1), {"c": [x]}), {}, "f"
        )
        return np.concatenate([pair.a, pair.b]), *np.split(x, 2), *np.modf(x)

    x = np.arange(4.0)
    found = Replay(recorded(f, x))([x])
    np.testing.assert_array_equal(found[0], [1, 2, 3, 4, 0, 1, 2, 3])
    np.testing.assert_array_equal(found[2], [2, 3])


def test_a_shape_that_depends_on_numbers_is_noticed():
    def f(x):
        return x.node.call(lambda x: np.repeat(x, x.astype(int)), (x,), {}, "repeat")

    replay = Replay(recorded(f, np.ones(3)))
    assert replay([np.ones(3)])[0].tolist() == [1, 1, 1]
    with pytest.raises(NotCompilableError, match="repeat"):
        replay([np.array([1.0, 2, 3])])


def test_the_source_writes_into_buffers():
    replay = Replay(recorded(lambda x: np.sum(np.exp(x) * 2), np.ones(10_000)))
    assert "b0)" in replay.source
    assert replay.nbytes == 80_000


def test_no_warnings():
    replay = Replay(recorded(lambda x: np.log(x), np.ones(2)))
    assert replay([np.zeros(2)])[0].tolist() == [-np.inf] * 2


def test_an_error_leaves_it_usable():
    replay = Replay(recorded(lambda x: np.linalg.inv(np.exp(x) * x), np.eye(64)))
    with pytest.raises(np.linalg.LinAlgError):
        replay([np.zeros((64, 64))])
    np.testing.assert_allclose(replay([np.eye(64)])[0], np.eye(64) / np.e)
