import numpy as np

from tests.compile.programs import names, recorded
from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.partial_evaluation import cut
from tinygrad_ugan.compile.replay import Replay


def check_cut(f, *xs, early, late, kept):
    """A program of which the last input and the last output are late: what is where, and kept."""
    program = recorded(f, *xs)
    parts = cut(program, program.inputs[-1:], 1)
    assert names(parts.early) == early
    assert names(parts.late) == late
    assert list(parts.residuals.values()) == kept
    *ready, last = Replay(program)(xs)
    outputs = Replay(parts.early)(xs[:-1])
    values = [*xs[:-1], *outputs]
    residuals = [values[i] for i in parts.residuals.values()]
    for _ in range(2):
        np.testing.assert_array_equal(Replay(parts.late)([*residuals, xs[-1]])[0], last)
    for x, y in zip(outputs, ready, strict=False):
        np.testing.assert_array_equal(x, y)


X, U = np.arange(6.0).reshape(2, 3), np.ones((2, 3))


def test_what_depends_on_late_inputs_waits():
    def f(x, u):
        y = np.tanh(x)
        return np.exp(y), np.sin(x) * (u * 2)

    check_cut(f, X, U, early=["tanh", "exp", "sin"], late=["multiply", "multiply"], kept=[2])


def test_inputs_and_outputs_are_residuals_as_they_are():
    def f(x, u):
        y = np.tanh(x)
        return y, u * y + x

    check_cut(f, X, U, early=["tanh"], late=["multiply", "add"], kept=[0, 1])


def test_outputs_that_the_caller_may_write_to_are_kept_apart():
    def f(x, u):
        negative = np.signbit(x)
        return negative, np.where(negative, u, 0)

    check_cut(f, X, U, early=["signbit"], late=["where"], kept=[2])


def test_views_and_casts_to_larger_numbers_are_taken_again():
    def f(x, u):
        y = np.transpose(np.tanh(x))
        wide = y.astype(float)
        narrow = np.exp(x).astype(np.float16)
        return x, u * wide.T * narrow

    late = ["transpose", "astype", "transpose", "multiply", "multiply"]
    early = ["tanh", "exp", "astype"]
    check_cut(f, X.astype(np.float32), U, early=early, late=late, kept=[2, 3])


def test_a_late_output_that_depends_on_nothing_late():
    check_cut(lambda x, u: (x, np.sin(x)), X, U, early=["sin"], late=[], kept=[2])


class Sine(Memo):
    __slots__ = ("value",)


def test_memos_that_are_filled_early_and_read_late():
    def fill(x, memo):
        memo.value = np.sin(x)
        return x + 0

    def read(u, memo):
        return u * memo.value

    def f(x, u):
        memo = Sine()
        y = x.node.call(fill, (x,), {"memo": memo}, "fill")
        return y, x.node.call(read, (u,), {"memo": memo}, "read")

    check_cut(f, X, U, early=["fill"], late=["read"], kept=[2])
    late = cut(program := recorded(f, X, U), program.inputs[-1:], 1).late
    assert "x0: memo" in str(late)


def test_what_is_cheap_to_compute_from_what_is_kept_anyway_is_computed_again():
    def f(x, u):
        y = np.tanh(x)
        return x, u * y * (1 - 2 * y)

    late = ["multiply", "subtract", "multiply", "multiply"]
    check_cut(f, X, U, early=["tanh"], late=late, kept=[2])


def test_a_narrow_layer_is_computed_again_from_its_input():
    w = np.ones((3, 5))

    def f(x, u):
        return x, u @ np.maximum(x @ w, 0.0).T

    late = ["matmul", "maximum", "transpose", "matmul"]
    check_cut(f, X, np.ones((2, 5)), early=[], late=late, kept=[1])


def test_what_would_need_more_memory_to_compute_again_is_kept():
    def f(x, u):
        return x, u * (np.sin(x) + np.tanh(x))

    check_cut(f, X, U, early=["sin", "tanh", "add"], late=["multiply"], kept=[2])
