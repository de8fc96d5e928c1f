"""Pytrees as vectors and back."""

import math

import numpy as np
import optree


def flatten(value):
    """The elements of all leaves as a vector, and the function that goes back."""
    leaves, treedef = optree.tree_flatten(value)
    shapes = [np.shape(x) for x in leaves]
    ends = np.cumsum([0, *map(math.prod, shapes)]).tolist()

    def unflatten(vector):
        parts = [np.reshape(vector[a:b], s) for a, b, s in zip(ends, ends[1:], shapes)]
        numbers = [x[()] if isinstance(x, np.ndarray) else x for x in parts]
        return optree.tree_unflatten(treedef, numbers)

    flat = [np.ravel(x) for x in leaves]
    return (np.concatenate(flat) if flat else np.zeros(0)), unflatten


def flatten_func(func, example):
    """The function between vectors that stands for one between pytrees."""
    vector, unflatten = flatten(example)
    return (lambda x, *args: flatten(func(unflatten(x), *args))[0]), unflatten, vector


__all__ = ["flatten", "flatten_func"]
