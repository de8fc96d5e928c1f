"""How many multiply-adds an exact gradient needs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def multiply_adds(
    generator: Sequence[int], discriminator: Sequence[int], batch: int, steps: int
) -> int:
    """Count the multiply-adds of the matrix products in one exact value and gradient of f_K.

    The minimax game of two MLPs, K steps of plain ascent on one batch, by the adjoint recursion in
    its cheapest known form: every activation and every delta is kept, and a reverse step is
    d/d(eps) of (forward + backward) at theta_k + eps lambda_{k+1}, in which every product becomes
    two. For a network of widths n_0 ... n_L let P = sum_i n_i n_{i+1} and F = n_0 n_1 (its first
    layer). A row costs

    ====================================  =====================  ======  =================
    sweep of one row                      forward                deltas  weight gradients
    ====================================  =====================  ======  =================
    a gradient                            P                      P - F   P
    a reverse step (inputs do not move)   2 P - F                2P - 2F 2 P - F
    ====================================  =====================  ======  =================

    and the delta of the input, where it is wanted, F or 2 F more. What is left out because nothing
    depends on it: the input's delta of real rows; at K = 0 all of D's weight gradients and the
    real rows' deltas; in the last reverse step (k = 0) the update of lambda, and with it all the
    real rows. The generator runs forwards and backwards once. Elementwise work is not counted.

    Parameters
    ----------
    generator, discriminator : sequence of int
        Widths, from the input to the output.
    batch : int
        Rows of the real and of the generated batch.
    steps : int
        K.

    Returns
    -------
    int

    Examples
    --------
    Two linear layers and one row: G forwards and backwards is 2 + 2, D forwards on the real row
    and forwards and back to the input on the generated one 3 + 3 + 3.

    >>> multiply_adds((2, 1), (1, 3), batch=1, steps=0)
    13
    """
    g, g_first = _products(generator)
    d, d_first = _products(discriminator)
    through_generator = 3 * g - g_first
    if steps == 0:
        return batch * (through_generator + 3 * d)
    gradient = 3 * d - d_first
    reverse = 6 * d - 4 * d_first
    return batch * (
        through_generator
        + 2 * steps * gradient
        + (2 * gradient + d_first)
        + (steps - 1) * (2 * reverse + 2 * d_first)
        + (4 * d - d_first)
    )


def _products(sizes: Sequence[int]) -> tuple[int, int]:
    """P and F."""
    return sum(m * n for m, n in itertools.pairwise(sizes)), sizes[0] * sizes[1]
