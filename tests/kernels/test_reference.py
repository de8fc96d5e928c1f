"""Every kernel, on every target, against its reference; and that it writes nothing else."""

import ctypes
import inspect

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import (
    kernel,
    losses,
    narrow,
    one_hidden_layer,
    parameters,
    philox,
    plain,
    products,
)
from tinygrad_ugan.kernels.activations import ACTIVATIONS
from tinygrad_ugan.kernels.reference import REFERENCES, ArrayLayout, layers, registry
from tinygrad_ugan.kernels.reference import losses as stated_losses
from tinygrad_ugan.kernels.target import PLAIN

ALL_TARGETS = TARGETS | {"plain": PLAIN}
KERNELS = {
    name: f
    for module in (products, narrow, one_hidden_layer, losses, parameters, philox)
    for name, f in inspect.getmembers(module, inspect.isfunction)
    if f.__module__ == module.__name__
    and kernel.parameters(f)
    and "rows" not in kernel.parameters(f)
    and not name.startswith("_")
}
GUARD = 40  # elements before, between and after the arrays
CODES = {"activation": layers.ACTIVATIONS, "function": stated_losses.FUNCTIONS}


def test_every_kernel_is_stated_and_every_statement_emitted():
    assert set(KERNELS) == set(REFERENCES)


