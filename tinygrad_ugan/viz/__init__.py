"""Pictures: arrays and records in, matplotlib figures out."""

from tinygrad_ugan.viz.animation import animation
from tinygrad_ugan.viz.computation import computation_graph, computation_legend
from tinygrad_ugan.viz.curves import bands, curves
from tinygrad_ugan.viz.decision_surface import decision_surface
from tinygrad_ugan.viz.heat_maps import heat_maps
from tinygrad_ugan.viz.histograms import histograms_over_time
from tinygrad_ugan.viz.image_sheets import sheets_over_time
from tinygrad_ugan.viz.intervals import Interval, confidence_interval, intervals, mean_interval
from tinygrad_ugan.viz.samples import density, samples_over_time
from tinygrad_ugan.viz.vector_field import vector_field

__all__ = [
    "Interval",
    "animation",
    "bands",
    "computation_graph",
    "computation_legend",
    "confidence_interval",
    "curves",
    "decision_surface",
    "density",
    "heat_maps",
    "histograms_over_time",
    "intervals",
    "mean_interval",
    "samples_over_time",
    "sheets_over_time",
    "vector_field",
]
