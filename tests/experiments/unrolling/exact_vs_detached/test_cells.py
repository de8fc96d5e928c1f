"""Every run of the map has settings and a folder of its own."""

from itertools import product

import pytest

from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import (
    CELLS,
    METHODS,
    Cell,
    config,
    label,
)

CELL = Cell("nonsaturating", 32, 3, 0.1)


def test_no_two_alike():
    runs = [*product(CELLS, METHODS, (0, 1))]
    assert len({label(*run) for run in runs}) == len(runs)
    several = [run for run in runs if run[0].steps > 2]  # with K = 1, truncation changes nothing
    assert len({config(*run).to_json() for run in several}) == len(several)


def test_settings_of_a_cell():
    made = config(CELL, "exact", 7)
    assert (made.loss, made.networks.discriminator, made.seed) == ("nonsaturating", (32,), 7)
    assert (made.unroll.steps, made.unroll.lr, made.unroll.method) == (3, 0.1, "auto")


@pytest.mark.parametrize(
    ("method", "steps", "how", "truncate", "fresh", "keep"),
    [
        ("detached", 3, "detached", None, False, "first"),
        ("detached, 2 K", 6, "detached", None, False, "first"),
        ("last step only", 3, "auto", 1, False, "first"),
        ("last half", 3, "auto", 2, False, "first"),
        ("exact, fresh batches", 3, "auto", None, True, "first"),
        ("Chainer's", 3, "detached", None, True, "first"),
        ("theta_D^K kept", 3, "auto", None, False, "last"),
    ],
)
def test_methods(method, steps, how, truncate, fresh, keep):
    made = config(CELL, method, 0)
    found = made.unroll.steps, made.unroll.method, made.unroll.truncate, made.unroll.fresh
    assert (*found, made.update.keep) == (steps, how, truncate, fresh, keep)
    assert made.update.scheme == ("simultaneous" if method == "Chainer's" else "alternating")
