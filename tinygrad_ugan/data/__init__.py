"""Data sets: functions that return arrays. They import nothing of ours."""

from tinygrad_ugan.data.ring import ring, ring_centers

__all__ = ["ring", "ring_centers"]
