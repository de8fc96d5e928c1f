"""`play` takes the steps that `gan.train` takes."""

import pytest

from tests.gan.small import bits, varied
from tinygrad_ugan import gan
from tinygrad_ugan.experiments.play import Players, play
from tinygrad_ugan.gan.draws import streams


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
def test_the_same_bits(ahead, loss):
    config = varied(unroll=gan.Unroll(ahead, lr=0.3), loss=loss, decay=True, precision="float64")
    init_rng, batch_rng = streams(config)
    step = gan.TrainStep(config)
    state, draws = step.init(init_rng), gan.Draws(config, batch_rng)
    batches = [draws.next()[0] for _ in range(config.steps)]
    optimizers = config.generator_optimizer.build(), config.discriminator_optimizer.build()
    supply = iter(batches)
    course = play(
        config.game(),
        Players(state.theta_g, state.theta_d),
        lambda: next(supply),
        steps=config.steps,
        optimizers=optimizers,
        ahead=ahead,
        lr=0.3,
    )
    for players, batch in zip(course, [*batches, None], strict=True):
        assert bits(players) == bits(Players(state.theta_g, state.theta_d))
        if batch is not None:
            state, _ = step(state, [batch])
    assert bits(players.theta_d) != bits(step.init(streams(config)[0]).theta_d)
