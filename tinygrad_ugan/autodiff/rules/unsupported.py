"""Functions without a rule, and a replacement for each."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

_TRANSFORMS = (
    *(np.fft.fft, np.fft.fft2, np.fft.fftn, np.fft.ifft, np.fft.ifft2, np.fft.ifftn),
    *(np.fft.rfft, np.fft.rfft2, np.fft.rfftn, np.fft.ihfft),
    *(np.fft.irfft, np.fft.irfft2, np.fft.irfftn, np.fft.hfft),
)
_HISTOGRAMS = (np.histogram, np.histogram2d, np.histogramdd, np.histogram_bin_edges)

WAYS_OUT = MappingProxyType(
    dict.fromkeys(
        _TRANSFORMS,
        "its numbers are complex, and only real ones differentiate: multiply by the matrices "
        "np.cos(angles) and np.sin(angles), with angles = 2 * np.pi * np.outer(k, t) / n",
    )
    | dict.fromkeys(
        _HISTOGRAMS,
        "counts are constant, and what is differentiable in a histogram are its weights: "
        "np.bincount(np.digitize(x, edges), weights)",
    )
    | {np.sort_complex: "it makes complex numbers of everything: use np.sort"}
)
"""By function: why, and the way out."""
