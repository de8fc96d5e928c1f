"""Every way into compiled code, attacked: an error of ours, or the right answer; no other memory.

The ways in are found in the source: whoever adds one has to add an attack on it here. While they
are attacked all arrays end where a forbidden page begins, and so does the programs' own memory.
"""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.compile.pieces import lowered, pieces
from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import Setting, flat
from tests.kernels.test_bounds import guard, guarded
from tests.kernels.test_pairwise_l1 import formulas
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.compile import assembly, row_sums, scheduling
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels import pairwise_l1, windows
from tinygrad_ugan.kernels.adam import AdamProgram
from tinygrad_ugan.kernels.ascent_program import AscentProgram
from tinygrad_ugan.kernels.network import Network
from tinygrad_ugan.kernels.network_programs import NetworkProblem, NetworkPrograms
from tinygrad_ugan.kernels.pass_mask import PassMask
from tinygrad_ugan.kernels.philox import NormalSampler
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.kernels.target import PLAIN, host_target
from tinygrad_ugan.nn import network_primitive
from tinygrad_ugan.stated import stated
from tinygrad_ugan.unroll import scheduled
from tinygrad_ugan.unroll.problem import make_problem
from tinygrad_ugan.unroll.recorded import Recursion

PACKAGE = Path(ug.__file__).parent
ALL_TARGETS = {**TARGETS, "plain": PLAIN}
SCALARS = (0.9, 0.1, 0.99, 0.01, 1e-8, -0.05, 1.7)
GAME = gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 1)))
SETTING = Setting(GAME, real=11, fake=6, steps=1)
BOTH = PassMask(x=True, theta=True)
WINDOWS = windows.Windows((5, 4), (3, 2), (2, 1), (1, 2), (1, 0), (3, 3))


# The ways in: programs that are run, and functions of numba


def sweep(target):
    theta_g, theta_d, batch = SETTING.inputs()
    n, program = len(flat(theta_g)), SweepProgram(SETTING.sweep(), target, np.float64)

    def run(*arrays):
        theta_g, theta_d = arrays[:n], arrays[n:-2]
        found = program.run(theta_g, theta_d, [arrays[-2]], [arrays[-1]], np.full((1, 1), 0.1))
        return [found.value, *found.gradients[0]]

    return run, [*flat(theta_g), *flat(theta_d), *batch]


def ascent(target):
    theta_g, theta_d, batch = SETTING._replace(steps=0).inputs()
    program = AscentProgram(SETTING._replace(steps=0).sweep(), target, np.float64)
    n = len(flat(theta_g))

    def run(*arrays):
        value, gradient, _ = program.ascent(arrays[:n], arrays[n:-2], *arrays[-2:])
        return [value, *gradient]

    return run, [*flat(theta_g), *flat(theta_d), *batch]


def passes(target):
    rng, network = np.random.default_rng(0), Network((3, 6, 2), "tanh", 0.5)
    programs = NetworkPrograms(NetworkProblem(network, 9, target, np.dtype(np.float64)))
    shapes = [(9, 3), *network.shapes, (9, 2)]
    q, direction = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))

    def run(*arrays):
        (x, *theta, y_bar), (Rx, *Rtheta, Ry_bar) = arrays[: len(q)], arrays[len(q) :]
        y, record = programs.forward(x, theta)
        p_bar = programs.backward(record, y_bar, BOTH)
        has_tangent, inputs = PassMask(True, True, True), [*Rtheta, y_bar, Ry_bar, Rx]
        return [y, *p_bar, *programs.tangents(record, inputs, has_tangent, BOTH)]

    return run, [*q, *direction]


def descent(target):
    rng, shapes = np.random.default_rng(0), ((3, 5), (4,), ())
    program = AdamProgram(shapes, target, np.float64)
    arrays = [rng.standard_normal(shape) ** 2 for _ in range(4) for shape in shapes]

    def run(*arrays):
        groups = [arrays[i : i + 3] for i in range(0, 12, 3)]
        return [x.copy() for group in program.step(SCALARS, *groups) for x in group]

    return run, arrays


