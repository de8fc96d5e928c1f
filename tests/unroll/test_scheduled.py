"""The compiled recursion in one call: the same numbers as by the tape, whatever the schedule."""

import gc
import threading

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.unroll import compiled, scheduled

pytestmark = pytest.mark.kernels

GENERATOR, DISCRIMINATOR = nn.MLP((3, 8, 2)), nn.MLP((2, 7, 1))
OPTIMIZERS = (
    optim.SGD(0.1), optim.Momentum(0.1, 0.5), optim.Adam(0.05, 0.5, 0.9, eps=1e-2),
    optim.RMSprop(0.05, 0.9, eps=1e-2),
    optim.AdamW(optim.LinearSchedule(0.1, 0.0, 4), 0.5, 0.9, eps=1e-2),
    optim.chain(optim.clip_by_norm(0.1), optim.SGD(optim.CosineSchedule(0.5, 8))),
)  # fmt: skip


def batch(rng, dtype=np.float64, rows=6):
    return gan.Batch(*(rng.standard_normal((rows, n)).astype(dtype) for n in (2, 3)))


def problem(rng, dtype=np.float64):
    game = gan.Penalized(gan.Game(GENERATOR, DISCRIMINATOR), gan.penalties.R1(0.1))
    theta = (network.init(rng, dtype) for network in (GENERATOR, DISCRIMINATOR))
    return game, *theta, batch(rng, dtype)


def gradient(*given, method="compiled", **how):
    how = how if "optimizer" in how else {"lr": 0.1} | how
    return ug.unroll.value_and_grad(*given, method=method, **how)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in optree.tree_leaves(tree)]


def sweeps():
    return [x for x in compiled._programs.values() if isinstance(x, scheduled.ScheduledRecursion)]


def agree(*given, tolerance=1e-12, **how):
    compiled._programs.clear()
    found = gradient(*given, **how)
    assert len(sweeps()) == 1
    assert relative_error(found, gradient(*given, **how, method="adjoint")) < tolerance
    return found


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_any_number_of_steps(steps, rng):
    for truncate in range(steps + 1):
        agree(*problem(rng), steps=steps, truncate=truncate)


