"""The account of what runs in kernels."""

import numpy as np

import tinygrad_ugan as ug
from tests.compile.pieces import lowered
from tinygrad_ugan.compile.explanation import explained

X, W = np.ones((100, 8)), np.ones((8, 8))


def test_kernels_and_calls_of_numpy():
    text = explained(lowered(lambda x: np.sort(np.tanh(x @ W) + 1), X))
    first, *lines = text.splitlines()
    assert first == "f: 1 kernel, 1 call of NumPy (sort)"
    assert lines[-1] == "  NumPy: sort"
    assert any("product over 8, tanh, add" in line for line in lines)


def test_what_is_alike_is_counted():
    text = explained(lowered(lambda x: np.tanh(np.tanh(np.tanh(x))), X))
    assert "3 tanh" in text


def test_sums_of_products_and_reductions():
    text = explained(lowered(lambda x: np.sum(np.exp(x) @ W + x @ W, axis=0), X))
    assert "product over 8 + product over 8" in text
    assert "add over axes (0,)" in text


def test_nothing_is_lowered():
    assert explained(lowered(np.sort, X)) == "f: 0 kernels, 1 call of NumPy (sort)\n  NumPy: sort"


def test_compiled_functions_explain_themselves():
    compiled = ug.compile(ug.grad(lambda x: np.sum(np.tanh(x) ** 2)))
    assert compiled.explain(X).startswith("<lambda>: 1 kernel, 0 calls of NumPy")
