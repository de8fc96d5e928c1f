"""Pictures: arrays and records in, matplotlib figures out. It imports nothing of ours."""

from tinygrad_ugan.viz.field import vector_field
from tinygrad_ugan.viz.ring import curves, density, samples_over_time

__all__ = ["curves", "density", "samples_over_time", "vector_field"]
