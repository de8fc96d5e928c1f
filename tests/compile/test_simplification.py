import numpy as np
import pytest

from tests.compile.programs import check_pass
from tinygrad_ugan.compile.simplification import simplified

X = np.arange(1.0, 7).reshape(2, 3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 1,
        lambda x: 1.0 * x,
        lambda x: x / 1,
        lambda x: +x,
        lambda x: x.astype(float),
        lambda x: x.reshape(2, 3),
        lambda x: np.broadcast_to(x, (2, 3)),
    ],
)
def test_what_changes_nothing_is_left_out(f):
    check_pass(simplified, lambda x: np.exp(f(x)), X, to=["exp"])


@pytest.mark.parametrize(
    ("f", "to"),
    [
        (lambda x: x.T.T, ["transpose"]),
        (lambda x: np.negative(-x), ["negative"]),
        (lambda x: x + -(x * 2), ["multiply", "negative", "subtract"]),
        (lambda x: x - -(x * 2), ["multiply", "negative", "add"]),
        (lambda x: -x * -x, ["negative", "negative", "multiply"]),
    ],
)
def test_pairs_that_cancel(f, to):
    check_pass(simplified, f, X, to=to)


@pytest.mark.parametrize(
    ("f", "to"),
    [
        (lambda x: x * np.ones((4, 2, 3)), ["multiply"]),
        (lambda x: x.astype(np.float32), ["astype"]),
        (lambda x: x.reshape(3, 2), ["reshape"]),
        (lambda x: np.transpose(np.transpose(x, (1, 0)), (0, 1)), ["transpose", "transpose"]),
        (lambda x: -x + x, ["negative", "add"]),
        (lambda x: x * 2, ["multiply"]),
        (lambda x: 1 / x, ["divide"]),
        (lambda x: x + 0.0, ["add"]),  # -0.0 becomes 0.0
    ],
)
def test_what_changes_something_stays(f, to):
    check_pass(simplified, f, X, to=to)
