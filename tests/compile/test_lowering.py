"""Which instructions go to the kernels, and in which order the rest is called."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_ugan as ug
from tests.compile.pieces import lowered, pieces, simplified
from tests.compile.programs import names
from tinygrad_ugan.compile.lowering import FEWEST, with_kernels
from tinygrad_ugan.compile.replay import Replay

X = np.linspace(-1, 1, 24).reshape(4, 6)


def check(f, *xs, to):
    program = simplified(f, *xs)
    after = with_kernels(program)
    assert names(after) == to
    for x, y in zip(Replay(after)(xs), Replay(program)(xs), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_everything():
    check(lambda x: np.sum(np.tanh(x) + 1), X, to=["kernels"])


def test_nothing():
    check(lambda x: np.sort(x)[0], X, to=["sort", "getitem"])
    check(lambda x: np.exp(x), X, to=["exp"])
    assert FEWEST == 2


def test_what_kernels_cannot_do_stays_between_pieces():
    def f(x):
        y = np.sort(np.tanh(x) + 1, axis=0)
        return np.cumsum(np.exp(y) * y, axis=0)

    check(f, X, to=["kernels", "sort", "kernels", "cumsum"])


def test_pieces_are_as_large_as_their_operands_allow():
    def f(x):
        a = np.sort(np.exp(x) + 1)
        b = np.tanh(x) * 2  # independent of the sorting: with the first piece
        return a, np.exp(b) * a + np.tanh(b)

    check(f, X, to=["kernels", "sort", "kernels"])


def test_views_are_taken_where_they_are_read():
    check(lambda x: np.exp(x.T) + x.T[:, :1], X, to=["kernels"])
    check(lambda x: (np.exp(x) + 1).T, X, to=["kernels"])
    check(lambda x: np.sort((np.exp(x) + 1).T), X, to=["kernels", "sort"])
    check(lambda x: np.exp(np.sort(x).T) * 2, X, to=["sort", "kernels"])


def test_numbers_of_the_other_precision_stay():
    def f(x, y):
        return np.exp(x) * 2, np.exp(y) * 2

    check(f, X, X[0].astype(np.float32), to=["exp", "multiply", "kernels"])


def test_the_slope_of_a_maximum_is_of_its_precision():
    def f(x):
        return ug.grad(lambda x: np.sum(np.maximum(x, np.float32(0.5)) ** 2))(x)

    check(f, X.astype(np.float32), to=["kernels"])


def test_an_output_is_an_input_or_a_constant():
    check(lambda x: (x, np.exp(x) * 2, np.ones(3)), X, to=["kernels"])


def test_outputs_of_a_piece_are_what_is_read_outside():
    program = lowered(lambda x: np.sort(np.exp(np.exp(x)) * 3), X)
    (piece,) = pieces(program)
    assert len(piece.outputs) == len(program.instructions[0].results) == 1


UNARY = [
    np.exp,
    np.tanh,
    np.sin,
    np.sort,
    np.transpose,
    lambda x: x[::-1],
    lambda x: np.cumsum(x) * 0 + 1,
]


@settings(max_examples=20)
@given(
    steps=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20), st.integers(0, 20)), max_size=9)
)
def test_random_functions(steps):
    def f(x):
        values = [x]
        for kind, i, j in steps:
            x, y = values[i % len(values)], values[j % len(values)]
            values.append(np.tanh(UNARY[kind](x)) if kind < len(UNARY) else x * y)
        return values[-3:]

    program = simplified(f, X[:, :4])
    found, expected = (Replay(p)([X[:, :4]]) for p in (with_kernels(program), program))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)
