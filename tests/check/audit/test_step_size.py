"""Inner steps of another size, by themselves and on top of every other mistake."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.check.audit.problems import audit, classified, random_problem
from tests.check.audit.traps import NUMPY, TRAPS, Code, exact, expected, stale
from tinygrad_ugan.check.audit import step_size
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.foreign_arrays import readings
from tinygrad_ugan.check.audit.gradient import convert

WITHOUT_STEPS = {"lookahead", "replaced", "zero"}
ON_THE_FACTOR = {"exact", "wrong_sign", "wrong_scale"}


def with_factor(trap, p, factor):
    code = Code(NUMPY, p)
    code.eta *= factor
    return trap(code)


@pytest.mark.parametrize("factor", [0.5, 1.7])
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_on_top_of_every_trap(trap, factor):
    p, _ = classified(3)
    found = audit(with_factor(trap, p, factor), p)
    verdict = expected(trap, 3)
    assert found.verdict == ("wrong_step_size" if verdict in ON_THE_FACTOR else verdict), found
    if verdict not in WITHOUT_STEPS:
        assert found.step_factor == pytest.approx(factor, rel=1e-6)
        assert f"for an inner step of {factor} eta" in found.summary
    scales = {"wrong_sign": -1, "wrong_scale": len(p.batch.noise)}
    assert found.scale == pytest.approx(scales.get(verdict, 1))
    assert not found.ok


def test_the_words():
    p, _ = classified(3)
    found = audit(with_factor(exact, p, 0.5), p)
    first, *_ = str(found).splitlines()
    assert first == (
        "wrong_step_size (for an inner step of 0.5 eta): exact for another inner step: is the "
        "discriminator's loss halved, or its mean a sum?"
    )
    assert found.candidates[-1].fits


def test_a_sum_in_place_of_the_mean_is_guessed():
    p = random_problem(np.random.default_rng(3), 2, lr=0.02)
    rows = len(p.batch.noise)
    found = audit(with_factor(exact, p, rows), p)
    assert (found.verdict, found.step_factor) == ("wrong_step_size", pytest.approx(rows))
    assert any("a sum in place of the mean" in note for note in found.notes)


@pytest.mark.parametrize("optimizer", [ug.optim.SGD(0.3), ug.optim.Momentum(0.2),
                                       ug.optim.Adam(0.05, 0.5, 0.9)])  # fmt: skip
def test_the_lr_of_an_optimizer(optimizer):
    p = random_problem(np.random.default_rng(2), 3)
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    taken = type(optimizer)(**{**vars(optimizer), "lr": 0.6 * optimizer.lr})
    _, g = ug.unroll.value_and_grad(*place, steps=3, optimizer=taken)
    found = ug.check.audit(g, *place, steps=3, optimizer=optimizer)
    assert (found.verdict, found.step_factor) == ("wrong_step_size", pytest.approx(0.6))


def test_a_step_of_training():
    def make_step(trial):
        def step(theta_g, theta_d, batch):
            place = (trial.game, theta_g, theta_d, batch)
            _, g = ug.unroll.value_and_grad(*place, steps=trial.steps, lr=trial.lr / 2)
            _, ascent = ug.unroll.ascent(*place)
            return (
                NUMPY.map(lambda x, y: x - trial.generator_lr * y, theta_g, g),
                NUMPY.map(lambda x, y: x + trial.lr * y, theta_d, ascent),
            )

        return step

    found = ug.check.audit_step(make_step, ug.check.trials(steps=[3])[1:])
    assert (found.verdict, found.left) == ("wrong_step_size", "theta_D^1")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("steps", [2, 5])
def test_no_false_alarms(steps, dtype):
    """Numbers that no step size explains: noise of any size, and a leaf or a term that is wrong."""
    rng = np.random.default_rng(steps)
    _, classifier = classified(steps)
    classifier = Classifier.of(classifier.problem, np.dtype(dtype))
    right = classifier.exact
    direct = next(c.vector for c in classifier.candidates if c.verdict == "detached")
    size = np.linalg.norm(right) / np.sqrt(right.size)
    noisy = [right + share * size * rng.standard_normal(right.size) for share in (0.01, 0.3, 30)]
    for vector in (*noisy, (right + direct) / 2, np.where(np.arange(right.size) < 3, 2, 1) * right):
        assert classifier(vector).verdict == "unknown"
        assert step_size.with_other_step_size(classifier, vector) is None


def test_where_one_number_explains_anything_none_is_fitted():
    game = ug.unroll.Game(lambda x, y, batch: np.sin(x) * y - y**2 / 2)
    halved = ug.unroll.value_and_grad(game, 0.7, 0.5, None, steps=3, lr=0.1)[1]
    assert ug.check.audit(halved, game, 0.7, 0.5, None, steps=3, lr=0.2).verdict == "unknown"


def test_a_linear_game_cannot_tell_it_from_detached_steps():
    """There f_K is linear in eta: half of the exact term is all of the detached one."""
    example = ug.unroll.games.bilinear(np.array([[1.0, 0.5], [-0.3, 0.8]]))
    place = (example.game, example.theta_g, example.theta_d, None)
    by_hand = example.solve(example.theta_g, example.theta_d, 4, 0.2 * 0.7)
    found = ug.check.audit(by_hand.gradient, *place, steps=4, lr=0.2)
    assert (found.verdict, found.step_factor) == ("wrong_step_size", pytest.approx(0.7))
    assert found.also == ("detached (for an inner step of 1.4 eta)",)


def test_an_optimizer_without_a_step_size_is_left_as_it_is():
    class Plain:
        def init(self, params):
            return ()

        def update(self, grads, state, params):
            return NUMPY.map(lambda g: -0.2 * g, grads), state

    p = random_problem(np.random.default_rng(2), 3)
    place = (p.game, p.theta_g, p.theta_d, p.batch)
    problem = convert(*place, steps=3, lr=None, optimizer=Plain())
    assert step_size.with_step_size_times(problem, 2.0) is problem
    vector = readings("gradient", with_factor(stale, p, 0.3), p.theta_g)[0]
    assert step_size.with_other_step_size(Classifier.of(problem, np.dtype(float)), vector) is None
