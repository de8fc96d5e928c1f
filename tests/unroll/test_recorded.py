"""What is recorded of a game, once for any number of steps."""

from dataclasses import replace

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.stated import stated
from tinygrad_ugan.unroll.dynamics import InnerState
from tinygrad_ugan.unroll.problem import make_problem
from tinygrad_ugan.unroll.recorded import NeedsNumPyError, Recursion, labels_of, split_counts

pytestmark = pytest.mark.kernels


def problem(rng, *, steps=2, dtype=np.float64, discriminator=None, **how):
    networks = nn.MLP((2, 5, 2)), discriminator or nn.MLP((2, 4, 1))
    game = gan.Game(*networks)
    batch = gan.Batch(*(rng.standard_normal((6, 2)).astype(dtype) for _ in range(2)))
    how = {"lr": None if "optimizer" in how else 0.1} | how
    theta_g, theta_d = (network.init(rng, dtype) for network in networks)
    return make_problem(game, theta_g, theta_d, batch, steps=steps, **how)


def recursion(given):
    return Recursion(given, stated(given.game, "sample_form"))


def test_the_way_back_finds_what_the_way_there_has_computed(rng):
    found = recursion(problem(rng))
    names = [each.name for each in found.backsteps(2)[0].program.instructions]
    assert "tanh" not in names
    assert "tanh" in [each.name for each in found.step.program.instructions]


def test_what_nobody_asks_for_is_not_computed(rng):
    found = recursion(problem(rng))
    first, last = found.backsteps(2)
    assert len(first.returned) == found.floats + len(found.directs)
    assert len(last.returned) == len(found.directs)
    assert len(last.program.instructions) < len(first.program.instructions)
    assert len(found.outer_alone.program.instructions) < len(found.outer.program.instructions)
    assert recursion(problem(rng, steps=0)).step is None


def test_step_sizes_are_numbers_of_the_steps(rng):
    given = problem(rng, steps=3, lr=[0.1, 0.2, 0.3])
    (numbers,) = recursion(given).before(given)
    np.testing.assert_array_equal(numbers, [0.1, 0.2, 0.3])


def test_corrections_of_adam_are_computed_beforehand(rng):
    given = problem(rng, optimizer=optim.Adam(0.1, 0.5, 0.9))
    counts = optree.tree_map(lambda x: np.int64(x) if type(x) is int else x, given.state.memory)
    given = replace(given, state=given.state._replace(memory=counts))
    (found,) = recursion(given).before(given)
    expected = [x for t in (1, 2) for x in (-0.1 / (1 - 0.5**t), 1 / (1 - 0.9**t))]
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-12)


def test_labels_are_what_is_no_float():
    batch = gan.FullBatch(np.ones((3, 2)), np.ones((3, 2)), np.arange(3), {"line": 0.5, "n": "x"})
    assert [x.tolist() for x in labels_of(batch)] == [[0, 1, 2]]


def test_counts_are_told_from_floats_and_put_back():
    state = InnerState({"w": np.ones(2)}, (np.int64(3), [np.zeros(2)], 0.5))
    floats, counts, rebuild = split_counts(state)
    assert [np.ndim(x) for x in floats] == [1, 1, 0]
    assert counts == [3]
    again = rebuild([1.0, 2.0, 3.0], [7])
    assert again == InnerState({"w": 1.0}, (7, [2.0], 3.0))


class Sorted:
    """A network that takes a call of NumPy."""

    def init(self, rng, dtype):
        return rng.standard_normal((2, 1)).astype(dtype)

    @ug.compile
    def __call__(self, theta, x):
        return np.sort(np.tanh(x) @ theta, axis=0)


def test_what_takes_numpy_is_refused(rng):
    with pytest.raises(NeedsNumPyError):
        recursion(problem(rng, discriminator=Sorted()))


def test_parameters_of_two_dtypes_are_refused(rng):
    given = problem(rng)
    mixed = given.at(given.theta_g, [{"w": np.ones((2, 1), np.float32), "b": np.zeros(1)}])
    with pytest.raises(NeedsNumPyError, match="one dtype"):
        recursion(mixed)
