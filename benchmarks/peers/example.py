"""Run one of Autograd's examples and write down its gradients: ``example.py FILE RECORD``.

Which `autograd` that is, the path says. Every gradient that no other is taken of goes into the
record, in order; after a few of them the example is stopped. Pictures are drawn and thrown away,
and digits come from here, so that nothing is fetched.
"""

import contextlib
import functools
import os
import runpy
import sys
import types
from pathlib import Path

import numpy as np

LIMIT = 4
OPERATORS = ["grad", "value_and_grad", "elementwise_grad", "jacobian", "hessian_vector_product"]


class EnoughError(Exception):
    """As many gradients as are asked for."""


gradients = []


def leaves(tree):
    """The numbers of nested containers, in order."""
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in leaves(tree[key])]
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in leaves(part)]
    return [] if callable(tree) else [tree]


def recorded(operator):
    """An operator whose functions write down what they return, unless that is traced."""

    @functools.wraps(operator)
    def wrapped(fun, *args, **kwargs):
        function = operator(fun, *args, **kwargs)

        @functools.wraps(function)
        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            found = leaves(result)
            if found and all(isinstance(x, float | np.ndarray | np.generic) for x in found):
                gradients.append(np.concatenate([np.ravel(x) for x in found]))
                if len(gradients) == LIMIT:
                    raise EnoughError
            return result

        return call

    return wrapped


class Seeded(np.random.RandomState):
    """Random numbers that are the same in every run."""

    def __init__(self, seed=0):
        super().__init__(seed)


def digits():
    """Random pictures of the shape of MNIST's, a few of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (600, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, 600).astype(np.uint8)
    return images[:500], labels[:500], images[500:], labels[500:]


def main(path, record):
    """Run the file as a program."""
    np.random.RandomState = Seeded
    import matplotlib

    matplotlib.use("Agg")
    import autograd

    for name in OPERATORS:
        setattr(autograd, name, recorded(getattr(autograd, name)))
    sys.modules["data_mnist"] = types.SimpleNamespace(mnist=digits)
    sys.path.insert(0, str(path.parent))
    if path.parent.name != "examples":
        sys.path.insert(1, str(path.parent.parent))
    os.chdir(path.parent)
    np.random.seed(0)
    with contextlib.suppress(EnoughError):
        runpy.run_path(str(path), run_name="__main__")
    np.savez(record, *gradients)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
