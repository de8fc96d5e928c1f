"""The mutator of the source: it finds the places and breaks one at a time."""

import types

import pytest

from tests.mutate_source import mutants

SOURCE = '''
def middle(a: "1 + 1", b):
    """Not 1 + 1."""
    if a > b:
        raise ValueError(f"{a + b}")
    return (a + b) / 2


class Counter:
    def count(self, xs):
        xs.append(0)
        return max(xs, 3) if not xs else len(xs) - 1
'''


@pytest.fixture
def found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    return list(mutants(path))


def test_slips(found):
    assert [(mutant.place[2], mutant.slip) for mutant in found] == [
        ("middle", "not (a > b)"),
        ("middle", "a > b -> a >= b"),
        ("middle", "(a + b) / 2 -> (a + b) * 2"),
        ("middle", "a + b -> a - b"),
        ("middle", "2 -> 3"),
        ("Counter.count", "without xs.append(0)"),
        ("Counter.count", "0 -> 1"),
        ("Counter.count", "not (not xs)"),
        ("Counter.count", "not xs -> xs"),
        ("Counter.count", "3 -> 4"),
        ("Counter.count", "len(xs) - 1 -> len(xs) + 1"),
        ("Counter.count", "1 -> 2"),
    ]


def test_each_breaks_one_thing(found):
    results = [
        types.FunctionType(mutant.code, {})(1.0, 4.0)
        for mutant in found
        if mutant.place[2] == "middle" and not mutant.slip.startswith("not")
    ]
    assert results == [2.5, 10.0, -1.5, 5 / 3]
