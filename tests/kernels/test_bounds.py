"""No sweep reads or writes behind its memory or the caller's arrays: the next page is forbidden.

What lies between the arrays of a program is watched kernel by kernel, in `test_statements`.
"""

import ctypes
import mmap
import subprocess
import sys
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import given

from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import distance, settings
from tinygrad_ugan.kernels import program, sweep_program

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


def run_guarded(target):
    """Random sweeps on memory that ends before forbidden pages, `numpy.empty` included."""

    def aligned(size):
        return before_a_forbidden_page(-(-size // 64) * 64, np.uint8)

    class Numpy(SimpleNamespace):
        def __getattr__(self, name):
            return getattr(np, name)

    def guarded(x):
        x = np.asarray(x)
        copy = before_a_forbidden_page(x.shape, x.dtype)
        copy[...] = x
        return copy

    program.aligned = aligned
    sweep_program.np = Numpy(empty=before_a_forbidden_page, ascontiguousarray=guarded)

    @hypothesis.settings(max_examples=hypothesis.settings().max_examples // 5)
    @given(setting=settings())
    def run(setting):
        _, gradient = setting.run(target)
        assert distance(gradient, setting.expected()[1]) < 1e-12
        setting.run(target, np.float32)

    run()


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
def test_a_forbidden_page_is_forbidden():
    code = """
from tests.kernels.test_bounds import before_a_forbidden_page
array = before_a_forbidden_page((3,))
array[2] = 1
print(array.ctypes.data_as(__import__("ctypes").POINTER(__import__("ctypes").c_double))[3])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode < 0
