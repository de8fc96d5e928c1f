"""Pictures: arrays and records in, matplotlib figures out. Of ours it imports errors only."""

from tinygrad_ugan.viz.animation import animation
from tinygrad_ugan.viz.field import vector_field
from tinygrad_ugan.viz.intervals import confidence_interval, intervals
from tinygrad_ugan.viz.maps import heat_maps
from tinygrad_ugan.viz.ring import curves, density, samples_over_time
from tinygrad_ugan.viz.surface import decision_surface

__all__ = [
    "animation",
    "confidence_interval",
    "curves",
    "decision_surface",
    "density",
    "heat_maps",
    "intervals",
    "samples_over_time",
    "vector_field",
]
