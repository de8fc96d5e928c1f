"""Odds and ends."""


def func(f):
    """The function beneath a method."""
    return getattr(f, "__func__", f)


def subvals(x, ivs):
    """The sequence with some of its elements replaced."""
    x = list(x)
    for i, v in ivs:
        x[i] = v
    return tuple(x)


def quick_grad_check(fun, arg0, extra_args=(), kwargs=None, **_):
    """Check the gradient of fun at its first argument."""
    from autograd.test_util import check_grads

    check_grads(lambda x: fun(x, *extra_args, **(kwargs or {})), order=1)(arg0)
