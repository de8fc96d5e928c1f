"""Convolutions against the definition, a loop over single products, and all their derivatives."""

import itertools

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import dot, relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.nn import convolution

#: Images or signals, kernel, stride, padding, dilation.
SETTINGS = [
    ((5, 7), (3, 3), 1, "same", 1),
    ((5, 7), (2, 3), 2, "same", 1),
    ((8, 8), (4, 4), 2, "same", 1),
    ((7, 6), (3, 2), (3, 2), "valid", 1),
    ((5, 6), (3, 3), (1, 2), (2, 1), (2, 1)),
    ((9, 4), (2, 2), 3, 1, 2),
    ((1, 1), (1, 1), 1, "same", 1),
    ((2, 2), (1, 1), 3, "same", 1),
    ((9,), (3,), 1, "same", 1),
    ((8,), (5,), 2, "valid", 1),
    ((7,), (3,), 3, (4,), (3,)),
]


def paddings(size, kernel, stride, padding, dilation):
    """Zeros ahead of every axis, and the number of places, as TensorFlow and PyTorch have them."""
    numbers = np.broadcast_arrays(size, kernel, stride, dilation)
    for axis, (n, k, s, d) in enumerate(zip(*numbers, strict=True)):
        span = d * (k - 1) + 1
        if padding == "same":
            count = -(-n // s)
            yield max((count - 1) * s + span - n, 0) // 2, count
        else:
            p = 0 if padding == "valid" else np.broadcast_to(padding, len(size))[axis]
            yield p, (n + 2 * p - span) // s + 1


def definition(x, w, stride, padding, dilation):
    axes = w.ndim - 2
    before, counts = zip(
        *paddings(x.shape[1:-1], w.shape[:axes], stride, padding, dilation), strict=True
    )
    stride, dilation = (np.broadcast_to(v, axes) for v in (stride, dilation))
    y = np.zeros((len(x), *counts, w.shape[-1]))
    for i in itertools.product(*map(range, counts)):
        for a in itertools.product(*map(range, w.shape[:axes])):
            place = np.array(i) * stride + np.array(a) * dilation - before
            if np.all((place >= 0) & (place < x.shape[1:-1])):
                y[:, *i] += x[:, *place] @ w[a]
    return y


def drawn(rng, size, kernel, n=2, dtype=np.float64):
    shapes = (n, *size, 3), (*kernel, 3, 2)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("setting", SETTINGS)
def test_is_the_definition(setting, rng):
    size, kernel, *how = setting
    x, w = drawn(rng, size, kernel)
    np.testing.assert_allclose(nn.conv(x, w, *how), definition(x, w, *how), atol=1e-13)
    one = nn.conv(x[:1], w, *how)
    np.testing.assert_allclose(one, definition(x[:1], w, *how), atol=1e-13)
    single = nn.conv(np.float32(x), np.float32(w), *how)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, definition(x, w, *how), atol=1e-4)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_transpose_is_the_transpose(setting, rng):
    """Of the convolution of the smallest images that have such a result; for "same", by strides."""
    size, kernel, *how = setting
    w = drawn(rng, size, kernel)[1]
    y = rng.standard_normal((2, *size, 2))
    x = nn.conv_transpose(y, w, *how)
    if how[1] == "same":
        assert x.shape[1:-1] == tuple(
            n * s for n, s in zip(size, np.broadcast_to(how[0], len(size)), strict=True)
        )
    other = rng.standard_normal(x.shape)
    there = nn.conv(other, w, *how)
    assert there.shape == y.shape
    np.testing.assert_allclose(dot(there, y), dot(other, x), rtol=1e-12)
    assert nn.conv_transpose(np.float32(y), np.float32(w), *how).dtype == np.float32


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_transpose_knows_the_size(setting, rng):
    """It is the pullback of the convolution, whatever the extents of the images."""
    size, kernel, *how = setting
    x, w = drawn(rng, size, kernel)
    y, pullback = ug.vjp(lambda x: nn.conv(x, w, *how), x)
    found = nn.conv_transpose(np.cos(y), w, *how, size=size)
    np.testing.assert_allclose(found, pullback(np.cos(y))[0], atol=1e-13)
    layer = nn.ConvTranspose(2, 3, kernel, *how, size=size)
    assert layer(layer.init(rng, np.float64), y).shape == x.shape


@pytest.mark.parametrize("f", [nn.conv, nn.conv_transpose])
@pytest.mark.parametrize("setting", SETTINGS)
def test_to_third_order(setting, f, rng):
    size, kernel, *how = setting
    x, w = drawn(rng, size, kernel, n=1)
    if f is nn.conv_transpose:
        w = np.swapaxes(w, -1, -2)
    x, w = 0.5 * x, 0.5 * w  # third differences of products of four
    check_modes(lambda x, w: f(x, w, *how), (x, w), rng, order=3)


def test_mixed_precision_keeps_every_argument_its_own(rng):
    x, w = drawn(rng, (4, 4), (3, 3))
    gx, gw = ug.grad(lambda x, w: np.sum(nn.conv(x, w) ** 2), argnums=(0, 1))(np.float32(x), w)
    assert (gx.dtype, gw.dtype) == (np.float32, np.float64)


def test_blocks_of_images_are_as_good_as_all(rng, monkeypatch):
    x, w = drawn(rng, (5, 7), (3, 3), n=7)

    def f(x, w):
        y, pullback = ug.vjp(lambda x, w: nn.conv(x, w, stride=2), x, w)
        return [y, *pullback(np.cos(y))]

    whole = f(x, w)
    for elements in (1, 3 * 4 * 4 * 27):
        monkeypatch.setattr(convolution, "BLOCK", elements)
        assert relative_error(f(x, w), whole) < 1e-15


