import numpy as np

from tests.compile.programs import recorded
from tinygrad_ugan.compile.buffers import plan_buffers
from tinygrad_ugan.compile.replay import Replay

X = np.linspace(-1, 1, 10_000)


def test_a_chain_needs_one_buffer():
    def f(x):
        for _ in range(5):
            x = np.tanh(x) + 1
        return np.sum(x)

    plan = plan_buffers(recorded(f, X))
    assert plan.nbytes == X.nbytes
    assert len(plan.place) == 10


def test_small_results_and_outputs_have_none():
    plan = plan_buffers(recorded(lambda x: np.exp(x[:10] * 2), X))
    assert plan.nbytes == 0
    plan = plan_buffers(recorded(lambda x: np.exp(x)[1:], X))  # a view of what it shares
    assert plan.nbytes == 0


def test_a_buffer_is_kept_while_a_view_of_it_is_read():
    def f(x):
        y = np.exp(x)
        view = y[::-1]
        for _ in range(3):
            x = np.sin(x)
        return np.sum(view * x), np.sum(np.cos(x).reshape(100, 100).T @ np.ones(100))

    found = Replay(recorded(f, X))([X])
    np.testing.assert_array_equal(found, f(X))


def test_a_product_is_not_written_over_its_operands():
    a = np.random.default_rng(0).standard_normal((64, 64))
    found = Replay(recorded(lambda a: np.sum((a + 1) @ (a + 2) @ (a + 3)), a))([a])
    np.testing.assert_array_equal(found[0], np.sum((a + 1) @ (a + 2) @ (a + 3)))
