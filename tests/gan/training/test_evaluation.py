"""Rows of the metrics table, each column against its definition."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.gan.small import bits, varied
from tinygrad_ugan import data, gan, tree
from tinygrad_ugan.gan.training.evaluation import Evaluation
from tinygrad_ugan.gan.training.sampler import streams
from tinygrad_ugan.gan.training.setup import Setup


def evaluated(config):
    step = gan.TrainStep(config)
    state = step.init(streams(config)[0])
    evaluation = Evaluation(config)
    samples = evaluation.samples(step.game, state)
    return step.game, state, evaluation, samples, evaluation.row(step.game, state, samples, 1.5)


def test_the_anatomy_is_that_of_decompose():
    config = varied(precision="float64", unroll=gan.Unroll(3, method="detached"))
    game, state, evaluation, _, row = evaluated(config)
    batch = evaluation.batch
    terms = ug.unroll.decompose(game, state.theta_g, state.theta_d, batch, steps=3, lr=0.1)
    assert row.objective_g == pytest.approx(terms.value, rel=1e-12)
    assert row.objective_d == pytest.approx(terms.inner_values[0], rel=1e-12)
    assert row.direct == pytest.approx(tree.norm(terms.direct), rel=1e-10)
    assert row.indirect == pytest.approx(tree.norm(terms.indirect), rel=1e-8)
    assert row.cosine == pytest.approx(terms.cosine, abs=1e-8)


def test_without_unrolling_there_is_no_indirect_term():
    *_, row = evaluated(varied(unroll=gan.Unroll(0)))
    assert row.indirect == 0
    assert np.isnan(row.cosine)


def test_the_discriminators_accuracy():
    game, state, evaluation, samples, row = evaluated(varied(evaluation_samples=200))
    right = [game.discriminator(state.theta_d, x) > 0 for x in (evaluation.real, samples)]
    assert row.accuracy_d == pytest.approx((right[0].sum() + 200 - right[1].sum()) / 400)
    # it calls everything real that lies on one side of a line through the middle of the ring
    assert 0 < row.accuracy_d < 1


def test_the_distance_is_that_of_the_metric(rng):
    _, _, evaluation, samples, row = evaluated(varied(evaluation_samples=300))
    expected = gan.sliced_wasserstein(samples, evaluation.real, projections=5_000, rng=rng)
    assert row.sliced_wasserstein == pytest.approx(expected, rel=0.1)  # other directions, and few


def test_a_row_depends_on_the_parameters_alone():
    config = varied(unroll=gan.Unroll(2, fresh=True), update=gan.Update(discriminator_steps=3))
    one, two = (evaluated(config) for _ in range(2))
    assert repr(one[-1]) == repr(two[-1])
    assert bits(one[-2]) == bits(two[-2])


def test_what_cannot_be_differentiated_is_left_blank():
    game, state, evaluation, samples, _ = evaluated(varied())
    wild = state._replace(theta_d=optree.tree_map(lambda x: 1e30 * (x + 1), state.theta_d))
    with np.errstate(all="ignore"):
        row = evaluation.row(game, wild, samples, 0.0)
    assert np.isnan([row.objective_g, row.direct, row.indirect, row.cosine]).all()
    assert row.sliced_wasserstein > 0


def test_without_centres_neighbours_stand_in_for_the_modes():
    config = varied(data=data.Moons(), evaluation_samples=300, batch=64)
    _, _, evaluation, samples, row = evaluated(config)
    assert row.modes is row.high_quality is row.reverse_kl is row.js is None
    real = evaluation.real  # all differ
    assert (row.precision, row.recall) == gan.precision_recall(real, samples)
    assert row.two_sample == gan.two_sample_accuracy(real, samples)
    names = list(row.columns())
    assert names[4:8] == ["sliced_wasserstein", "precision", "recall", "two_sample"]


def test_rows_of_data_with_centres_have_no_more_columns_than_before():
    *_, row = evaluated(varied())
    assert list(row.columns()) == [
        "step", "seconds", "objective_g", "objective_d", "modes", "high_quality", "reverse_kl",
        "js", "sliced_wasserstein", "accuracy_d", "direct", "indirect", "cosine",
    ]  # fmt: skip


def test_data_of_few_rows_are_not_their_own_neighbours(rng):
    rows = rng.standard_normal((40, 2))
    config = varied(evaluation_samples=2_000)
    setup = Setup.of(config, data=data.Samples(rows, standardize=False))
    evaluation = Evaluation(setup)
    perfect = rng.standard_normal((2_000, 2))
    state = gan.TrainStep(setup).init(streams(config)[0])
    row = evaluation.row(setup.game, state, perfect, 0.0)
    assert row.two_sample == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(40))


@pytest.mark.parametrize("set_of_data", [data.Ring(), data.Moons()])
def test_the_moving_average_has_the_columns_of_its_samples(set_of_data):
    config = varied(ema=0.5, data=set_of_data)
    run = gan.train(config, metrics={"largest": lambda state, x: np.abs(x).max()})
    state, last = run.checkpoint.state, run.metrics[-1]
    evaluation = Evaluation(config)
    samples = evaluation.samples(run.setup.game, state.averaged)
    plain = evaluation.row(run.setup.game, state, samples, 0.0)._asdict()
    for name in ("modes", "js", "sliced_wasserstein", "precision", "two_sample"):
        assert last.columns().get(f"ema_{name}") == plain[name]
    assert last.columns()["ema_largest"] == np.abs(samples).max()
    assert last.own["largest"] != last.ema["largest"]


def test_too_few_rows_have_no_neighbours():
    setup = Setup.of(varied(), data=data.Samples([[1.0, 2.0], [3.0, 4.0]]))
    state = gan.TrainStep(setup).init(streams(setup.config)[0])
    row = Evaluation(setup).row(setup.game, state, np.zeros((50, 2), np.float32), 0.0)
    assert np.isnan([row.precision, row.recall, row.two_sample]).all()


def test_images_may_have_their_own_axes(rng):
    class Images:
        dimension = 6

        def sample(self, n, rng, dtype):
            return rng.random((n, 2, 3)).astype(dtype)

    evaluation = Evaluation(Setup.of(varied(), data=Images(), game=Shift()))
    samples = evaluation.real
    row = evaluation.row(Shift(), gan.TrainStep(varied()).init(streams(varied())[0]), samples, 0.0)
    assert row.sliced_wasserstein == 0


class Shift:
    """A game that knows no networks."""

    def init(self, rng, dtype):
        return np.zeros(1, dtype), np.zeros(1, dtype)

    def inner(self, theta_g, theta_d, batch):
        return np.float32(0) * sum(np.sum(x) for x in optree.tree_leaves((theta_g, theta_d)))

    outer = inner


def test_samples_are_generated_without_noise_and_objectives_with_it():
    layers = gan.Layers(dropout=0.5, noise=0.3)
    networks = gan.Networks(4, (8,), (8,), generator_layers=layers, discriminator_layers=layers)
    run = gan.train(varied(networks=networks))
    generator, z = run.setup.game.generator, np.ones((5, 4), np.float32)
    evaluation = Evaluation(run.setup)
    state, batch = run.checkpoint.state, evaluation.batch
    samples = evaluation.samples(run.setup.game, state)
    assert samples.tobytes() == generator(state.theta_g, evaluation._noise).tobytes()
    assert run.metrics[-1].objective_d == float(
        run.setup.game.inner(state.theta_g, state.theta_d, batch)
    )
    assert set(batch.drawn) == {"generator", "real", "generated"}
    drawn = generator.draw(np.random.default_rng(0), 5)
    assert bits(generator(state.theta_g, z)) != bits(generator(state.theta_g, z, drawn))
