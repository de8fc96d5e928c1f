"""What a run comes to, and how two methods compare, against SciPy and by hand."""

import dataclasses

import numpy as np
import pytest
import scipy.stats

from tests.gan.small import SMALL
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import Cell
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import (
    Measures,
    cell_rows,
    difference_rows,
    measure,
    paired_test,
    run_rows,
)
from tinygrad_ugan.gan import Run, train

CELL = Cell("minimax", 8, 2, 0.1)


def run_with(modes, **columns):
    """A finished run whose table says this."""
    run = train(dataclasses.replace(SMALL, steps=len(modes) - 1, evaluate_every=1))
    rows = [
        row._replace(modes=n, **{name: values[i] for name, values in columns.items()})
        for i, (row, n) in enumerate(zip(run.metrics, modes, strict=True))
    ]
    return Run(dataclasses.replace(run.checkpoint, rows=tuple(rows)))


@pytest.mark.parametrize(
    ("modes", "expected"),
    [([0, 8, 8, 8, 8], 1), ([8, 8, 0, 8, 8], 3), ([0, 8, 8, 8, 7], 4), ([8, 8, 8, 8, 8], 0)],
)
def test_steps_to_all_modes_for_good(modes, expected):
    assert measure(run_with(modes)).steps_to_all == expected


def test_late_modes_and_medians():
    nan = float("nan")
    found = measure(
        run_with(
            [0, 1, 2, 5, 8],
            indirect=[9.0, 1.0, 2.0, 4.0, nan],
            direct=[1.0, 1.0, 1.0, 1.0, nan],
            cosine=[9.0, -0.5, 0.5, 0.7, nan],
        )
    )
    assert found.modes == 6.5  # of the looks after more than half of the steps
    assert (found.ratio, found.cosine) == (
        2.0,
        0.5,
    )  # without the first look, and what is no number


def test_a_generator_that_no_longer_moves():
    found = measure(run_with([0, 0, 0], direct=[0.0] * 3, indirect=[0.0] * 3))
    assert np.isnan(found.ratio)


def test_comparison_against_scipy(rng):
    x, y = rng.standard_normal((2, 6))
    found, test = paired_test(x, y), scipy.stats.ttest_rel(x, y)
    assert found.p == pytest.approx(test.pvalue)
    assert found[1:3] == pytest.approx(tuple(test.confidence_interval()))
    assert found.difference == pytest.approx(np.mean(x) - np.mean(y))


def several(modes):
    return {seed: Measures(m, 0.0, 0.0, 0.0, 0.0, 0.0) for seed, m in enumerate(modes)}


def test_tables():
    other = CELL._replace(steps=5)
    results = {
        (CELL, "exact"): several([8.0, 7.9, 8.0]),
        (CELL, "detached"): several([1.0, 1.1, 1.3]),
        (other, "exact"): several([3.0, 4.0, 5.0]),
        (other, "detached"): several([3.0, 4.0, 5.0]),
    }
    assert len(run_rows(results)) == 12
    mean = cell_rows(results)[1]
    assert (mean["method"], mean["seeds"]) == ("detached", 3)
    assert mean["modes"] == pytest.approx(3.4 / 3)
    assert mean["modes_low"] < mean["modes"] < mean["modes_high"]

    first, second = difference_rows(results, [CELL, other], ["modes"])
    p = paired_test([8.0, 7.9, 8.0], [1.0, 1.1, 1.3]).p
    assert (first["modes_p"], first["modes_q"]) == pytest.approx((p, 2 * p))  # the least of two
    assert (second["modes_difference"], second["modes_q"]) == (0, 1)
