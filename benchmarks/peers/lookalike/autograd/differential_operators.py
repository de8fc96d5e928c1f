"""Autograd's operators on functions, each in terms of the engine's."""

import inspect

import numpy as np
import optree

import tinygrad_ugan as ug
from autograd import core
from autograd.core import ones_like
from autograd.wrap_util import unary_to_nary

make_vjp = unary_to_nary(core.make_vjp)
make_jvp = unary_to_nary(core.make_jvp)


def _pulled_ones(fun, x):
    vjp, out = core.make_vjp(fun, x)
    return out, vjp(ones_like(out))


def _check_scalar(out):
    if np.size(out) != 1 or np.asarray(ug.stop_gradient(out)).dtype.kind != "f":
        raise TypeError("only real scalar-output functions have a gradient")


@unary_to_nary
def value_and_grad(fun, x):
    """The value of a scalar function, and its gradient."""
    out, gradient = _pulled_ones(fun, x)
    _check_scalar(out)
    return out, gradient


@unary_to_nary
def grad(fun, x):
    """
    Returns a function which computes the gradient of a scalar function."""
    out, gradient = _pulled_ones(fun, x)
    _check_scalar(out)
    return gradient


@unary_to_nary
def elementwise_grad(fun, x):
    """The sum of each column of the Jacobian: its diagonal, if it is diagonal."""
    return _pulled_ones(fun, x)[1]


@unary_to_nary
def holomorphic_grad(fun, x):
    """Complex numbers, which the engine refuses by name."""
    return grad(lambda x: np.real(fun(x)))(x)


@unary_to_nary
def deriv(fun, x):
    """The derivative along ones."""
    return core.make_jvp(fun, x)(ones_like(x))[1]


@unary_to_nary
def jacobian(fun, x):
    """The Jacobian, of shape ``(*out.shape, *x.shape)``."""
    return ug.jacobian(fun)(x)


@unary_to_nary
def hessian(fun, x):
    """The Jacobian of the Jacobian; of a scalar function, its Hessian."""
    return ug.jacobian(ug.jacobian(fun))(x)


@unary_to_nary
def make_hvp(fun, x):
    """The function that multiplies a vector by the Hessian, and the gradient."""
    return core.make_vjp(grad(fun), x)


def grad_named(fun, argname):
    """The gradient in the argument of a name."""
    return grad(fun, [*inspect.signature(fun).parameters].index(argname))


def hessian_tensor_product(fun, argnum=0):
    """The function of ``(*args, tensor)`` that is the Hessian times the tensor."""

    def dotted(*args, **kwargs):
        *args, tensor = args
        return np.tensordot(grad(fun, argnum)(*args, **kwargs), tensor, np.ndim(tensor))

    return grad(dotted, argnum)


def tensor_jacobian_product(fun, argnum=0):
    """The function of ``(*args, tensor)`` that is the tensor times the Jacobian."""

    def dotted(*args, **kwargs):
        *args, tensor = args
        return np.tensordot(tensor, fun(*args, **kwargs), np.ndim(tensor))

    return jacobian(dotted, argnum)


hessian_vector_product = hessian_tensor_product
vector_jacobian_product = tensor_jacobian_product


def _half_of_squares(x):
    return np.sum(x**2, axis=-1) / 2


def make_ggnvp(f, g=_half_of_squares, f_argnum=0):
    """The function that multiplies by the generalised Gauss-Newton matrix of ``g(f(x))``."""

    @unary_to_nary
    def product(f, x):
        pull, out = core.make_vjp(f, x)
        curve, _ = core.make_vjp(grad(g), out)
        return lambda v: pull(curve(core.make_jvp(f, x)(v)[1]))

    return product(f, f_argnum)


@unary_to_nary
def grad_and_aux(fun, x):
    """The gradient of the first output, and the second output as it is."""
    vjp, (out, aux) = core.make_vjp(fun, x)
    return vjp((np.ones_like(out), optree.tree_map(np.zeros_like, aux))), aux


def checkpoint(fun):
    """The function with a pullback that evaluates it again."""
    return ug.checkpoint(fun)
