import numpy as np

from tests.compile.programs import check_pass, names, recorded
from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.dead_code import without_dead_code

X = np.arange(3.0)


def test_drops_what_no_output_depends_on():
    def f(x):
        np.exp(np.sin(x))
        return np.tanh(x)

    check_pass(without_dead_code, f, X, to=["tanh"])
    check_pass(without_dead_code, lambda x: (x, 3), X, to=[])


def test_keeps_what_fills_a_memo_that_is_read():
    def f(x):
        memo, other = Memo(), Memo()
        for each in (memo, other):
            x.node.call(lambda x, memo: np.sin(x), (x, each), {}, "fill")
        return x.node.call(lambda x, memo: np.cos(x), (x, memo), {}, "read")

    assert names(without_dead_code(recorded(f, X))) == ["fill", "read"]
