"""Programs run by the reference functions, where that differs from the kernels."""

import subprocess
import sys

import numba
import numpy as np
import pytest

from tinygrad_ugan.kernels import plain


def test_vector_kernels_do_not_import_numba():
    code = "import sys, tinygrad_ugan.kernels.sweep_program; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_memory_is_a_view():
    x = np.arange(12.0)
    view = plain.memory(x.ctypes.data + 8, (2, 3), (5, 1), x.dtype)
    np.testing.assert_array_equal(view, [[1, 2, 3], [6, 7, 8]])
    view[1, 2] = -1
    assert x[8] == -1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiles_where_nothing_can_be_kept(monkeypatch, dtype):
    compile_really = numba.njit

    def njit(signature, cache=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_really(signature)

    monkeypatch.setattr(plain.numba, "njit", njit)
    x, out = np.ones((2, 3), dtype), np.zeros((2, 3), dtype)
    plain.compiled.__wrapped__("scaled", np.dtype(dtype))(x, np.full(1, 2, dtype), out)
    assert (out == 2).all()
