"""JSON of the wrong shape is refused, and the place is named."""

import math

import pytest

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import json_schema as js

SHAPE = js.record(
    step=js.whole(most=9),
    seconds=js.seconds,
    rows=js.list_of(js.record(value=js.number)),
    names=js.table_of(js.text),
    version=js.exactly(2),
)
GOOD = {"step": 3, "seconds": 0.5, "rows": [{"value": "nan"}], "names": {"a": "b"}, "version": 2}


def test_what_has_the_shape_is_returned():
    found = SHAPE("", GOOD)
    assert math.isnan(found["rows"][0].pop("value"))
    assert found == GOOD | {"rows": [{}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": 10}, "step: expected a whole number from 0 to 9, got 10"),
        ({"step": True}, "step: expected a whole number from 0 to 9, got True"),
        ({"seconds": -1}, "seconds: expected a number >= 0, got -1"),
        ({"seconds": "inf"}, "seconds: expected a number >= 0, got 'inf'"),
        ({"rows": {}}, "rows: expected a list, got {}"),
        ({"rows": [{"value": 1}, {}]}, r"rows\[1\].value: expected a value, got nothing"),
        ({"rows": [{"value": 10**400}]}, r"rows\[0\].value: expected a number"),
        ({"names": {"a": 1}}, "names.a: expected a string, got 1"),
        ({"version": 2.0}, "version: expected 2, got 2.0"),
        ({"more": 1}, "more: expected no such name, got a value"),
    ],
)
def test_what_has_not_is_named(changes, words):
    with pytest.raises(ArgumentError, match=words):
        SHAPE("", GOOD | changes)


@pytest.mark.parametrize("text", ["{", b"\xff", "[" * 100_000, '{"a": 1, "a": 1}'])
def test_what_is_no_json(text):
    with pytest.raises(ArgumentError, match="settings: expected JSON"):
        js.parse("settings", text)


def test_nested_names_must_be_the_same():
    js.same_names("", {"a": {"b": 1}}, {"a": {"b": 2}})
    with pytest.raises(ArgumentError, match=r"a\.b: expected a value, got nothing"):
        js.same_names("", {"a": {"b": 1}}, {"a": {}})
