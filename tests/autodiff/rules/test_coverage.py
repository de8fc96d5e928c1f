"""The functions that the table must know, group by group."""

import numpy as np
import pytest

from tinygrad_ugan import Tensor
from tinygrad_ugan.autodiff.rules import CONSTANTS, IN_PLACE, TABLE

SHAPE = """
    reshape ravel transpose matrix_transpose swapaxes moveaxis rollaxis expand_dims squeeze
    broadcast_to broadcast_arrays concatenate append stack vstack hstack dstack column_stack split
    array_split hsplit vsplit dsplit tile repeat flip fliplr flipud rot90 roll pad diag diagonal
    diagflat tril triu atleast_1d atleast_2d atleast_3d meshgrid block copy
"""
PICKING = "take take_along_axis delete insert sort partition argsort argpartition unique"
CALCULUS = "diff gradient trapezoid convolve interp"
PRODUCTS = "matmul dot vdot inner outer tensordot einsum kron cross trace"
LINALG = """
    inv pinv solve lstsq det slogdet cholesky eigh eigvalsh svd qr norm matrix_power multi_dot
    matrix_rank matmul outer cross vecdot trace diagonal matrix_transpose svdvals matrix_norm
    vector_norm tensordot
"""
STANDARD = "vecdot cumulative_sum cumulative_prod unstack concat permute_dims acos asin atan pow"
GROUPS = (SHAPE, PICKING, CALCULUS, PRODUCTS, STANDARD)
IN_PLACE_NAMES = "put put_along_axis place putmask copyto fill_diagonal"
METHODS = """
    T mT argpartition argsort astype copy diagonal dot dtype fill flatten item itemsize max mean min
    nbytes ndim nonzero partition put ravel repeat reshape searchsorted shape size sort squeeze sum
    swapaxes take tolist trace transpose
"""


@pytest.mark.parametrize("name", " ".join(GROUPS).split())
def test_function_has_a_record(name):
    function = getattr(np, name)
    assert function in TABLE or function in CONSTANTS


@pytest.mark.parametrize("name", LINALG.split())
def test_function_of_linalg_has_a_record(name):
    function = getattr(np.linalg, name)
    assert function in TABLE or function in CONSTANTS


@pytest.mark.parametrize("name", IN_PLACE_NAMES.split())
def test_function_that_writes_is_refused(name):
    assert getattr(np, name) in IN_PLACE


@pytest.mark.parametrize("name", METHODS.split())
def test_tensor_has_the_method(name):
    assert hasattr(Tensor, name)
