"""The structure of the sources: one name for one thing, and a test where one looks for it."""

import ast
import itertools
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "tinygrad_ugan"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE): ast.parse(path.read_text("utf-8")) for path in SOURCES}

#: Names that are public twice: a room is named with them.
TWICE = {"Game": "gan.Game is an unroll.Game of two networks and a loss"}

#: Sources that are tested elsewhere than in the file that mirrors them, where, and why.
ELSEWHERE = {
    "autodiff/rules/*": ("autodiff/rules/test_table.py", "each record is tested by its samples"),
    "commands/*": ("test_cli.py", "commands are tested as a user runs them"),
    "experiments/*/*": ("experiments/test_catalogue.py", "all experiments run, in miniature"),
    "experiments/experiment.py": ("experiments/test_page.py", "records: seen when written down"),
    "experiments/presets.py": ("test_cli.py", "settings that commands start from"),
    "kernels/reference/*": ("kernels/test_reference.py", "the oracle of the kernels, and they its"),
    "typing.py": ("test_structure.py", "aliases: nothing runs"),
}


def nodes(*kinds):
    return ((path, node) for path, tree in TREES.items() for node in ast.walk(tree)
            if isinstance(node, kinds))  # fmt: skip


def test_every_class_has_a_name_of_its_own():
    places = defaultdict(list)
    for path, node in nodes(ast.ClassDef):
        places[node.name].append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1}.keys() == TWICE.keys()


def test_types_of_several_rooms_are_in_typing():
    assigned = [
        str(path)
        for path, node in nodes(ast.Assign, ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in ("PyTree", "Array")
    ]
    assert set(assigned) == {"typing.py"}


def test_docstrings_say_what_a_thing_is():
    """Not which question it answers: a noun, or a verb in the imperative."""
    documented = nodes(ast.Module, ast.ClassDef, ast.FunctionDef)
    started = {
        f"{path}: {text}"
        for path, node in documented
        if (text := (ast.get_docstring(node) or "").partition("\n")[0])
    }
    started |= {  # and those below attributes
        f"{path}: {value.value.partition(chr(10))[0]}"
        for path, node in nodes(ast.Module, ast.ClassDef)
        for before, after in itertools.pairwise(node.body)
        if isinstance(before, ast.Assign | ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(value := after.value, ast.Constant)
        and isinstance(value.value, str)
    }
    questions = ("What ", "Where ", "Who ", "Those ")
    assert not sorted(each for each in started if each.partition(": ")[2].startswith(questions))


@pytest.mark.parametrize(
    "source", [path for path in TREES if not path.stem.startswith("__")], ids=str
)
def test_a_source_is_tested_where_one_looks_for_it(source):
    if not (TESTS / source.with_name(f"test_{source.name}")).exists():
        places = {place for shape, (place, _) in ELSEWHERE.items() if fnmatch(str(source), shape)}
        assert places, f"no tests/{source.with_name(f'test_{source.name}')}"
        assert all((TESTS / place).exists() for place in places)


@pytest.mark.parametrize("shape", ELSEWHERE)
def test_exceptions_are_needed(shape):
    matching = [path for path in TREES if fnmatch(str(path), shape)]
    assert any(not (TESTS / path.with_name(f"test_{path.name}")).exists() for path in matching)
