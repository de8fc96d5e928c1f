"""Boolean masks over the quantities of a pass through a network.

In a file of its own, so that `tinygrad_ugan.nn` can build masks without loading LLVM.
"""

from typing import NamedTuple


class PassMask(NamedTuple):
    """Boolean mask over (output, input, parameters): which have tangents, or which are needed."""

    y: bool = False
    x: bool = False
    theta: bool = False
