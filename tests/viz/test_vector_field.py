"""Arrows point where the field does, whatever its length, and rest where it is zero."""

import numpy as np
from matplotlib.figure import Figure

from tinygrad_ugan import viz


def test_unit_arrows_and_their_path(tmp_path):
    grid = np.linspace(-1, 1, 3)
    arrows = np.array([[[-3 * y, 3 * x] for x in grid] for y in grid])  # a rotation
    path = np.array([[0.5, 0.0], [0.0, 0.5]])
    figure = Figure()
    axis = figure.subplots()
    viz.vector_field(axis, grid, arrows, path)
    figure.savefig(tmp_path / "x.png")
    (quiver,) = axis.collections
    lengths = np.hypot(quiver.U, quiver.V).reshape(3, 3)
    assert lengths[1, 1] == 0
    np.testing.assert_allclose(np.delete(lengths.ravel(), 4), 1)
    assert (quiver.U[0], quiver.V[0]) == (np.sqrt(0.5), -np.sqrt(0.5))  # at (-1, -1)
    line, start = axis.lines
    np.testing.assert_array_equal(line.get_xydata(), path)
    np.testing.assert_array_equal(start.get_xydata(), path[:1])
