"""An operator on functions of one argument, made one on functions of many."""

import functools

import optree


def floats(tree):
    """The tree with Python's and NumPy's integers as floats, which is how Autograd takes them."""
    return optree.tree_map(_float, tree)


def _float(x):
    kind = getattr(getattr(x, "dtype", None), "kind", type(x).__name__)
    if kind == "int":
        return float(x)
    return x.astype(float) if kind in "iu" else x


def unary_to_nary(operator):
    """Let ``operator(fun, x)`` take ``argnum``, one place or several, and the other arguments."""

    @functools.wraps(operator)
    def nary(fun, argnum=0, *options, **named_options):
        name = getattr(fun, "__name__", "[unknown name]")
        places = argnum if isinstance(argnum, (list, tuple)) else [argnum]

        def call(*args, **kwargs):
            def unary(x):
                full = list(args)
                for place, value in zip(places, x if places is argnum else [x], strict=True):
                    full[place] = value
                return fun(*full, **kwargs)

            unary.__name__ = name
            chosen = tuple(args[i] for i in places)
            x = floats(chosen if places is argnum else chosen[0])
            return operator(unary, x, *options, **named_options)

        call.__name__ = f"{operator.__name__}_of_{name}_wrt_argnum_{argnum}"
        call.__doc__ = f"    {operator.__name__} of function {name} with respect to {argnum}."
        return call

    return nary
