import numpy as np

from tinygrad_ugan import viz


def test_colours_are_the_discriminator(rng, tmp_path):
    real, generated = rng.uniform(-1, 1, (2, 20, 2))
    figure = viz.decision_surface(
        lambda x: 3 * x[:, :1] - x[:, 1:], real, generated, extent=2.0, cells=5
    )
    figure.savefig(tmp_path / "x.png")
    axis = figure.axes[0]
    line = np.linspace(-2, 2, 5)
    expected = 1 / (1 + np.exp(-(3 * line[None, :] - line[:, None])))
    np.testing.assert_allclose(axis.images[0].get_array(), expected, rtol=1e-12)
    assert axis.images[0].origin == "lower"
    drawn = [each.get_offsets() for each in axis.collections[-2:]]
    np.testing.assert_array_equal(drawn, [real, generated])
