"""Traces without derivatives: a node class of one's own sees every operation."""

import functools

import numpy as np

from autograd.extend import primitive
from tinygrad_ugan.autodiff.core import Tracer, new_level
from tinygrad_ugan.autodiff.tensor import Tensor


def isbox(x):
    """Whether x is traced."""
    return isinstance(x, Tracer)


class Node:
    """What a trace keeps of an operation; made by the subclass's `__init__`."""

    @classmethod
    def new_root(cls, *args, **kwargs):
        """The node of the trace's input."""
        root = cls.__new__(cls)
        root.initialize_root(*args, **kwargs)
        return root


class _Recorder:
    """A node as the engine knows it, around one of Autograd's."""

    def __init__(self, node):
        self.node = node

    def record(self, rule, parents, traced, ans, args, params):
        fun = functools.partial(rule.implementation)
        fun.__name__ = rule.name
        nodes = [parent.node for parent in parents]
        return _Recorder(type(self.node)(ans, fun, args, params, traced, nodes))


def trace(start_node, fun, x):
    """The value of ``fun(x)`` and its node, None if it does not depend on x."""
    level = new_level()
    out = fun(Tensor(np.asarray(x)[()], level, _Recorder(start_node)))
    if isbox(out) and out.level == level:
        return out.value, out.node.node
    return out, None


__all__ = ["Node", "isbox", "primitive", "trace"]
