"""No sweep reads or writes behind its memory or the caller's arrays: the next page is forbidden.

What lies between the arrays of a program is watched kernel by kernel, in `test_reference`.
"""

import ctypes
import mmap
import subprocess
import sys
from types import SimpleNamespace

import hypothesis
import numpy as np
import optree
import pytest
from hypothesis import given

from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import Setting, distance, flat, settings
from tinygrad_ugan import gan, nn
from tinygrad_ugan.kernels import addresses, program
from tinygrad_ugan.kernels.sweep_program import SweepProgram

_NOT_AT_ALL = 0  # PROT_NONE
_kept = []  # a page that were given back could be anything


def before_a_forbidden_page(shape, dtype=np.float64):
    """An array of zeros whose last byte is the last one that may be touched."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, pages + mmap.PAGESIZE)
    _kept.append(memory)
    whole = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    guard = ctypes.c_void_p(whole.ctypes.data + pages)
    assert libc.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), _NOT_AT_ALL) == 0
    return whole[pages - size : pages].view(dtype).reshape(shape)


def replace(module, name, value):
    """Put something in the place of what must be there."""
    assert hasattr(module, name)
    setattr(module, name, value)


def guarded(x):
    """A copy before a forbidden page."""
    copy = before_a_forbidden_page(x.shape, x.dtype)
    copy[...] = x
    return copy


def guard():
    """From now on sweeps have memory, arrays given and arrays returned before forbidden pages."""

    class Numpy(SimpleNamespace):
        def __getattr__(self, name):
            return getattr(np, name)

    inputs = Setting.inputs
    replace(program, "aligned", lambda size: before_a_forbidden_page(-(-size // 64) * 64, np.uint8))
    replace(addresses, "np", Numpy(empty=before_a_forbidden_page))
    replace(Setting, "inputs", lambda *arguments: optree.tree_map(guarded, inputs(*arguments)))


def run_guarded(target):
    """Random sweeps."""
    guard()

    @hypothesis.settings(max_examples=hypothesis.settings().max_examples // 5)
    @given(setting=settings())
    def run(setting):
        _, gradient = setting.run(target)
        assert distance(gradient, setting.expected()[1]) < 1e-12
        setting.run(target, np.float32)

    run()


def overstep(target, what):
    """A sweep that is given, or returns, a shorter array than it is made for, unchecked."""
    guard()
    replace(addresses.ArraySignature, "check", lambda self, arrays: None)
    setting = Setting(gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 1))), real=40, fake=40, steps=1)
    theta_g, theta_d, batch = setting.inputs()
    swept = SweepProgram(setting.sweep(), target, np.float64)
    memory = swept._executable._memory
    assert (memory.ctypes.data + memory.nbytes) % mmap.PAGESIZE == 0
    if what == "given":
        batch = batch._replace(real=guarded(batch.real[:20]))
    else:
        addresses.np.empty = lambda shape, dtype: before_a_forbidden_page(1, dtype)
    print("ready", flush=True)
    swept.run(flat(theta_g), flat(theta_d), [batch.real], [batch.noise], np.full((1, 1), 0.1))


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_behind_the_arrays_is_touched(target):
    code = f"""
import tests.conftest
from tests.kernels.test_bounds import TARGETS, run_guarded
run_guarded(TARGETS[{target!r}])
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("what", ["given", "returned"])
@pytest.mark.parametrize("target", TARGETS)
def test_it_would_be_seen(target, what):
    code = f"""
from tests.kernels.test_bounds import TARGETS, overstep
overstep(TARGETS[{target!r}], {what!r})
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.stdout == b"ready\n"
    assert done.returncode < 0  # ended by the system
