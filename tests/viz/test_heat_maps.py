import numpy as np

from tinygrad_ugan import viz


def test_heat_maps_draw_every_cell(tmp_path):
    values = np.arange(2 * 1 * 2 * 3).reshape(2, 1, 2, 3)
    texts = np.vectorize(lambda v: f"{v} *" if v == 11 else str(v))(values)
    figure = viz.heat_maps(
        values,
        texts,
        rows=["a", "b"],
        columns=["c"],
        y=["1", "2"],
        x=["x", "y", "z"],
        ylabel="up",
        xlabel="right",
        title="what",
        limits=(0, 5),
    )
    figure.savefig(tmp_path / "x.png")
    panels = figure.axes[:-1]
    assert [axis.get_title() for axis in panels] == ["a, c", "b, c"]
    for axis, expected, words in zip(panels, values[:, 0], texts[:, 0], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), expected)
        assert [text.get_text() for text in axis.texts] == words.ravel().tolist()
    weights = [text.get_weight() for text in panels[1].texts]
    assert weights == ["normal"] * 5 + ["bold"]
    assert figure.get_suptitle() == "what"
