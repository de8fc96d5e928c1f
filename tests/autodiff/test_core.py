"""The core alone: on Python floats, with primitives of its own, without NumPy."""

import subprocess
import sys
from types import SimpleNamespace

from tinygrad_ugan.autodiff.core import Node, Tangent, Tracer, backward, bind, new_level, tape

multiply = SimpleNamespace(
    implementation=lambda x, y: x * y,
    vjp=lambda traced, ans, args, params, g: [g * args[1 - i] for i in traced],
    jvp=lambda traced, ans, args, params, ts: sum(
        t * args[1 - i] for i, t in zip(traced, ts, strict=True)
    ),
    multiple_results=False,
)


class Float(Tracer):
    __slots__ = ()

    def __mul__(self, other):
        return bind(multiply, (self, other), {})

    def __rmul__(self, other):
        return bind(multiply, (other, self), {})

    def __add__(self, other):
        return bind(add, (self, other), {})

    __radd__ = __add__


add = SimpleNamespace(
    implementation=lambda x, y: x + y,
    vjp=lambda traced, ans, args, params, g: [g for _ in traced],
    jvp=lambda traced, ans, args, params, ts: sum(ts[1:], ts[0]),
    multiple_results=False,
)
product_and_sum = SimpleNamespace(
    implementation=lambda x, y: (x * y, x + y),
    vjp=lambda traced, ans, args, params, gs: [
        (gs[0] or 0.0) * args[1 - i] + (gs[1] or 0.0) for i in traced
    ],
    jvp=lambda traced, ans, args, params, ts: [
        op.jvp(traced, y, args, params, ts) for op, y in zip((multiply, add), ans, strict=True)
    ],
    multiple_results=True,
)


def grad(f):
    def gradient(x):
        level, leaf = new_level(), Node()
        out = f(Float(x, level, leaf))
        return backward(tape([out.node]), {out.node: 1.0})[leaf]

    return gradient


def test_plain_floats():
    assert grad(lambda x: x * x * x)(2.0) == 12.0
    assert grad(grad(lambda x: x * x * x))(2.0) == 12.0
    assert grad(grad(grad(lambda x: x * x * x)))(2.0) == 6.0


def test_forward_mode_on_plain_floats():
    level = new_level()
    out = (lambda x: x * x * x)(Float(2.0, level, Tangent(1.0)))
    assert (out.value, out.node.tangent) == (8.0, 12.0)


def test_an_operation_with_several_results():
    def f(x):
        product, total = bind(product_and_sum, (x, x), {})
        return product * total

    assert grad(f)(2.0) == 24.0
    assert grad(grad(f))(2.0) == 24.0
    assert grad(lambda x: bind(product_and_sum, (x, 3.0), {})[0])(2.0) == 3.0
    assert f(Float(2.0, new_level(), Tangent(1.0))).node.tangent == 24.0


def test_no_perturbation_confusion():
    assert grad(lambda x: x * grad(lambda y: x + y)(x))(5.0) == 1.0


def test_core_does_not_import_numpy():
    check = (
        "import sys, importlib.util as u; sys.modules['numpy'] = None\n"
        "spec = u.spec_from_file_location('core', sys.argv[1])\n"
        "spec.loader.exec_module(u.module_from_spec(spec))"
    )
    path = sys.modules[Tracer.__module__].__file__
    subprocess.run([sys.executable, "-c", check, path], check=True)


def test_tape_is_newest_first_and_holds_only_ancestors():
    a, b = Node(), Node()
    c = Node([a, b], lambda g: [g, g])
    Node([c], lambda g: [g])  # not an ancestor of d
    d = Node([c, a], lambda g: [g, g])
    assert tape([d]) == [d, c, b, a]


def test_backward_drops_cotangents_and_adds_up_contributions():
    x = Node()
    y = Node([x, x], lambda g: [2 * g, 3 * g])
    cotangents = {y: 1.0}
    assert backward(tape([y]), cotangents) == {x: 5.0}
    assert list(cotangents) == []


def test_a_long_chain_does_not_recurse():
    def chain(x):
        for _ in range(20_000):
            x = x * 1.0
        return x

    assert grad(chain)(3.0) == 1.0
