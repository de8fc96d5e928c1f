import numpy as np
import pytest

from tinygrad_ugan import data, viz


def test_density_integrates_to_one_and_peaks_at_the_modes(rng):
    x = data.ring(500, rng=rng)
    p = viz.density(x, extent=3.0, cells=301)
    assert p.sum() * 0.02**2 == pytest.approx(1, abs=1e-3)
    row, column = np.unravel_index(p.argmax(), p.shape)
    peak = np.array([column, row]) * 0.02 - 3
    assert np.linalg.norm(data.ring_centers() - peak, axis=1).min() < 0.05


def test_samples_over_time_draws_every_column_it_was_given(tmp_path, rng):
    runs = {
        "K = 0": ((0, 5, 10), rng.standard_normal((3, 50, 2))),
        "K = 10": ((0, 5), rng.standard_normal((2, 50, 2))),  # interrupted
    }
    figure = viz.samples_over_time(runs, data.ring(50, rng=rng), extent=3.0)
    figure.savefig(tmp_path / "samples.png")
    drawn = [[bool(axis.images) for axis in row] for row in np.reshape(figure.axes, (2, 4))]
    assert drawn == [[True] * 4, [True, True, False, True]]
    assert [axis.get_title() for axis in figure.axes[:4]] == ["step 0", "step 5", "step 10", "data"]


def test_samples_over_time_draws_the_samples_above_their_density(rng):
    samples = rng.standard_normal((1, 50, 2))
    figure = viz.samples_over_time({"a": ((5,), samples)}, samples[0], extent=3.0, scatter=True)
    above, below = np.reshape(figure.axes, (2, 2))
    np.testing.assert_array_equal(above[0].lines[0].get_xydata(), samples[0])
    assert [bool(axis.images) for axis in (*above, *below)] == [False, False, True, True]


def test_curves_draw_every_run_in_every_panel(tmp_path):
    table = {"step": np.arange(3), "modes": np.array([0, 2, 8])}
    figure = viz.curves({"a": table, "b": table}, {"modes": "modes covered"})
    figure.savefig(tmp_path / "curves.png")
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[0, 2, 8]] * 2
