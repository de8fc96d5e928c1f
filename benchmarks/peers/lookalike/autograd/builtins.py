"""Containers: pytrees here, so Python's own will do; a tensor counts as the array it stands for."""

import builtins

import numpy as np

import tinygrad_ugan as ug

dict, list, tuple = builtins.dict, builtins.list, builtins.tuple


def isinstance(x, types):
    """Whether x, or what it stands for, is of one of the types."""
    stands_for = np.ndarray if builtins.isinstance(x, ug.Tensor) else builtins.type(x)
    return builtins.isinstance(x, types) or issubclass(stands_for, types)


def type(x):
    """The type of x, or of what it stands for."""
    return np.ndarray if builtins.isinstance(x, ug.Tensor) else builtins.type(x)