def noise(target):
    program = NormalSampler(100, target, np.float64)
    return lambda: [program.draw(7).copy()], []


def differences(target):
    p, v = np.random.default_rng(0).standard_normal((2, 2, 3, 5))
    return lambda v, p: [pairwise_l1.signed_differences(v, p)], [v, p]


def sums(target):
    rng = np.random.default_rng(0)
    g, p = rng.standard_normal((3, 5, 5)), rng.standard_normal((2, 3, 5))

    def run(g, p):
        found = pairwise_l1.signed_sums(g, p)
        if p.shape != (2, 3, 5):  # the points may have any number of coordinates
            np.testing.assert_allclose(found, formulas(p, g, p)[1], atol=1e-13)
            raise ArgumentError("p", "another number of coordinates", "2, for the test")
        return [found]

    return run, [g, p]


def gathered(target):
    return of_images(windows.gather, (2, *WINDOWS.size, 3))


def scattered(target):
    return of_images(windows.scatter, (2, *WINDOWS.counts, *WINDOWS.kernel, 3))


def of_images(f, shape):
    def run(x):
        found = f(x, WINDOWS)
        if x.shape != shape:  # there may be any number of images, and of channels
            np.testing.assert_allclose(found[:1, ..., :1], f(x[:1, ..., :1], WINDOWS), atol=1e-13)
            raise ArgumentError(
                "x", "another number of images or channels", "2 and 3, for the test"
            )
        return [found]

    return run, [np.random.default_rng(0).standard_normal(shape)]