@pytest.mark.parametrize("setting", [SETTINGS[1], SETTINGS[4], SETTINGS[9]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_to_second_order(setting, dtype, rng):
    size, kernel, *how = setting
    x, w = drawn(rng, size, kernel, dtype=dtype)

    def penalty(x, w):
        """The slope of the slope, as of a discriminator."""

        def value(x):
            return np.sum(np.tanh(nn.conv(x, w, *how)))

        return np.sum(np.cos(ug.grad(value)(x)))

    gradient = ug.grad(penalty, argnums=(0, 1))
    tolerance = 50 * np.finfo(dtype).eps
    assert relative_error(ug.compile(gradient)(x, w), gradient(x, w)) < tolerance


def test_compiled_programs_share_windows(rng):
    """Those of the convolution are those of the gradient of its weights."""
    x, w = drawn(rng, (5, 7), (3, 3))
    gradient = ug.compile(ug.grad(lambda w: np.sum(np.tanh(nn.conv(x, w)))))
    assert str(gradient.program(w)).count("gather") <= 1
    product = ug.compile(lambda w, x: ug.hvp(lambda w: np.sum(np.tanh(nn.conv(x, w))), w, w))
    assert "convolve" not in str(product.program(w, x))
    shared = ug.compile(ug.grad(lambda w, x: np.sum(np.tanh(nn.conv(x, w)))))
    assert str(shared.program(w, x)).count("= gather") == 1


@pytest.mark.parametrize(
    ("x", "w", "how", "argument"),
    [
        ((0, 5, 5, 3), (3, 3, 3, 2), {}, "x"),
        ((2, 0, 5, 3), (3, 3, 3, 2), {}, "x"),
        ((2, 5, 5, 4), (3, 3, 3, 2), {}, "x"),
        ((2, 5, 3), (3, 3, 3, 2), {}, "x"),
        ((2, 5, 5, 3), (3, 2), {}, "w"),
        ((2, 5, 5, 3), (3, 0, 3, 2), {}, "w"),
        ((2, 2, 5, 3), (3, 3, 3, 2), {"padding": "valid"}, "x"),
        ((2, 5, 5, 3), (3, 3, 3, 2), {"stride": 0}, "stride"),
        ((2, 5, 5, 3), (3, 3, 3, 2), {"stride": (1, 1, 1)}, "stride"),
        ((2, 5, 5, 3), (3, 3, 3, 2), {"dilation": 1.5}, "dilation"),
        ((2, 5, 5, 3), (3, 3, 3, 2), {"padding": -1}, "padding"),
        ((2, 5, 5, 3), (3, 3, 3, 2), {"padding": "full"}, "padding"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(x, w, how, argument):
    with pytest.raises(ArgumentError, match=f"^{argument}: expected"):
        nn.conv(np.ones(x), np.ones(w), **how)


def test_other_kinds_of_arrays_are_refused():
    w = np.ones((3, 3, 1, 1))
    with pytest.raises(ArgumentTypeError, match="astype"):
        nn.conv(np.ones((1, 5, 5, 1), np.uint8), w)
    with pytest.raises(ArgumentTypeError, match=r"^w: .*astype"):
        nn.conv(np.ones((1, 5, 5, 1)), w.astype(np.float16))
    with pytest.raises(ArgumentTypeError, match="NumPy array"):
        nn.conv([[[[1.0]]]], w)
    with pytest.raises(ArgumentError, match="padding"):
        nn.conv_transpose(np.ones((1, 1, 1, 1)), w, padding=2)
    with pytest.raises(ArgumentError, match="size: expected one whose convolution gives"):
        nn.conv_transpose(np.ones((1, 4, 4, 1)), w, stride=2, size=9)
    with pytest.raises(ArgumentError, match="size"):
        nn.ConvTranspose(1, 1, 3, size=(4,))


@pytest.mark.parametrize("kernel", [3, (2, 3), (4,)])
def test_layers_are_their_functions(kernel, rng):
    axes = len(kernel) if isinstance(kernel, tuple) else 2
    for layer, f in ((nn.Conv, nn.conv), (nn.ConvTranspose, nn.conv_transpose)):
        net = layer(3, 2, kernel, stride=2, padding=1)
        params = net.init(rng, np.float64)
        params["b"] = rng.standard_normal(2)
        x = rng.standard_normal((2, *(5,) * axes, 3))
        np.testing.assert_array_equal(net(params, x), f(x, params["w"], 2, 1) + params["b"])
        assert net.init(rng)["w"].dtype == np.float32
        with pytest.raises(ArgumentError, match=r"^params"):
            net({**params, "b": np.ones(3)}, x)


def test_weights_are_drawn_by_windows():
    """A window of the input is a row of what the initializer sees, for both layers."""
    for layer, axes in ((nn.Conv, (0, 1, 2, 3)), (nn.ConvTranspose, (0, 1, 3, 2))):
        w = layer(4, 2, 3).init(np.random.default_rng(0), np.float64)["w"]
        matrix = w.transpose(axes).reshape(-1, 2)
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(2), atol=1e-14)


@pytest.mark.parametrize(
    "settings",
    [{"in_channels": 0}, {"kernel": ()}, {"kernel": (3, 3, 3)}, {"stride": (1,)}, {"padding": "x"}],
)
def test_settings_of_layers_are_checked(settings):
    with pytest.raises(ArgumentError):
        nn.Conv(**{"in_channels": 1, "out_channels": 2, "kernel": 3, **settings})
