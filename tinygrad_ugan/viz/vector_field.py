"""Vector fields of two-parameter games."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def vector_field(axis: Axes, grid: Array, arrows: Array, path: Array) -> None:
    """Draw a field of unit arrows, coloured by their length, and a path through it.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Where to draw.
    grid : array, shape (n,)
        The coordinates of rows and columns.
    arrows : array, shape (n, n, 2)
        The velocity at ``(x, y) = (grid[column], grid[row])``.
    path : array, shape (steps, 2)
        Successive points; the first is marked.
    """
    speed = np.linalg.norm(arrows, axis=2)
    unit = arrows / np.where(speed > 0, speed, 1)[:, :, None]
    axis.quiver(grid, grid, unit[..., 0], unit[..., 1], speed, cmap="Greys", clim=(0, speed.max()))
    axis.plot(*path.T, color="tab:red", linewidth=1.2)
    axis.plot(*path[0], "o", color="tab:red")
    axis.set(xlim=(grid[0], grid[-1]), ylim=(grid[0], grid[-1]), aspect="equal", xlabel="x")
