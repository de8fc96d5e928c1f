import numpy as np

import tinygrad_ugan as ug
from tests.compile.programs import recorded
from tinygrad_ugan.compile import Symbol


def test_a_listing_shows_shapes_constants_and_multiply_adds():
    def f(w, x):
        return np.sum(np.maximum(x @ w, 0.5) ** 2 + np.ones(2), axis=0)

    program = recorded(f, np.ones((3, 2), np.float32), np.ones((5, 3), np.float32))
    assert str(program) == (
        "f(x0: float32[3, 2], x1: float32[5, 3]):\n"
        "    v0: float32[5, 2] = matmul(x1, x0)  # 30 multiply-adds\n"
        "    v1: float32[5, 2] = maximum(v0, 0.5)\n"
        "    v2: float32[5, 2] = power(v1, 2)\n"
        "    v3: float64[5, 2] = add(v2, <float64[2]>)\n"
        "    v4: float64[2] = sum(v3, axis=0)\n"
        "    return v4\n"
        "# 5 instructions, 30 multiply-adds in products, 216 bytes computed"
    )


def test_variables():
    kinds = [
        np.ones((2, 3), np.float32),
        np.ones((2, 3)).T,
        np.float64(1),
        2.0,
        np.ones((4, 4))[::2],
    ]
    shown = [(str(v), v.kind, v.order, v.nbytes) for v in map(Symbol.like, kinds)]
    assert shown == [
        ("float32[2, 3]", "array", "C", 24),
        ("float64[3, 2]", "array", "F", 48),
        ("float64[]", "scalar", "C", 8),
        ("float", "number", "C", 8),
        ("float64[2, 4]", "array", "", 64),
    ]


def test_the_program_of_a_derivative():
    program = ug.compile(ug.grad(lambda x: np.sum(x**3))).program(np.ones(2))
    assert program.multiply_adds == 0
    assert len(program.instructions) <= 3


def test_products_of_transposed_matrices_count():
    def f(w, x):
        return np.sum(np.tanh(x @ w))

    program = ug.compile(ug.grad(f, argnums=(0, 1))).program(np.ones((3, 2)), np.ones((5, 3)))
    assert program.multiply_adds == 3 * 30
