"""Named experiments: settings that are known to show something."""

from tinygrad_ugan.experiments.presets import PRESETS

__all__ = ["PRESETS"]
