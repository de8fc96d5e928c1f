import numpy as np

from tests.compile.programs import check_pass, names, recorded
from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.common_subexpressions import with_common_subexpressions

X = np.arange(3.0)


def test_equal_calls_are_made_once():
    check_pass(
        with_common_subexpressions,
        lambda x: np.exp(x * 2 + np.ones(3)) + np.exp(x * 2 + np.ones(3)),
        X,
        to=["multiply", "add", "exp", "add"],
    )


def test_constants_that_a_function_could_tell_apart():
    pairs = [(0.0, -0.0), (1, 1.0), (1, True), (np.zeros(3), np.zeros(3, np.float32))]
    pairs += [(np.float64(1), np.float32(1))]
    for a, b in pairs:
        check_pass(
            with_common_subexpressions,
            lambda x, a=a, b=b: (np.multiply(x, a), np.multiply(x, b)),
            X,
            to=["multiply", "multiply"],
        )


def test_indices():
    def f(x):
        return x[1:], x[1:], x[:2], x[None, 1:], x[None, 1:]

    check_pass(with_common_subexpressions, f, X, to=["getitem"] * 3)


def test_calls_that_are_equal_but_for_their_memos_share_one():
    def fill(x, memo):
        return np.sin(x)

    def f(x):
        memos = [Memo(), Memo()]
        filled = [x.node.call(fill, (x, memo), {}, "fill") for memo in memos]
        read = [x.node.call(fill, (x, memo), {}, "read") for memo in memos]
        return filled, read

    program = with_common_subexpressions(recorded(f, X))
    assert names(program) == ["fill", "read"]
    assert program.instructions[0].operands[1] is program.instructions[1].operands[1]
