"""Arrays of a checkpoint that do not stem from its settings are refused by name."""

import numpy as np
import pytest
import safetensors.numpy

from tests.gan.small import SMALL, bits
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs.checkpoint_arrays import contents, named
from tinygrad_ugan.gan.training.loop import start
from tinygrad_ugan.gan.training.setup import Setup

SETUP = Setup.of(SMALL)
STATE = start(SETUP).state
PICTURES = {0: np.zeros((50, 2), np.float32)}
ARRAYS = named(STATE, PICTURES, {})
WEIGHTS = "state.theta_g[0]['w']"


def read(arrays, step=0):
    return contents(SETUP, step, safetensors.numpy.save(arrays))


def test_they_come_back():
    state, pictures, averaged = read(ARRAYS)
    assert bits(state) == bits(STATE)
    assert bits(pictures[0]) == bits(PICTURES[0])
    assert averaged == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({WEIGHTS: np.zeros((4, 7), np.float32)}, r"\(4, 7\)"),
        ({WEIGHTS: np.zeros((4, 8))}, "float64"),
        ({WEIGHTS: np.full((4, 8), np.nan, np.float32)}, "finite numbers"),
        ({"more": np.zeros(1)}, "none of that name"),
        ({"pictures.01": PICTURES[0]}, "pictures.STEP"),
        ({"ema_pictures.0": PICTURES[0]}, "none of that name"),
        ({"pictures.2": np.zeros((49, 2), np.float32)}, r"\(50, 2\)"),
        ({"state.step": np.int64(1)}, "0, as in the other file"),
        ({"state.optimizer_g.steps": np.int64(7)}, "0, after 0 steps of training"),
    ],
)
def test_what_does_not_belong_is_named(changes, words):
    [name] = changes
    arrays = ARRAYS | {name: np.asarray(x) for name, x in changes.items()}
    with pytest.raises(ArgumentError, match=words) as error:
        read(arrays)
    assert str(error.value).startswith(f"{name}: ")


def test_none_may_be_missing():
    with pytest.raises(ArgumentError, match="no such array"):
        read({name: x for name, x in ARRAYS.items() if name != WEIGHTS})


def test_other_bytes():
    with pytest.raises(ArgumentError, match="header: expected arrays in the format"):
        contents(SETUP, 0, b"other bytes")