def piece(target):
    """A network and its gradients, in parts and blocks of rows."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((192, 3), (3, 5), (5,), (192,))]

    def layer(x, w, b, y):
        h = np.tanh(x @ w + b)
        d = (1 - h * h) * (np.sum(h, axis=1) - y)[:, None]
        return h, x.T @ d, np.sum(d, axis=0), np.max(h), d @ w.T

    assembly.host_target = lambda: host_target() if target == PLAIN else target
    scheduling.PARALLEL = row_sums.CACHE = 0
    (kernels,) = pieces(lowered(layer, *arrays))
    return lambda *arrays: [np.asarray(x) for x in kernels(*arrays)], arrays


def recursion(target):
    """All steps of an unrolled game, and the way back."""
    problem = make_problem(GAME, *SETTING.inputs(), steps=2, lr=0.1)
    leaves = optree.tree_leaves((problem.theta_g, problem.state, problem.batches[0]))
    scheduled.host_target = lambda: host_target() if target == PLAIN else target
    parts = Recursion(problem, stated(GAME, "sample_form"))
    ready = scheduled.ScheduledRecursion(parts, problem, leaves)

    def run(*arrays):
        value, gradient = ready(problem, arrays)
        return [value, *optree.tree_leaves(gradient)]

    return run, leaves


ENTRIES = {
    "compile.kernels:Kernels.__call__": piece,
    "unroll.scheduled:ScheduledRecursion.__call__": recursion,
    "kernels.sweep_program:SweepProgram.run": sweep,
    "kernels.ascent_program:AscentProgram.ascent": ascent,
    "kernels.network_programs:ProgramRunner.__call__": passes,
    "kernels.adam:AdamProgram.step": descent,
    "kernels.philox:NormalSampler.draw": noise,
    "kernels.pairwise_l1:signed_differences": differences,
    "kernels.pairwise_l1:signed_sums": sums,
    "kernels.windows:gather": gathered,
    "kernels.windows:scatter": scattered,
}


# As the source has them


def functions(wanted):
    """``module:function`` of the functions and methods that `wanted` finds something in."""
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        tree = ast.parse(path.read_text())
        classes = [(f"{c.name}.", c.body) for c in tree.body if isinstance(c, ast.ClassDef)]
        for prefix, body in [("", tree.body), *classes]:
            for f in body:
                if isinstance(f, ast.FunctionDef) and any(map(wanted, ast.walk(f))):
                    yield f"{module}:{prefix}{f.name}"


def uses(*names):
    def wanted(node):
        return {getattr(node, "attr", None), getattr(node, "id", None)} & set(names)

    return set(functions(wanted))


def runs_a_program(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "run"
        and ast.unparse(node.func.value).split(".")[-1].strip("_") == "executable"
    )


def calls_numba(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("_added", "_run_loops")


def test_every_entry_is_attacked():
    assert set(ENTRIES) == {*functions(runs_a_program), *functions(calls_numba)}


def test_numba_compiles_for_few():
    assert uses("jitted") == {
        *("kernels.pairwise_l1:_compiled", "kernels.windows:_compiled"),
        "kernels.plain:compiled",
    }
    assert uses("_compiled") == {
        *("kernels.pairwise_l1:_added", "kernels.windows:_run_loops"),
        "bench.limit:MultiplyAdds.__init__",
    }
    others = ("bench.libraries", "compile.", "unroll.")  # whose `compiled` is another
    found = {f for f in uses("compiled") if not f.startswith(others)}
    assert found == {"kernels.plain:ReferenceKernel.__init__"}
    found = {f for f in uses("vectorize") if f.startswith("kernels")}
    assert found == {"kernels.scalar_ufunc:ScalarUfunc._compile"}  # NumPy hands it its arrays


def test_machine_code_comes_from_a_few_places():
    assert uses("get_function_address", "CFUNCTYPE", "njit", "cfunc") == {
        "bench.limit:_compiled",  # a loop that takes a number, and no array
        "kernels.jit_cache:_in_memory",  # kernels, run by programs alone
        "kernels.plain:jitted",
    }


def test_the_addresses_of_arrays_are_taken_in_one_place():
    users = uses("addressof", "ctypes", "address_of", "data_as", "__array_interface__")
    assert {f for f in users if not f.startswith("kernels.addresses:")} == {
        "bench.worker:_give_back",  # a call of the C library
        "bench.limit:_compiled",
        "kernels.blas_threads:_library",  # functions of OpenBLAS that take no array
        "autodiff.defensive_copies:_shared_copy",  # by which an array is known again, and no more
        "autodiff.defensive_copies:_PooledMemory.__init__",
        "kernels.plain:_Window.__init__",  # the other way: arrays at addresses in programs
        "kernels.program:Executable._lay_out",  # the rest is memory of our own
        "kernels.program:Executable._numbers",
        "kernels.program:Executable._point_to",
        "kernels.program:aligned",
        "kernels.buffer_pool:_BaseArray.__init__",
        "kernels.threads:ThreadPool.__init__",
    }


# The attacks


def unaligned(x):
    return np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


def frozen(x):
    y = x.copy()
    y.flags.writeable = False
    return y


OTHER_LAYOUTS = {
    "columns": lambda x: np.array(x, order="F"),
    "backwards": lambda x: x[(slice(None, None, -1),) * x.ndim].copy()[
        (slice(None, None, -1),) * x.ndim
    ],
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "read-only": frozen,
    "not aligned": unaligned,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "before a forbidden page": guarded,
}
OTHER_ARRAYS = {
    "shorter": lambda x: x[:-1] if x.ndim else x[None],
    "narrower": lambda x: x[..., :-1] if x.ndim else x[None],
    "longer": lambda x: np.concatenate([x, x]) if x.ndim else x[None],
    "one": lambda x: x.ravel()[:1],
    "none": lambda x: x.ravel()[:0],
    "no rows": lambda x: x[:0] if x.ndim else x[None][:0],
    "flat": lambda x: x.ravel() if x.ndim != 1 else x[None],
    "turned": lambda x: x.T if x.ndim > 1 else x[None],
    "one more axis": lambda x: x[None],
    "repeated": lambda x: np.broadcast_to(x.ravel()[:1], (2, *x.shape)),
    "single precision": lambda x: x.astype(np.float32),
    "whole": lambda x: x.astype(int),
    "complex": lambda x: x + 0j,
    "booleans": lambda x: x.astype(bool),
    "objects": lambda x: x.astype(object),
    "dates": lambda x: np.zeros(x.shape, "M8[s]"),
}
CONVERTED = ("single precision", "whole", "booleans")
"""What may be taken for what it says: a cotangent is, and so are points of pairs."""


def attack(make, target):
    """Hand in each array in another way; return whether it was refused, by attack."""
    run, arrays = make(target)
    arrays = [guarded(x) for x in arrays]
    expected = run(*arrays)
    refused = {}
    for i, x in enumerate(arrays):
        for name, change in OTHER_LAYOUTS.items():
            changed = change(x)
            np.testing.assert_array_equal(changed, x)
            refused[name, i] = outcome(run, arrays, i, changed, expected)
        for name, change in OTHER_ARRAYS.items():
            changed = change(x)
            if changed.shape != x.shape or changed.dtype != x.dtype:
                end = guarded(changed) if changed.dtype != object else changed
                values = (
                    run(*arrays[:i], x.astype(changed.dtype).astype(x.dtype), *arrays[i + 1 :])
                    if name in CONVERTED
                    else None
                )
                refused[name, i] = outcome(run, arrays, i, end, values)
    found = run(*arrays)
    assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]
    return refused


def outcome(run, arrays, i, changed, expected):
    """Whether an array is refused; if not, the answer is the right one."""
    try:
        found = run(*arrays[:i], changed, *arrays[i + 1 :])
    except (ArgumentError, ArgumentTypeError):
        return True
    assert expected is not None, (i, changed.shape, changed.dtype)
    tolerance = 1e-5 if any(a.dtype == np.float32 for a in found) else 1e-13
    assert relative_error(found, expected) < tolerance
    return False


def attack_all(target):
    """Each way in, in each way."""
    guard()
    for name, make in ENTRIES.items():
        refused = attack(make, ALL_TARGETS[target])
        layouts = [key for key, yes in refused.items() if yes and key[0] in OTHER_LAYOUTS]
        assert {what for what, _ in layouts} <= {"other byte order"}, (name, layouts)
        print(name, sum(refused.values()), "of", len(refused), "refused", flush=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("target", ALL_TARGETS)
def test_what_is_no_such_array_is_refused_and_every_layout_is_right(target):
    code = f"""
