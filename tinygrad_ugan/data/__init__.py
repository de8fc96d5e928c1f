"""Datasets: toy distributions, handwritten digits, and data of one's own."""

from tinygrad_ugan.data.digits import Labelled, digits, mnist, read_idx
from tinygrad_ugan.data.double_ring import DoubleRing, double_ring, double_ring_centers
from tinygrad_ugan.data.embedded import Embedded, embedded, embedded_centers
from tinygrad_ugan.data.function import Function
from tinygrad_ugan.data.gaussian import Gaussian1D, gaussian_1d
from tinygrad_ugan.data.grid import Grid, grid, grid_centers
from tinygrad_ugan.data.mixture import GaussianMixture
from tinygrad_ugan.data.protocol import Dataset, draw, draw_labelled
from tinygrad_ugan.data.ring import Ring, ring, ring_centers
from tinygrad_ugan.data.samples import File, Samples
from tinygrad_ugan.data.toys import Checkerboard, Circles, Moons, Pinwheel, Spirals, SwissRoll

__all__ = [
    "Checkerboard",
    "Circles",
    "Dataset",
    "DoubleRing",
    "Embedded",
    "File",
    "Function",
    "Gaussian1D",
    "GaussianMixture",
    "Grid",
    "Labelled",
    "Moons",
    "Pinwheel",
    "Ring",
    "Samples",
    "Spirals",
    "SwissRoll",
    "digits",
    "double_ring",
    "double_ring_centers",
    "draw",
    "draw_labelled",
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
