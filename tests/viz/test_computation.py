"""Pictures of the computation."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import tinygrad_ugan as ug
from tinygrad_ugan.viz import computation


def drawn(graph):
    figure = Figure()
    axis = figure.subplots()
    ug.viz.computation_graph(axis, graph)
    ug.viz.computation_legend(figure)
    figure.canvas.draw()
    return figure, axis


@pytest.fixture(params=["samples", "any game"])
def graph(request):
    if request.param == "any game":
        game = ug.unroll.Game(lambda x, y, _: x * y - y**2)
        return ug.unroll.computation_graph(game, 1.0, 2.0, None, steps=2, lr=0.1)
    rng = np.random.default_rng(0)
    game = ug.gan.Game(ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 4, 1)))
    players = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
    batch = ug.gan.Batch(*(rng.standard_normal((8, n)) for n in (2, 3)))
    return ug.unroll.computation_graph(game, *players, batch, steps=3, lr=0.1)


def test_every_stage_has_a_box_and_every_edge_its_arrows(graph):
    figure, axis = drawn(graph)
    assert sum(isinstance(each, FancyBboxPatch) for each in axis.patches) == len(graph.operations)
    colors = [each.arrow_patch.get_edgecolor() for each in axis.texts if hasattr(each, "arrowprops")
              and each.arrowprops]  # fmt: skip
    assert len(colors) == len(graph.edges) + len(graph.direct) + len(graph.indirect)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(computation.FLOWS)


def test_boxes_do_not_overlap(graph):
    _, axis = drawn(graph)
    extents = [
        each.get_window_extent() for each in axis.patches if isinstance(each, FancyBboxPatch)
    ]
    assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[:i])


def test_the_names_are_those_of_the_paper(graph):
    _, axis = drawn(graph)
    texts = {each.get_text() for each in axis.texts}
    assert {r"$\theta_{G}$", r"$\theta_{0}$", r"$g_{1}$", rf"$f_{{{graph.steps}}}$"} <= texts
