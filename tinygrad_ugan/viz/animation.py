"""Animated GIFs of samples."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.samples import density


def animation(
    steps: Sequence[int], samples: Array, *, extent: float, milliseconds: int = 400
) -> bytes:
    """Return an animated GIF of the density of samples over training time.

    Parameters
    ----------
    steps : sequence of int
        The training steps.
    samples : array, shape (times, n, 2)
        Samples at them.
    extent : float
        Half the width of the picture, in the units of the samples.
    milliseconds : int
        Duration of each frame; that of the last is four times as long.

    Returns
    -------
    bytes
        The content of the file.

    Examples
    --------
    >>> animation([0], np.zeros((1, 5, 2)), extent=1.0)[:6]
    b'GIF89a'
    """
    from matplotlib import colormaps
    from PIL import Image, ImageDraw

    frames = []
    for step, points in zip(steps, samples, strict=True):
        shades = np.sqrt(density(points, extent=extent, cells=240))[::-1]  # the first row is on top
        pixels = colormaps["Greens"](shades / max(shades.max(), 1e-12), bytes=True)
        frame = Image.fromarray(pixels).convert("RGB")
        ImageDraw.Draw(frame).text((6, 4), f"step {step:,}", fill="black")
        frames.append(frame)
    durations = [milliseconds] * (len(frames) - 1) + [4 * milliseconds]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()
