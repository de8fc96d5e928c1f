"""Operations with derivatives of one's own, `defvjp` and `defjvp`, in terms of `ug.primitive`."""

import functools

import numpy as np
import optree

import tinygrad_ugan as ug

Box = ug.Tensor


class _Primitive:
    """A function of pytrees; the engine sees their leaves."""

    def __init__(self, fun):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.vjps, self.jvps = {}, {}

    def __call__(self, *args, **kwargs):
        leaves, treedef = optree.tree_flatten(args)
        if not any(isinstance(x, Box) for x in leaves):
            return self.fun(*args, **kwargs)
        filled = functools.partial(optree.tree_unflatten, treedef)
        places = optree.tree_unflatten(treedef, range(len(leaves)))
        argnum_of = {i: n for n, part in enumerate(places) for i in optree.tree_leaves(part)}

        def implementation(*leaves):
            return self.fun(*filled(leaves), **kwargs)

        def jvp(traced, ans, leaves, params, tangents):
            terms = []
            for i, tangent in zip(traced, tangents, strict=True):
                make = self._maker(self.jvps, argnum_of[i], "JVP")
                args = filled(leaves)
                if make == "same":
                    args = [tangent if n == argnum_of[i] else x for n, x in enumerate(args)]
                    terms.append(self(*args, **kwargs))
                else:
                    terms.append(make(tangent, ans, *args, **kwargs))
            return sum(terms[1:], terms[0])

        def vjp(traced, ans, leaves, params, cotangent):
            pulled = {}
            for n in {argnum_of[i] for i in traced}:
                make = self._maker(self.vjps, n, "VJP")
                part = None if make is None else make(ans, *filled(leaves), **kwargs)(cotangent)
                pulled |= dict(zip(optree.tree_leaves(places[n]), optree.tree_leaves(part)))
            return [_like(pulled.get(i), leaves[i]) for i in traced]

        return ug.primitive(implementation, jvp=jvp, vjp=vjp)(*leaves)

    def defgrad(self, maker, argnum=0):
        """The rule for one argument, under its first name."""
        self.vjps[argnum] = maker

    def defvjp(self, maker, argnum=0):
        """The rule for one argument, under its second name, which took more than it used."""
        self.vjps[argnum] = lambda ans, *args: lambda g: maker(g, ans, None, None, *args)

    def defvjp_is_zero(self, argnums=(0,)):
        """No dependence on these arguments."""
        self.vjps |= dict.fromkeys(argnums)

    def _maker(self, makers, argnum, kind):
        if argnum not in makers:
            raise NotImplementedError(f"{kind} of {self.__name__} wrt argnum {argnum} not defined")
        return makers[argnum]


def _like(derivative, x):
    return np.zeros_like(x) if derivative is None else derivative


def primitive(fun):
    """A function that is not looked into; `defvjp` and `defjvp` say its derivatives."""
    return _Primitive(fun)


def notrace_primitive(fun):
    """A function whose results do not depend on the numbers it is given."""
    return lambda *args, **kwargs: fun(*ug.stop_gradient(args), **kwargs)


def defvjp(fun, *makers, argnums=None):
    """``maker(ans, *args)(g)`` for each argument, None where there is no dependence."""
    fun.vjps |= dict(zip(argnums or range(len(makers)), makers))


def defvjp_argnum(fun, maker):
    """``maker(argnum, ans, args, kwargs)(g)`` for any argument."""
    fun.vjps = _ForAny(lambda n: lambda ans, *args, **kwargs: maker(n, ans, args, kwargs))


def defjvp(fun, *makers, argnums=None):
    """``maker(g, ans, *args)`` for each argument, "same" where the function is linear in it."""
    fun.jvps |= dict(zip(argnums or range(len(makers)), makers))


def defjvp_argnum(fun, maker):
    """``maker(argnum, g, ans, args, kwargs)`` for any argument."""
    fun.jvps = _ForAny(lambda n: lambda g, ans, *args, **kwargs: maker(n, g, ans, args, kwargs))


class _ForAny:
    def __init__(self, make):
        self.make = make

    def __contains__(self, argnum):
        return True

    def __getitem__(self, argnum):
        return self.make(argnum)
