"""NumPy functions that do not ask a tensor what to do: the error names the function and the way."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import NotDifferentiableError

X = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("f", "way"),
    [
        (lambda x: np.full((2,), x[0]), r"full, .*np\.broadcast_to"),
        (lambda x: np.full((2, 3), x, float), r"np\.broadcast_to\(x, shape\)"),
        (lambda x: np.full_like(X, x), r"np\.broadcast_to\(x, shape\)"),
        (lambda x: np.pad(X, 1, constant_values=x[0]), r"pad, .*np\.concatenate"),
        (lambda x: np.select([X > 1], [X], x), r"select, .*np\.where"),
        (lambda x: np.sum(X, initial=x[0]), "initial, add to the result"),
        (lambda x: np.add(X, 1, where=x), r"where=.*np\.where"),
        (lambda x: np.fill_diagonal(np.eye(3), x), r"fill_diagonal, .*ug\.at\(a\)\[i, i\]"),
        (lambda x: np.fill_diagonal(np.outer(x, x), 0.0), r"ug\.at\(x\)\[i, i\]"),
        (lambda x: np.put(X.copy(), 0, x[0]), r"put .*ug\.at\(x\)"),
        (lambda x: np.place(X.copy(), X > 1, x), r"place .*ug\.at\(x\)"),
        (lambda x: np.putmask(X.copy(), X > 1, x), r"putmask .*ug\.at\(x\)"),
        (lambda x: np.copyto(X.copy(), x), r"copyto .*ug\.at\(x\)"),
        (lambda x: np.add.at(X.copy(), [0], x[0]), r"add\.at .*ug\.at\(x\)\[index\]\.add"),
        (lambda x: np.arange(x[0]), r"start \+ step \* np\.arange\(n\)"),
        (lambda x: np.array([x]), r"ug\.array"),
        (lambda x: np.asarray([x[0], 1.0]), r"ug\.array"),
        (lambda x: np.r_[x, 1.0], r"np\.concatenate"),
        (lambda x: np.vectorize(lambda t: 2 * t)(x), r"ug\.array"),
        (lambda x: round(x[0]), "stop_gradient"),
        (lambda x: range(x[0]), "stop_gradient"),
    ],
)
def test_the_way_out_is_named(f, way):
    with pytest.raises(NotDifferentiableError, match=way):
        ug.vjp(f, X)


@pytest.mark.parametrize(
    "function", [np.mean, np.sum, np.max, np.prod, np.std, np.sort, np.sin, np.linalg.norm]
)
def test_a_list_of_tensors_is_to_be_stacked(function):
    for make in (lambda x: [x, x], lambda x: (x[0], x[1]), lambda x: [[x[0], 1.0]]):
        with pytest.raises(NotDifferentiableError, match=r"list of tensors.*np\.stack|np\.stack"):
            ug.vjp(lambda x, make=make: function(make(x)), X)


def test_what_is_constant_beside_a_tensor_may_stay():
    assert ug.grad(lambda x: np.sum(np.eye(3) * x))(X).tolist() == [1, 1, 1]
    assert ug.grad(lambda x: np.sum(np.select([X > 1], [x], 2.0)))(X).tolist() == [0, 1, 1]
    assert ug.grad(lambda x: np.sum(np.select([X > 1], [X * x], x)))(X).tolist() == [1, 2, 3]
