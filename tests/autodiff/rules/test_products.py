"""einsum on random subscripts, against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_ugan as ug


def random_call(rng):
    """Subscripts and operands with repeated labels, axes of length 1 and ellipses."""
    length = dict(zip("abcd", rng.integers(1, 4, 4).tolist(), strict=True))
    ellipsis = rng.integers(1, 3, rng.integers(0, 3)).tolist()
    terms, operands = [], []
    for _ in range(rng.integers(1, 5)):
        labels = "".join(rng.choice(list("abcd"), rng.integers(0, 4)))
        shape = [1 if labels.count(c) == 1 and rng.random() < 0.15 else length[c] for c in labels]
        if rng.random() < 0.4:
            place = rng.integers(0, len(labels) + 1)
            labels = labels[:place] + "..." + labels[place:]
            shape[place:place] = ellipsis[rng.integers(0, len(ellipsis) + 1) :]
        terms.append(labels)
        operands.append(rng.standard_normal(shape))
    subscripts = ",".join(terms)
    if rng.random() < 0.6:
        output = [c for c in sorted(set(subscripts) - set(".,")) if rng.random() < 0.5]
        rng.shuffle(output)
        subscripts += "->" + "..." * ("..." in subscripts) + "".join(output)
    return subscripts, operands


@given(st.integers(0, 2**32 - 1))
def test_einsum_agrees_with_numpy(seed):
    subscripts, operands = random_call(np.random.default_rng(seed))

    def f(*operands):
        return np.einsum(subscripts, *operands)

    expected = f(*operands)
    value, pullback = ug.vjp(f, *operands)
    assert np.shape(value) == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    cotangent = np.cos(np.arange(np.size(value))).reshape(np.shape(value))
    for x, gradient in zip(operands, pullback(cotangent), strict=True):
        # linear in every operand: <x, gradient> is <value, cotangent>
        expected = pytest.approx(np.sum(value * cotangent), rel=1e-10, abs=1e-10)
        assert np.sum(x * gradient) == expected
