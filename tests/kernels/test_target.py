"""Which machine is which, and what is rounded up to what."""

import llvmlite.binding as llvm
import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import target
from tinygrad_ugan.kernels.target import PLAIN, emulated_target, host_target

AVX512 = {"avx512f", "avx512dq", "avx512vl", "fma", "avx2"}


@pytest.fixture
def machine(monkeypatch):
    """Call this to be on another machine."""

    def become(name, features):
        listed = dict.fromkeys((*AVX512, "neon"), False) | dict.fromkeys(features, True)
        monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: listed)
        monkeypatch.setattr("platform.machine", lambda: name)

    return become


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("x86_64", AVX512, "avx512"),
        ("x86_64", AVX512 - {"avx512vl"}, "avx2"),
        ("x86_64", {"avx2"}, "generic"),
        ("x86_64", set(), "generic"),
        ("aarch64", set(), "neon"),
        ("arm64", set(), "neon"),
        ("riscv64", {"neon"}, "neon"),
        ("riscv64", set(), "generic"),
    ],
)
def test_the_best_that_the_machine_has(machine, name, features, expected):
    machine(name, features)
    assert host_target.__wrapped__().name == expected


def test_an_emulated_target_has_no_wider_registers(machine):
    machine("x86_64", AVX512)
    kept = set(emulated_target.__wrapped__("avx2").features.split(","))
    assert kept == {"-avx512f", "-avx512dq", "-avx512vl", "+fma", "+avx2", "-neon"}
    assert "+avx512f" in emulated_target.__wrapped__("avx512").features
    assert "+" not in emulated_target.__wrapped__("generic").features.replace("+neon", "")


@pytest.mark.parametrize(("features", "has_fma"), [(set(), False), ({"fma"}, True), (AVX512, True)])
def test_multiply_adds_are_one_instruction_where_there_is_one(machine, features, has_fma):
    machine("x86_64", features)
    assert host_target.__wrapped__().has_fma == has_fma
    assert emulated_target.__wrapped__("avx2").has_fma
    assert not emulated_target.__wrapped__("generic").has_fma


def test_the_tiles_leave_registers_for_operands():
    registers = {"avx512": 32, "avx2": 16, "neon": 32, "generic": 16}
    for name, _, (_, heights, vectors) in target._TARGETS:
        assert max(heights) * vectors + vectors + 1 + (name == "generic") <= registers[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("machine", [*TARGETS.values(), PLAIN], ids=[*TARGETS, "plain"])
def test_padded_is_the_next_whole_vector_and_tile(machine, dtype):
    lanes = machine.vector_bytes // np.dtype(dtype).itemsize
    assert machine.lanes(dtype) == lanes
    for width in range(1, 100):
        padded = machine.padded(width, dtype)
        assert padded % lanes == padded % machine.tile_rows == 0
        assert width <= padded < width + max(lanes, machine.tile_rows)
