import numpy as np
import pytest
import scipy.stats

from tinygrad_ugan import viz


def test_confidence_interval_against_scipy(rng):
    x = rng.standard_normal(7)
    test = scipy.stats.ttest_1samp(x, 0)
    for level in (0.5, 0.95):
        found = viz.confidence_interval(x, level)
        assert found == pytest.approx(tuple(test.confidence_interval(level)))


def test_one_value_has_no_width():
    assert viz.confidence_interval([3]) == (3, 3)


def test_intervals_draw_every_group_in_every_panel(tmp_path):
    groups = {name: {"a": np.arange(3), "b": np.ones(1)} for name in ("x", "y")}
    figure = viz.intervals(groups, {"x": "X", "y": "Y"}, xlabel="setting")
    figure.savefig(tmp_path / "x.png")
    assert [axis.get_title() for axis in figure.axes] == ["X", "Y"]
    for axis in figure.axes:
        bars = [segment for c in axis.collections for segment in c.get_segments()]
        assert np.ptp(bars[0][:, 1]) == pytest.approx(2 * 4.3027 / np.sqrt(3), rel=1e-4)
        assert np.ptp(bars[1][:, 1]) == 0


def test_where_students_interval_would_be_impossible_it_is_the_bootstraps(rng):
    x = np.array([0.2, 0.9, 1.0, 1.0])
    student = viz.mean_interval(x)
    assert not student.bootstrapped
    assert student[:3] == (x.mean(), *viz.confidence_interval(x))
    found = viz.mean_interval(x, (0, 1))
    assert found.bootstrapped
    assert 0.2 <= found.low < found.mean < found.high <= 1
    expected = scipy.stats.bootstrap((x,), np.mean, method="percentile", rng=rng)
    assert found[1:3] == pytest.approx(tuple(expected.confidence_interval), abs=0.02)
    assert viz.mean_interval(x, (0, 1)) == found
