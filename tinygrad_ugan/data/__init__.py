"""Datasets: each draws arrays from a generator. They import nothing of ours."""

from tinygrad_ugan.data.gaussian import gaussian_1d
from tinygrad_ugan.data.grid import grid, grid_centers
from tinygrad_ugan.data.ring import ring, ring_centers

__all__ = ["gaussian_1d", "grid", "grid_centers", "ring", "ring_centers"]
