"""Datasets: toy distributions to draw samples from, and handwritten digits."""

from tinygrad_ugan.data.digits import Labelled, digits, mnist, read_idx
from tinygrad_ugan.data.double_ring import DoubleRing, double_ring, double_ring_centers
from tinygrad_ugan.data.embedded import Embedded, embedded, embedded_centers
from tinygrad_ugan.data.gaussian import gaussian_1d
from tinygrad_ugan.data.grid import Grid, grid, grid_centers
from tinygrad_ugan.data.ring import Ring, ring, ring_centers

__all__ = [
    "DoubleRing",
    "Embedded",
    "Grid",
    "Labelled",
    "Ring",
    "digits",
    "double_ring",
    "double_ring_centers",
    "embedded",
    "embedded_centers",
    "gaussian_1d",
    "grid",
    "grid_centers",
    "mnist",
    "read_idx",
    "ring",
    "ring_centers",
]
