"""Arrays that are written to after they were used: the derivatives are those of what was used."""

import zlib

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import normal_like
from tinygrad_ugan.autodiff.defensive_copies import SMALL
from tinygrad_ugan.check.strategies.samples import TABLE, call, drawn, joined, samples_of
from tinygrad_ugan.errors import ArgumentError

LARGE = SMALL // 8 + 1  # elements of float64 that are more than a small array's bytes


def overwrite(x):
    """Put other values of the same kind into every array of a container."""
    if isinstance(x, np.ndarray):
        x[...] = ~x if x.dtype.kind == "b" else 0 if x.dtype.kind in "iu" else np.nan
    elif isinstance(x, list | tuple):
        for part in x:
            overwrite(part)
    if isinstance(x, list) and x and all(isinstance(part, int) for part in x):
        x[:] = [0] * len(x)


def own_copy(x):
    """A copy of a sample's arguments in which every array may be written to."""
    return optree.tree_map(lambda leaf: np.array(leaf) if isinstance(leaf, np.ndarray) else leaf, x)


CASES = [
    pytest.param(record, sample, id=f"{record.name}-{i}")
    for record in TABLE
    for i, sample in enumerate(samples_of(record))
]


def arrays_of(sample, rng):
    """The operands, drawn, as arrays that can be written to (also those without axes)."""
    return [np.array(x) for x in drawn(sample, rng)]


def with_own_constants(sample):
    """The sample with constants that nobody else uses, and these constants."""
    args = [own_copy(x) if not is_operand(x) else x for x in sample.args]
    params = {name: own_copy(x) for name, x in sample.params.items()}
    mine = type(sample)(tuple(args), params, sample.invariant)
    return mine, [x for x in args if not is_operand(x)] + list(params.values())


def is_operand(x):
    return bool(operands_in(x))


def operands_in(x):
    from tinygrad_ugan.autodiff.samples import Random

    return [leaf for leaf in optree.tree_leaves(x) if isinstance(leaf, Random)]


def partial_function(record, sample, arrays, chosen):
    """The record as a function of the operands at the chosen places, the others constants."""

    def f(*xs):
        full = list(arrays)
        for i, x in zip(chosen, xs, strict=True):
            full[i] = x
        return joined(call(sample, full, record))

    return f


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_every_argument_of_every_function_may_be_written_to_before_the_pullback(record, sample):
    """Each operand is differentiated alone, the others being constants; then all together."""
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    original = arrays_of(sample, rng)
    places = range(len(original))
    for chosen in [[i] for i in places] + [list(places)]:
        f = partial_function(record, sample, original, chosen)
        out, pullback = ug.vjp(f, *(original[i] for i in chosen))
        cotangent = normal_like(rng, out)
        expected = pullback(cotangent)

        mine, constants = with_own_constants(sample)
        arrays = [x.copy() for x in original]
        f = partial_function(record, mine, arrays, chosen)
        out, pullback = ug.vjp(f, *(arrays[i] for i in chosen))
        overwrite([out, *arrays, *constants])
        for x, y in zip(pullback(cotangent), expected, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("record", "sample"), CASES)
def test_second_derivatives_too(record, sample):
    """Reverse over reverse: both pullbacks are called after all has been written to."""
    rng = np.random.default_rng(zlib.crc32(record.name.encode()))
    original = arrays_of(sample, rng)
    chosen = [0]
    f = partial_function(record, sample, original, chosen)
    weights = normal_like(rng, f(original[0]))

    def slopes(f, to_overwrite):
        def gradient(x, g):
            _, pullback = ug.vjp(f, x)
            overwrite(to_overwrite)
            found = pullback(g)[0]
            overwrite(g if isinstance(g, np.ndarray) else [])
            return found

        return gradient

    _, pullback = ug.vjp(lambda x: slopes(f, [])(x, np.array(weights)), original[0])
    cotangent = normal_like(rng, original[0])
    expected = pullback(cotangent)[0]

    mine, constants = with_own_constants(sample)
    arrays = [x.copy() for x in original]
    f = partial_function(record, mine, arrays, chosen)
    later = [*arrays, *constants]
    _, pullback = ug.vjp(lambda x: slopes(f, later)(x, np.array(weights)), arrays[0])
    found = pullback(cotangent)[0]
    np.testing.assert_array_equal(found, expected)