class Case:
    """Arguments of a kernel, in memory of which every element but the arrays is NaN or a number.

    What is read from there shows by NaN, and what is added there by the number.
    """

    def __init__(self, draw, name, target, dtype):
        self.emit, self.reference = KERNELS[name], REFERENCES[name]
        self.target, self.dtype = target, np.dtype(dtype)
        self.kinds = kernel.parameters(self.emit)
        self.exact = self.emit.__module__ == parameters.__name__  # pads are its own business
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        names = [n for n in inspect.signature(self.emit).parameters if n not in self.kinds]
        statics = STATICS | {"digits": st.just(philox.DIGITS[self.dtype])}
        self.statics = {n: draw(statics[n]) for n in names[1:]}
        self.numbers = {n: x for n, x in self.statics.items() if isinstance(x, int)}
        self._draw_counts(draw)
        self._draw_strides(draw)
        self._allocate(draw(st.sampled_from([np.nan, 7.0])))

    def _draw_counts(self, draw):
        unit = self.target.padded(1, self.dtype)
        lanes, tile = self.target.lanes(self.dtype), self.target.tile_rows
        size = st.integers(1, 40)
        any_rows = self.exact and self.emit is not parameters.zero
        few = st.integers(1, 3)
        if self.emit is philox.normal:
            self.numbers["rows"] = draw(few)
        else:
            self.numbers["rows"] = draw(size) if any_rows else unit * draw(few)
        counts = {
            "n": size if self.exact else st.integers(1, 40 // lanes).map(lambda i: i * lanes),
            "m": st.integers(1, 40 // tile).map(lambda i: i * tile),
            "depth": st.integers(1, 50),
            "groups": st.integers(1, 4),
            "first": st.integers(0, 5),
            "count": st.integers(5, 60),
            "key": st.integers(-(2**63), 2**63 - 1),
        }
        for name, numbers in counts.items():
            if name in self.kinds:
                self.numbers[name] = draw(numbers)

    def _draw_strides(self, draw):
        extra = {}
        for layout in self.reference.layouts.values():
            needed = 1
            shape = self._padded(layout)
            for name, length in zip(reversed(layout.strides), reversed(shape), strict=False):
                if name == "n" or name.isdigit():  # a caller's array, without pads
                    break
                extra.setdefault(name, draw(st.integers(0, 20)))
                needed = length * needed + extra[name]
                self.numbers[name] = needed = max(self.numbers.get(name, 0), needed)

    def _padded(self, layout):
        """The shape with pads, in which whatever a kernel does must keep zeros."""
        shape, _ = layout.resolve({**dict.fromkeys(layout.strides, 0), **self.numbers})
        if shape == (1,) or shape[-1] == self.numbers.get("width") or "n" in layout.strides:
            return shape
        return tuple(self.target.padded(length, self.dtype) for length in shape)

    def _allocate(self, guard):
        self.places, end = {}, GUARD
        for name, layout in self.reference.layouts.items():
            padded = self._padded(layout)
            _, strides = layout.resolve(self.numbers)
            self.places[name] = end
            end += 1 + sum((length - 1) * s for length, s in zip(padded, strides, strict=True))
            end += GUARD
        self.memory = np.full(end, guard, self.dtype)
        for name, layout in self.reference.layouts.items():
            self.view(self.memory, name, self._padded(layout))[:] = 0
            shape, _ = layout.resolve(self.numbers)
            self.view(self.memory, name)[:] = self._values(name, shape)

    def _values(self, name, shape):
        positive = self.statics.get("activation") in ("softplus", "sigmoid")
        # h is what the activation can give; a mean of squares has a root
        low = 0.1 if name in ("square", "scalars") or (name == "h" and positive) else -0.9
        values = self.rng.uniform(low, 0.9, shape)
        if name == "t":  # a logit, on both sides of where an objective has a corner
            values *= 3
        if name == "weight":
            values[self.rng.uniform(size=shape) < 0.2] = 0
        return values

    def view(self, memory, name, shape=None):
        """An array in a copy of the memory."""
        own, strides = self.reference.layouts[name].resolve(self.numbers)
        itemsize = memory.itemsize
        return np.lib.stride_tricks.as_strided(
            memory[self.places[name] :], shape or own, [itemsize * s for s in strides]
        )

    def run_kernel(self):
        """The memory after the kernel."""
        memory = self.memory.copy()
        slots = np.zeros(kernel.MAX_ARGUMENTS, np.int64)
        arguments = np.zeros(kernel.MAX_ARGUMENTS, np.int64)
        for i, (name, kind) in enumerate(self.kinds.items()):
            if kind == "Count":
                arguments[i] = self.numbers[name]
                continue
            if kind == "IntSlot":
                slots[i] = self.numbers[name]
            else:
                slots[i] = memory.ctypes.data + self.places[name] * memory.itemsize
            arguments[i] = slots[i] if kind == "Address" else slots.ctypes.data + 8 * i
        code = kernel.load(self.emit, tuple(self.statics.values()), self.target, self.dtype)
        if self.target == PLAIN:
            plain.KERNELS[code](arguments.tolist(), self.numbers["rows"])
        else:
            function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(code)
            function(arguments.ctypes.data, self.numbers["rows"])
        return memory

    def run_statement(self):
        """The memory after the reference, in float64."""
        memory = self.memory.astype(np.float64)
        codes = {n: CODES[n].index(x) for n, x in self.statics.items() if n in CODES}
        known = {**self.numbers, **self.statics, **codes}
        self.reference.function(
            *(
                self.view(memory, name) if name in self.reference.layouts else known[name]
                for name in self.reference.names
            )
        )
        return memory


STATICS = {
    "activation": st.sampled_from(layers.ACTIVATIONS),
    "function": st.sampled_from(stated_losses.FUNCTIONS),
    "has_tangent": st.booleans(),
    "width": st.integers(1, narrow.NARROW),
}


def test_an_operand_is_read_from_its_names():
    assert ArrayLayout.parse("n") == ArrayLayout(("n",), ())
    assert ArrayLayout.parse("rows n ld") == ArrayLayout(("rows", "n"), ("ld",))
    partial = ArrayLayout.parse("groups rows+first 7 stride ld")
    known = {"groups": 2, "rows": 3, "first": 4, "stride": 90, "ld": 8}
    assert partial.resolve(known) == ((2, 7, 7), (90, 8, 1))


def test_what_is_stated_and_what_helps_is_entered(monkeypatch):
    monkeypatch.setattr(registry, "REFERENCES", {})
    monkeypatch.setattr(registry, "HELPERS", [])

    def twice(scale, x): ...

    assert registry.helper(twice) is twice
    assert [twice] == registry.HELPERS
    assert registry.reference(x="rows n ld")(twice) is twice
    (entered,) = registry.REFERENCES.values()
    assert registry.REFERENCES.keys() == {"twice"}
    assert (entered.function, entered.names) == (twice, ["scale", "x"])
    assert entered.layouts == {"x": ArrayLayout(("rows", "n"), ("ld",))}


def test_names_are_known_to_the_statements():
    assert set(layers.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(stated_losses.FUNCTIONS) == set(losses.OBJECTIVES)


@pytest.mark.parametrize("target", ALL_TARGETS.values(), ids=list(ALL_TARGETS))
@pytest.mark.parametrize("name", KERNELS)
@hypothesis.settings(max_examples=hypothesis.settings().max_examples // 5)
@given(data=st.data(), dtype=st.sampled_from([np.float32, np.float64]))
def test_kernels_do_what_is_stated(name, target, dtype, data):
    case = Case(data.draw, name, target, dtype)
    got, expected = case.run_kernel(), case.run_statement()
    stays = np.isnan(expected) | (expected == case.memory)  # which all pads and guards do
    np.testing.assert_array_equal(got[stays], case.memory[stays])
    terms = sum(case.numbers.get(n, 0) for n in ("depth", "rows", "n", "groups")) + 10
    allowed = terms * np.finfo(dtype).eps * np.maximum(1, np.abs(expected[~stays]))
    assert np.all(np.abs(got[~stays] - expected[~stays]) <= allowed)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_flaws_are_found_wherever_they_are(target, bad):
    code = kernel.load(parameters.check_finite, (), target, np.float64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(code)
    rows, n, ld = 3, 9, 16
    for place in [None, *np.ndindex(rows, n)]:
        x, out = np.zeros((rows, ld)), np.zeros(1)
        x[:, :n] = -1e300
        if place is not None:
            x[place] = bad
        arguments = np.array([x.ctypes.data, ld, out.ctypes.data, n], np.int64)
        function(arguments.ctypes.data, rows)
        assert np.isfinite(out[0]) == (place is None)