def test_step_sizes_of_their_own(rng):
    agree(*problem(rng), steps=3, lr=[0.1, 0.3, 0.2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_any_optimiser_from_a_fresh_or_a_carried_state(optimizer, dtype, tolerance, rng):
    game, theta_g, theta_d, given = problem(rng, dtype)
    state = optimizer.init(theta_d)
    _, state = optimizer.update(optree.tree_map(np.ones_like, theta_d), state, theta_d)
    for start in (None, state):
        how = {"optimizer": optimizer, "state": start, "steps": 3}
        found = agree(game, theta_g, theta_d, given, tolerance=tolerance, **how)
        assert {x.dtype for x in optree.tree_leaves(found)} == {np.dtype(dtype)}


def test_fresh_batches(rng):
    game, theta_g, theta_d, _ = problem(rng)
    agree(game, theta_g, theta_d, [batch(rng) for _ in range(4)], steps=3)


def test_batches_of_several_sizes_are_taken_step_by_step(rng):
    game, theta_g, theta_d, _ = problem(rng)
    batches = [batch(rng, rows=rows) for rows in (6, 5, 6, 4)]
    compiled._programs.clear()
    found = gradient(game, theta_g, theta_d, batches, steps=3)
    assert not sweeps()
    expected = gradient(game, theta_g, theta_d, batches, steps=3, method="adjoint")
    assert relative_error(found, expected) < 1e-12


def conditional(rng, steps=0):
    """A conditional game with batch normalisation, and batches with labels."""
    generator = nn.Sequential(nn.MLP((5, 8)), nn.BatchNorm(8), np.tanh, nn.MLP((8, 2)))
    game = gan.Game(generator, nn.MLP((4, 7, 1)), classes=2)
    batches = [gan.FullBatch(*batch(rng), rng.integers(2, size=6)) for _ in range(steps + 1)]
    theta = generator.init(rng, float), game.discriminator.init(rng, float)
    return game, *theta, batches if steps else batches[0]


@pytest.mark.parametrize("optimizer", [None, *OPTIMIZERS[:3]])
def test_labels_are_turned_into_rows_beforehand(optimizer, rng):
    how = {"steps": 3} | ({"optimizer": optimizer} if optimizer else {})
    game, *place = conditional(rng)
    agree(game, *place, **how)
    other = place[-1]._replace(labels=1 - place[-1].labels)
    found = gradient(game, *place[:2], other, **how)
    expected = gradient(game, *place[:2], other, **how, method="adjoint")
    assert relative_error(found, expected) < 1e-12


@pytest.mark.parametrize("steps", [1, 3])
def test_labels_of_fresh_batches(steps, rng):
    agree(*conditional(rng, steps), steps=steps)


def test_labels_are_checked_in_every_run(rng):
    game, theta_g, theta_d, given = conditional(rng)
    gradient(game, theta_g, theta_d, given, steps=2)
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        gradient(game, theta_g, theta_d, given._replace(labels=given.labels + 2), steps=2)


def own(theta_g, theta_d, batch):
    hidden = np.tanh(batch["x"] @ theta_g["a"] + theta_g["b"])
    return np.mean(np.sin(hidden @ theta_d)) - batch["weight"] * np.sum(theta_d**2)


def test_a_game_of_ones_own_which_no_samples_go_through(rng):
    game = ug.unroll.Game(ug.compile(own))
    theta_g = {"a": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    for weight in (0.1, 0.3):
        given = {"x": rng.standard_normal((5, 3)), "weight": weight}
        agree(game, theta_g, rng.standard_normal(4), given, steps=3)


def test_a_game_whose_gradients_are_constant_in_part(rng):
    game = gan.Game(GENERATOR, DISCRIMINATOR, "wasserstein")  # its biases cancel
    agree(game, *problem(rng)[1:], steps=3)


def test_layouts_of_arrays_do_not_matter(rng):
    game, theta_g, theta_d, given = problem(rng)
    turned = optree.tree_map(np.asfortranarray, (theta_g, theta_d, given))
    assert bits(gradient(game, *turned, steps=2)) == bits(
        gradient(game, theta_g, theta_d, given, steps=2)
    )


@pytest.mark.parametrize("how", [{"lr": 0.1}, {"optimizer": OPTIMIZERS[2]}])
@pytest.mark.parametrize("snapshots", [1, 2, 3, 7])
def test_few_states_give_the_same_bits(how, snapshots, rng):
    given = problem(rng)
    bounded = gradient(*given, steps=7, snapshots=snapshots, **how)
    assert bits(bounded) == bits(gradient(*given, steps=7, **how))


def test_where_all_would_keep_too_much_the_bits_are_the_same_and_the_memory_less(rng, monkeypatch):
    game, theta_g, theta_d, _ = problem(rng)
    given = game, theta_g, theta_d, batch(rng, rows=2000)
    compiled._programs.clear()
    expected, kept = bits(gradient(*given, steps=20)), sweeps()[0].nbytes
    monkeypatch.setattr(scheduled, "MOST_KEPT", 0)
    compiled._programs.clear()
    assert bits(gradient(*given, steps=20)) == expected
    assert sweeps()[0].nbytes < kept


def test_a_recursion_serves_every_number_of_steps(rng, monkeypatch):
    given = problem(rng)
    gradient(*given, steps=2)
    monkeypatch.setattr(compiled, "Recursion", None)
    for steps in (1, 3, 30):
        expected = gradient(*given, steps=steps, method="adjoint")
        assert relative_error(gradient(*given, steps=steps), expected) < 1e-11


def test_threads_share_a_sweep(rng):
    given = problem(rng)
    expected = bits(gradient(*given, steps=3))
    found = []

    def run():
        found.extend(bits(gradient(*given, steps=3)) for _ in range(20))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80


def test_constants_of_a_sweep_live_as_long(rng):
    given = problem(rng)
    how = {"steps": 3, "optimizer": optim.Momentum(0.1, 0.5)}
    expected = bits(gradient(*given, **how))
    gc.collect()
    rubbish = [np.full(7, np.nan) for _ in range(1000)]
    assert bits(gradient(*given, **how)) == expected
    del rubbish


def test_no_array_of_the_caller_is_written_to(rng):
    game, *given = problem(rng)
    before = bits(given)
    for leaf in optree.tree_leaves(given):
        leaf.flags.writeable = False
    for snapshots in (None, 1):
        gradient(game, *given, steps=4, snapshots=snapshots)
        gradient(game, *given, steps=4, snapshots=snapshots, truncate=1)
    assert bits(given) == before
