import numpy as np

from tinygrad_ugan import viz


def test_every_moment_has_its_histogram_over_that_of_the_data(rng):
    target = rng.normal(size=(500, 1))
    over_time = np.stack([np.full((50, 1), 9.0), target[:50]])
    runs = {"a": ((0, 10), over_time), "b": ((0,), over_time[1:])}
    figure = viz.histograms_over_time(runs, target, limits=(-5.0, 5.0), bins=20)
    shown, rest = figure.axes[:3], figure.axes[3]
    assert [axis.get_title() for axis in shown] == ["step 0", "step 10", "step 0"]
    assert not rest.axison
    edges = np.linspace(-5, 5, 21)
    for axis, points in zip(shown[1:], (target[:50],) * 2, strict=True):
        generated, data = (patch.get_data() for patch in axis.patches)
        np.testing.assert_allclose(generated.values, np.histogram(points, edges)[0] / 50)
        np.testing.assert_allclose(data.values, np.histogram(target, edges)[0] / 500)
    outside = shown[0].patches[0].get_data().values
    assert outside.tolist() == [0] * 19 + [1]  # in the nearest bin
