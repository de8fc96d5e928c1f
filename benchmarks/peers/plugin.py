"""A pytest plugin: leaves out what `left_out` names, and what checks nothing but complex points."""

from pathlib import Path

import left_out
import pytest


def pytest_ignore_collect(collection_path):
    """Do not read a file that is left out as a whole: it may import what is not there."""
    return collection_path.stem in left_out.FILES or None


def pytest_collection_modifyitems(config, items):
    """Skip the tests that are left out, each with its reason."""
    for item in items:
        name = f"{Path(item.fspath).stem}::{item.originalname}"
        reason = left_out.reason(name)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip a test after it ran if every point that it checks is complex."""
    from autograd import test_util

    test_util.points.clear()
    result = yield
    if test_util.points["complex"] and not test_util.points["real"]:
        pytest.skip("complex points only")
    return result
