import dataclasses

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.gan.training.loop import start
from tinygrad_ugan.gan.training.setup import Setup


def test_training_is_finished_with_its_last_row():
    begun, ended = start(SMALL), gan.train(SMALL).checkpoint
    assert (begun.step, begun.finished) == (0, False)
    assert (ended.step, ended.finished) == (4, True)
    assert not dataclasses.replace(ended, rows=ended.rows[:-1]).finished
    assert not dataclasses.replace(ended, setup=Setup.of(varied(steps=5))).finished


def test_seconds_end_it_too():
    begun = gan.train(SMALL).checkpoint
    over = dataclasses.replace(begun, setup=Setup.of(varied(steps=9, seconds=1.0)), seconds=2.0)
    assert over.finished
    assert not dataclasses.replace(over, seconds=0.5).finished
