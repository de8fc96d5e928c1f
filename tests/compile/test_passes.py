import numpy as np

from tests.compile.programs import check_pass
from tinygrad_ugan.compile.passes import improved


def test_each_pass_leaves_work_to_the_next():
    def f(x):
        y = np.transpose(np.transpose(np.sin(x)))
        return y * np.sin(x)

    check_pass(improved, f, np.ones((2, 3)), to=["sin", "multiply"])
