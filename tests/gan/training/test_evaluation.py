"""Rows of the metrics table, each column against its definition."""

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.gan.small import bits, varied
from tinygrad_ugan import gan, tree
from tinygrad_ugan.gan.training.evaluation import Evaluation
from tinygrad_ugan.gan.training.sampler import streams


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