import tests.conftest
from tests.kernels.test_entries import attack_all
attack_all({target!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, timeout=200, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused") == len(ENTRIES)


# What users call: the same, against what they would have from NumPy


def descend():
    adam, rng = optim.Adam(0.1), np.random.default_rng(0)
    theta, g = ([rng.standard_normal(n) for n in (4, 3)] for _ in range(2))

    def by(step):
        def run(a, b, c, d, e, f):
            _, state = step(adam, [c, d], optim.AdamState(3, [e, e[:3]], [f, f[:3]]), [a, b])
            return [*state.mean, *state.square, *_]

        return run

    def by_numpy(optimizer, grads, state, params):
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    return by(optim.descend), by(by_numpy), [*theta, *g, rng.random(4), rng.random(4)]


def network():
    """Its values and two derivatives."""
    mlp, rng = nn.MLP((3, 6, 2)), np.random.default_rng(0)
    theta, x = flat(mlp.init(rng, np.float64)), rng.standard_normal((9, 3))

    def by(f):
        def run(x, *theta):
            y, pullback = ug.vjp(f, x, *theta)
            return [y, *pullback(np.cos(y)), ug.jvp(f, (x, *theta), (x, *theta))[1]]

        return run

    def layers(x, *theta):
        return mlp([{"w": w, "b": b} for w, b in zip(theta[::2], theta[1::2], strict=True)], x)

    return by(layers), by(lambda *p: network_primitive.compose(mlp, *p)), [x, *theta]


def gradient():
    theta_g, theta_d, batch = SETTING.inputs()
    leaves, structure = optree.tree_flatten((theta_g, theta_d, batch))

    def by(method):
        def run(*leaves):
            given = optree.tree_unflatten(structure, leaves)
            found = ug.unroll.value_and_grad(GAME, *given, steps=1, lr=0.1, method=method)
            return optree.tree_leaves(found)

        return run

    return by("auto"), by("adjoint"), leaves


def inner_gradient():
    theta_g, theta_d, batch = SETTING.inputs()
    leaves, structure = optree.tree_flatten((theta_g, theta_d, batch))

    def run(*leaves):
        return optree.tree_leaves(ug.unroll.ascent(GAME, *optree.tree_unflatten(structure, leaves)))

    def by_engine(*leaves):
        theta_g, theta_d, batch = optree.tree_unflatten(structure, leaves)
        found = ug.value_and_grad(GAME.inner, argnums=1)(theta_g, theta_d, batch)
        return optree.tree_leaves(found)

    return run, by_engine, leaves


PUBLIC = (descend, network, gradient, inner_gradient)


def attack_public():
    """Hand in each array in another way."""
    guard()
    network_primitive.MIN_MULTIPLY_ADDS = 0
    for make in PUBLIC:
        run, by_numpy, arrays = make()
        arrays = [guarded(x) for x in arrays]
        for i, x in enumerate(arrays):
            for change in (*OTHER_LAYOUTS.values(), *OTHER_ARRAYS.values()):
                changed = change(x)
                if changed.dtype != object:  # Python's numbers, which NumPy lets through
                    check_public(run, by_numpy, [*arrays[:i], changed, *arrays[i + 1 :]])
        print(make.__name__, flush=True)


def check_public(run, by_numpy, arrays):
    """An error in words, or what NumPy computes."""
    try:
        found = run(*arrays)
    except (ValueError, TypeError):
        return
    expected = by_numpy(*arrays)
    single = any(np.asarray(x).dtype in (np.float32, np.float16) for x in (*found, *arrays))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5 if single else 1e-12, atol=1e-6 * single)


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
def test_what_users_call_gives_an_error_or_the_answer_of_numpy():
    code = """
import tests.conftest
from tests.kernels.test_entries import attack_public
attack_public()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, timeout=200, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(PUBLIC)


@pytest.mark.parametrize(("n", "wrong"), [(1000, 3), (10**7, 1), (3, 1000)])
@pytest.mark.parametrize("what", ["grads", "state.mean", "state.square"])
def test_a_gradient_or_state_of_other_shapes_is_refused_by_name(n, wrong, what):
    adam, theta, other = optim.Adam(0.1), np.zeros(n), np.ones(wrong)
    state = adam.init(theta)
    grads = other if what == "grads" else theta
    if what != "grads":
        state = state._replace(**{what.removeprefix("state."): other})
    with pytest.raises(ArgumentError, match=rf"{what}: expected that of its parameter, \({n},\)"):
        optim.descend(adam, grads, state, theta)


@pytest.mark.parametrize("optimizer", [optim.SGD(0.1), optim.Momentum(0.1), optim.Adam(0.1)])
def test_a_gradient_of_another_structure_is_refused_by_name(optimizer):
    theta = {"w": np.ones(3), "b": np.ones(1)}
    for grads in ([np.ones(1), np.ones(3)], {"w": np.ones(3)}, np.ones(3), {**theta, "c": 1.0}):
        with pytest.raises(ArgumentError, match=r"grads: expected that of params, .*got the struc"):
            optim.descend(optimizer, grads, optimizer.init(theta), theta)


def test_a_state_that_is_not_adams_is_refused_by_name():
    theta = np.ones(3)
    with pytest.raises(ArgumentTypeError, match="state: expected an AdamState"):
        optim.descend(optim.Adam(0.1), theta, (), theta)


@pytest.mark.parametrize("target", ALL_TARGETS)
def test_inputs_may_share_memory_and_results_never_do(target):
    x = np.linspace(0.5, 1.0, 12)
    pieces = [x[:8], x[4:], x[2:10], x[::-1][:8]]
    program = AdamProgram([(8,)], ALL_TARGETS[target], np.float64)
    expected = program.step(SCALARS, *([piece.copy()] for piece in pieces))
    found = program.step(SCALARS, *([piece] for piece in pieces))
    again = program.step(SCALARS, *found[:1], *found)
    for group, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(group[0], right[0])
    for y in (*found, *again):
        assert not any(
            np.shares_memory(y[0], other) for other in (x, *(z[0] for z in found if z is not y))
        )
