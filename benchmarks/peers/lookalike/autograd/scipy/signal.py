"""Autograd's convolution: over some axes, with dot products over others."""

import numpy as np


def convolve(A, B, axes=None, dot_axes=((), ()), mode="full"):
    """Convolve over pairs of axes and sum over the pairs of `dot_axes`.

    The result has the other axes of A, then the other ones of B, then the convolved ones.
    """
    of_a, of_b = axes or (range(A.ndim), range(B.ndim))
    padding, cuts = [(0, 0)] * A.ndim, []
    for i, j in zip(of_a, of_b, strict=True):
        m, n = A.shape[i], B.shape[j]
        padding[i] = (n - 1, n - 1)
        cuts.append(
            {
                "full": slice(None),
                "same": slice((n - 1) // 2, (n - 1) // 2 + m),
                "valid": slice(min(m, n) - 1, max(m, n)),
            }[mode]
        )
    sizes = tuple(B.shape[j] for j in of_b)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(A, padding), sizes, tuple(of_a))
    labels_a, labels_b = [*range(A.ndim)], [*range(A.ndim, A.ndim + B.ndim)]
    for i, j in zip(*dot_axes, strict=True):
        labels_b[j] = labels_a[i]
    inside = [labels_b[j] for j in of_b]
    alone_a = [i for i in labels_a if i not in of_a and i not in dot_axes[0]]
    alone_b = [labels_b[j] for j in range(B.ndim) if j not in of_b and j not in dot_axes[1]]
    result = [*alone_a, *alone_b, *of_a]
    full = np.einsum(windows, labels_a + inside, np.flip(B, tuple(of_b)), labels_b, result)
    return full[(..., *cuts)]
