"""Datasets: each draws arrays from a generator. They import nothing of ours."""

from tinygrad_ugan.data.double_ring import double_ring, double_ring_centers
from tinygrad_ugan.data.embedded import embedded, embedded_centers
from tinygrad_ugan.data.grid import grid, grid_centers
from tinygrad_ugan.data.ring import ring, ring_centers

__all__ = [
    "double_ring",
    "double_ring_centers",
    "embedded",
    "embedded_centers",
    "grid",
    "grid_centers",
    "ring",
    "ring_centers",
]