# Loops as people write them.


@pytest.mark.parametrize("size", [3, LARGE])
def test_a_buffer_that_is_used_again(size):
    def f(x):
        buffer, total = np.zeros(size), 0.0
        for i in range(3):
            buffer[:] = i
            total = total + np.sum(x * buffer)
        return total

    x = np.ones(size)
    assert ug.grad(f)(x).tolist() == [3.0] * size
    assert ug.jvp(f, (x,), (x,))[1] == 3.0 * size
    assert ug.hvp(lambda x: f(x * x) / 2, x, x).tolist() == [3.0] * size
    assert ug.grad(lambda y: np.sum(ug.grad(lambda x: f(x * x * y / 2))(x)))(1.0) == 3.0 * size


def test_a_step_size_that_shrinks():
    def f(x):
        lr, y = np.array([1.0]), x
        for _ in range(3):
            y = y * lr
            lr *= 0.5
        return np.sum(y)

    assert ug.grad(f)(1.0) == 1 / 8
    assert ug.jvp(f, (1.0,), (1.0,))[1] == 1 / 8


def test_one_element_of_a_large_array_is_noticed_and_the_rest_is_stored_once():
    data = np.ones(LARGE)
    kept_by_each_use = []

    def f(x):
        total = 0.0
        for i in range(4):
            data[i // 2] = 5.0  # a change at the uses 0 and 2
            total = total + np.sum(x * data)
        return total

    expected = np.full(LARGE, 4.0)
    expected[:2] = [20.0, 12.0]
    np.testing.assert_array_equal(ug.grad(f)(np.ones(LARGE)), expected)

    def spy(x):
        nonlocal kept_by_each_use
        y = x
        for _ in range(5):
            y = y * data
        kept_by_each_use = [args_of(node) for node in products_below(y.node)]
        return np.sum(y)

    ug.grad(spy)(np.ones(LARGE))
    assert len(kept_by_each_use) == 5
    assert len(set(map(id, kept_by_each_use))) == 1


def args_of(node):
    """The second argument that a product on the tape remembers."""
    return node.pullback.args[2][1]


def products_below(node):
    found = []
    while node.pullback is not None:
        found.append(node)
        (node,) = node.parents
    return found


@pytest.mark.parametrize("n", [3, LARGE])
def test_indices_masks_and_what_contains_them(n):
    x = np.arange(float(n)) + 1
    first, none = np.zeros(1, int), np.zeros(n, bool)
    mask = none.copy()
    mask[0] = True
    for make_key, use in (
        (first.copy, lambda x, key: x[key]),
        (mask.copy, lambda x, key: x[key]),
        (lambda: [0], lambda x, key: x[key]),
        (lambda: (first.copy(),), lambda x, key: x[key]),
        (lambda: (slice(np.array(0), np.array(1)),), lambda x, key: x[key]),
        (first.copy, lambda x, key: np.take(x, key, axis=0)),
        (first.copy, lambda x, key: np.take(x, indices=key)),
        (first.copy, lambda x, key: ug.at(0 * x)[key].add(x[0])),
        (mask.copy, lambda x, key: np.where(key, x, 0.0)),
        (first.copy, lambda x, key: np.take_along_axis(x, key, 0)),
    ):
        key = make_key()
        _, pullback = ug.vjp(lambda x, key=key, use=use: np.sum(use(x, key)), x)
        change(key)
        assert pullback(1.0)[0].tolist() == mask.astype(float).tolist()


def change(key):
    if isinstance(key, list):
        key[:] = [1]
    elif isinstance(key, tuple):
        for part in key:
            change(part)
    elif isinstance(key, slice):
        key.start[...], key.stop[...] = 1, 2
    elif key.dtype == bool:
        key[:] = ~key
    else:
        key[...] = 1


# What is handed in, and what is handed out.


@pytest.mark.parametrize("n", [3, LARGE])
def test_primals_results_and_cotangents(n):
    x = np.full(n, 2.0)
    out, pullback = ug.vjp(lambda x: np.exp(x.reshape(1, -1)[0] * 0) * x, x)
    cotangent = np.ones(n)
    out[:] = np.nan
    x[:] = np.nan
    (first,) = pullback(cotangent)
    assert first.tolist() == [1.0] * n
    first[:] = np.nan
    assert pullback(cotangent)[0].tolist() == [1.0] * n
    assert cotangent.tolist() == [1.0] * n


@pytest.mark.parametrize("n", [3, LARGE])
def test_a_cotangent_that_an_outer_tape_has_seen(n):
    seed = np.ones(n)

    def f(x):
        _, pullback = ug.vjp(lambda y: y * y, x)
        (g,) = pullback(seed)
        seed[:] = 7.0
        return np.sum(g * x)

    assert ug.grad(f)(np.ones(n)).tolist() == [4.0] * n


@pytest.mark.parametrize("n", [3, LARGE])
def test_arguments_that_the_function_itself_writes_to(n):
    x, t = np.ones(n), np.ones(n)

    def f(a):
        x[:], t[:] = 7.0, 7.0
        return a * a

    def results():
        x[:], t[:] = 1.0, 1.0
        yield ug.jvp(f, (x,), (t,))[1]
        x[:] = 1.0
        yield ug.vjp(f, x)[1](np.ones(n))[0]
        x[:] = 1.0
        yield ug.grad(lambda x: np.sum(f(x)))(x)
        x[:], t[:] = 1.0, 1.0
        yield ug.hvp(lambda x: np.sum(f(x)), x, t)

    for found in results():
        assert found.tolist() == [2.0] * n


@pytest.mark.parametrize("n", [3, LARGE])
def test_results_belong_to_the_caller(n):
    x, t = np.ones(n), np.ones(n)
    for f in (lambda x: x, lambda x: x[::-1], lambda x: x + 1, lambda x: x.reshape(-1, 1)):
        for results in (ug.jvp(f, (x,), (t,)), ug.jvp(lambda x, f=f: (f(x), f(x)), (x,), (t,))):
            for leaf in optree.tree_leaves(results):
                leaf[...] = np.nan
        out, pullback = ug.vjp(f, x)
        out[...] = np.nan
        (gradient,) = pullback(np.ones(np.shape(out)))
        gradient[...] = np.nan
    (_, aux), gradient = ug.value_and_grad(lambda x: (np.sum(x), (x, x)), has_aux=True)(x)
    aux[0][:] = np.nan
    gradient[:] = np.nan
    assert (x.tolist(), t.tolist()) == ([1.0] * n, [1.0] * n)


def test_a_value_whose_derivative_is_cut():
    def f(x):
        y = 2 * x
        constant = ug.stop_gradient(y)
        z = y * y
        constant *= 100.0
        return np.sum(z)

    assert ug.grad(f)(np.ones(3)).tolist() == [8.0] * 3


@pytest.mark.parametrize("n", [3, LARGE])
def test_read_only_does_not_mean_constant(n, tmp_path):
    memory = np.ones(n)
    view = memory[:]
    view.flags.writeable = False
    owner = np.ones(n)
    window = owner[:]
    owner.flags.writeable = False
    disk = np.memmap(tmp_path / "x", float, "w+", shape=n)
    disk[:] = 1.0
    read_only = np.memmap(tmp_path / "x", float, "r", shape=n)
    for array, written in ((view, memory), (owner, window), (disk, disk), (read_only, disk)):
        _, pullback = ug.vjp(lambda x, array=array: np.sum(x * array), np.ones(n))
        written[:] = np.nan
        assert pullback(1.0)[0].tolist() == [1.0] * n
        written[:] = 1.0
        _, pullback = ug.vjp(lambda x: np.sum(x * x), array)
        written[:] = np.nan
        assert pullback(1.0)[0].tolist() == [2.0] * n
        written[:] = 1.0


def test_arrays_without_axes_and_of_other_layouts():
    scale = np.array(3.0)
    matrix = np.asfortranarray(np.ones((200, 300)))
    every_second = np.ones((400, 300))[::2]
    for constant in (scale, matrix, every_second, every_second.T, np.ones((200, 300), ">f8")):
        x = np.ones(constant.shape)
        value = constant.flat[0]
        _, pullback = ug.vjp(lambda x, constant=constant: np.sum(x * constant), x)
        constant[...] = np.nan
        np.testing.assert_array_equal(pullback(1.0)[0], np.full(x.shape, value))


# The caller's own rules.


@pytest.mark.parametrize("n", [3, LARGE])
def test_rules_of_ones_own_may_use_their_buffers_again(n):
    buffer = np.empty(n)

    def square(x):
        return np.multiply(x, x, out=buffer)

    def slope(ans, x):
        return np.multiply(2, x, out=buffer) if isinstance(x, np.ndarray) else 2 * x

    def vjp(traced, ans, args, params, g):
        return [np.multiply(slope(ans, args[0]), g, out=buffer)]

    def jvp(traced, ans, args, params, tangents):
        return np.multiply(slope(ans, args[0]), tangents[0], out=buffer)

    def in_place(traced, ans, args, params, g):
        g *= 2
        args[0][:] *= g
        return [args[0]]

    x = np.arange(1.0, n + 1)
    for f in (
        ug.primitive(square, partials=[slope]),
        ug.primitive(square, jvp=jvp, vjp=vjp),
        ug.primitive(square, jvp=jvp, vjp=in_place),
    ):
        gradient = ug.grad(lambda x, f=f: np.sum(f(f(x)) + f(x) * f(2 * x)))(x)
        np.testing.assert_allclose(gradient, 20 * x**3, rtol=1e-15)
        tangent = ug.jvp(lambda x, f=f: f(f(x)) + f(2 * x), (x,), (np.ones(n),))[1]
        np.testing.assert_allclose(tangent, 4 * x**3 + 8 * x, rtol=1e-15)
    assert x.tolist() == list(range(1, n + 1))


def test_a_primitive_that_writes_to_its_argument():
    @ug.primitive(jvp=None, vjp=None, partials=[lambda ans, x: 1.0 + 0 * x])
    def shifted(x):
        x += 1
        return x

    x = np.ones(3)
    gradient = ug.grad(lambda x: np.sum((2 * x) * shifted(2 * x)))(x)
    assert gradient.tolist() == [2 * 3 + 2 * 2] * 3


@pytest.mark.parametrize("n", [3, LARGE])
def test_residuals_and_results_of_a_custom_vjp(n):
    buffer = np.empty(n)

    @ug.custom_vjp
    def square(x):
        return x * x

    def fwd(x):
        np.copyto(buffer, x)
        x *= x
        return x, {"x": buffer, "out": x}

    def bwd(residuals, g):
        residuals["x"] *= 2 * g
        g[:] = np.nan
        return (residuals["x"],)

    square.defvjp(fwd, bwd)
    x = np.arange(1.0, n + 1)
    _, pullback = ug.vjp(lambda x: square(square(x)) * x, x)
    buffer[:] = np.nan
    for _ in range(2):
        np.testing.assert_allclose(pullback(np.ones(n))[0], 5 * x**4, rtol=1e-15)


def test_a_checkpointed_function_that_has_changed_meanwhile_is_refused():
    scales = np.array([1.0, 2.0, 3.0])

    def late(x):
        for i in range(3):
            x = ug.checkpoint(lambda x: np.sin(x * scales[i]))(x)  # noqa: B023  # i is 2 later on
        return x

    def written(x):
        scale = np.ones(1)
        y = ug.checkpoint(lambda x: x * scale)(x)
        scale *= 2
        return np.sum(y)

    noise = np.random.default_rng(0)
    noisy = ug.checkpoint(lambda x: x * noise.normal())
    for f in (late, written, noisy):
        for derive in (ug.grad(f), ug.grad(ug.grad(f))):
            with pytest.raises(ArgumentError, match=r"depends on its arguments alone.*written to"):
                derive(0.5)


def test_a_checkpointed_function_may_write_to_what_it_has_made():
    def f(x, h):
        for _ in range(3):
            h = ug.checkpoint(grow)(x, h)
        return np.sum(h)

    def grow(x, h):
        h += x
        h *= x
        return h

    def plain(x, h):
        for _ in range(3):
            h = (h + x) * x
        return np.sum(h)

    x, h = np.full(3, 2.0), np.ones(3)
    _, pullback = ug.vjp(f, x, h)
    expected = ug.grad(plain, (0, 1))(x, h)
    x[:], h[:] = np.nan, np.nan
    for found, right in zip(pullback(1.0), expected, strict=True):
        assert found.tolist() == right.tolist()


# Networks and games.


@pytest.mark.parametrize("rows", [4, 256])
def test_a_network_whose_batch_and_parameters_are_written_to(rows, rng):
    mlp = ug.nn.MLP((3, 32, 32, 1))
    params, x = mlp.init(rng, np.float64), rng.standard_normal((rows, 3))

    def slopes(params, x):
        def of_x(x):
            _, pullback = ug.vjp(lambda p: np.sum(mlp(p, x) ** 2), params)
            return pullback

        return of_x(x)

    expected = slopes(params, x)(1.0)[0]
    second = ug.vjp(lambda p: slopes(p, x)(1.0)[0], params)[1](params)[0]
    mine, batch = optree.tree_map(np.copy, (params, x))
    pullback = slopes(mine, batch)
    _, back = ug.vjp(lambda p: slopes(p, batch)(1.0)[0], mine)
    optree.tree_map(overwrite, (mine, batch))
    for found, right in ((pullback(1.0)[0], expected), (back(params)[0], second)):
        optree.tree_map(np.testing.assert_array_equal, found, right)


@pytest.mark.parametrize("method", ["tape", "adjoint", "forward"])
def test_a_game_that_uses_its_buffers_again(method):
    buffer = np.empty(2)

    def inner(x, y, batch):
        total = 0.0
        for row in batch:
            buffer[:] = row
            total = total + np.sum(buffer * x * y)
        return total - np.sum(y * y)

    game = ug.unroll.Game(inner, lambda x, y, batch: np.sum(y * y * batch[0]))
    plain = ug.unroll.Game(
        lambda x, y, batch: np.sum(batch.sum(0) * x * y) - np.sum(y * y),
        lambda x, y, batch: np.sum(y * y * batch[0]),
    )
    x, y, batch = np.ones(2), np.full(2, 0.5), {"b": np.array([[1.0, 2.0], [3.0, 4.0]])}["b"]
    options = {"steps": 3, "lr": 0.1, "method": method}
    _, found = ug.unroll.value_and_grad(game, x, y, batch, **options)
    _, expected = ug.unroll.value_and_grad(plain, x, y, batch, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_what_an_unrolled_game_returns_is_no_ones_argument(rng):
    game = ug.gan.Game(ug.nn.MLP((2, 4, 2)), ug.nn.MLP((2, 4, 1)))
    theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    batch = ug.gan.Batch(*rng.standard_normal((2, 8, 2)).astype(np.float32))
    bilinear = ug.unroll.Game(lambda x, y, batch: np.sum(x * y))
    for one, args in (
        (game, (theta_g, theta_d, batch)),
        (bilinear, (np.ones(2), np.ones(2), None)),
    ):
        before = optree.tree_map(np.copy, args)
        options = {"steps": 2, "lr": 0.1}
        results = [
            ug.unroll.trajectory(one, *args, **options).thetas,
            [getattr(ug.unroll.decompose(one, *args, **options), name) for name in FIELDS],
            [ug.unroll.value_and_grad(one, *args, **options, method=m)[1] for m in METHODS],
            ug.unroll.field(one, *args),
        ]
        leaves = optree.tree_leaves(results)
        for leaf in leaves:
            if isinstance(leaf, np.ndarray):
                leaf[...] = np.nan
        optree.tree_map(np.testing.assert_array_equal, args, before)


FIELDS = ("total", "direct", "indirect", "per_step", "trajectory", "grad_theta_d", "grad_lr")
METHODS = ("auto", "tape", "adjoint", "forward", "detached")
