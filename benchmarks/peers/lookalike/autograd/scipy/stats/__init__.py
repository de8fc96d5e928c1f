"""This library's distributions, and SciPy's for what is no density, such as random numbers."""

import sys

from scipy import stats as _scipy

from tinygrad_ugan import stats as _ours


class _Distribution:
    def __init__(self, name):
        self._both = [getattr(module, name) for module in (_ours, _scipy)]

    def __getattr__(self, name):
        return next(getattr(x, name) for x in self._both if hasattr(x, name))


for _name in {*_ours.__all__} & {*_scipy.__all__}:
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _Distribution(_name)
