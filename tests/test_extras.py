import json

import pytest

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.extras import import_extra


def test_what_is_installed_is_imported():
    assert import_extra("json", "sweep") is json


def test_what_is_not_is_named_with_its_extra():
    with pytest.raises(ArgumentError, match=r"none\.such: .*pip install 'tinygrad_ugan\[sweep\]'"):
        import_extra("none.such", "sweep")
