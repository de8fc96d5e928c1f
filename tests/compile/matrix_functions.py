"""Random functions of matrices: chains of layers, sums over rows, and what is in between."""

import numpy as np
from hypothesis import strategies as st

UNARY = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "turned": lambda x: x.T,
    "backwards": lambda x: x[::-1],
    "sum over rows": lambda x: np.mean(x, axis=0, keepdims=True),
    "largest of rows": lambda x: np.max(x, axis=0),
    "sum in rows": lambda x: np.sum(x, axis=-1, keepdims=True),
    "sum": lambda x: np.tanh(np.sum(x)),
}
BINARY = {
    "plus": np.add,
    "times": np.multiply,
    "greater": lambda x, y: np.where(x > y, x, y * y),
    "product": lambda x, y: np.tanh(x @ y),
    "product of rows": lambda x, y: np.tanh(x.T @ y),
    "product of columns": lambda x, y: np.tanh(x @ y.T),
}
FUNCTIONS = {**UNARY, **BINARY}


class Steps:
    """A function of matrices, as data: each step is a name and the numbers of earlier values."""

    def __init__(self, shapes, steps, outputs):
        self.shapes, self.steps, self.outputs = shapes, steps, outputs

    def __call__(self, *xs):
        values = list(xs)
        for name, *operands in self.steps:
            values.append(FUNCTIONS[name](*(values[i] for i in operands)))
        return [values[i] for i in self.outputs]

    def __repr__(self):
        return f"Steps({self.shapes}, {self.steps}, {self.outputs})"


@st.composite
def functions(draw):
    """Functions of two matrices and a row."""
    rows = draw(st.sampled_from([1, 3, 8, 40, 128, 200, 320]))
    n, m = (draw(st.integers(1, 9)) for _ in range(2))
    shapes = [(rows, n), (n, m), (n,)]
    values = [np.ones(shape) for shape in shapes]
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        few = range(len(values))
        operands = [draw(st.sampled_from(few)) for _ in range(1 + (name in BINARY))]
        try:
            y = FUNCTIONS[name](*(values[i] for i in operands))
        except (ValueError, TypeError, IndexError):  # the shapes do not fit
            continue
        steps.append((name, *operands))
        values.append(y)
    last = st.integers(max(0, len(values) - 4), len(values) - 1)
    return Steps(shapes, steps, [*draw(st.lists(last, max_size=3)), len(values) - 1])


def arguments(f):
    """Small numbers for a function."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) / shape[-1] for shape in f.shapes]
