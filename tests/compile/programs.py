"""Programs of functions for tests of the passes, as they were recorded."""

import numpy as np

from tinygrad_ugan.compile import Symbol
from tinygrad_ugan.compile.recorder import Recorded, Recording
from tinygrad_ugan.compile.replay import Replay


def recorded(f, *xs):
    recording = Recording()
    inputs = [Symbol.like(x) for x in xs]
    out = f(*(Recorded(x, recording, v) for x, v in zip(xs, inputs, strict=True)))
    return recording.program("f", inputs, out)


def names(program):
    return [each.name for each in program.instructions]


def check_pass(improve, f, *xs, to):
    """What a pass leaves of a function, by the names of the calls; and that the values stay."""
    before = recorded(f, *xs)
    after = improve(before)
    assert names(after) == to
    for x, y in zip(Replay(after)(xs), Replay(before)(xs), strict=True):
        np.testing.assert_array_equal(x, y)
