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

#: Names that are public twice.
TWICE = {
    "KernelForm": "the form that an optimiser states; and that of a kernel of a compiled function",
    "Segment": "of the emitted kernels; and of those that are data",
    "Store": "where runs are kept; and what a kernel does",
    "Game": "gan.Game is an unroll.Game of two networks and a loss",
    "Optimizer": "gan.Optimizer holds the settings of an optim.Optimizer",
}

#: Sources that are tested elsewhere than in the file that mirrors them: there, why, and which.
ELSEWHERE = {
    "autodiff/rules/test_table.py": (
        "each record of the table is tested through its sample calls, each kind of rule with them",
        ["autodiff/rules/*", "autodiff/primitive.py", "autodiff/samples.py"],
    ),
    "autodiff/test_checkpointing.py": (
        "what `checkpoint` and `custom_vjp` share",
        ["autodiff/call_tracing.py"],
    ),
    "autodiff/test_foreign.py": ("what is refused as an operand", ["autodiff/operands.py"]),
    "autodiff/test_scanning.py": (
        "the derivatives of a scan, by its public name",
        ["autodiff/scan_rules.py"],
    ),
    "autodiff/test_transforms.py": (
        "transforms by their public names, over pytrees",
        ["autodiff/jacobians.py", "autodiff/pytrees.py"],
    ),
    "bench/test_report.py": ("says what machine this is: no oracle", ["bench/machine.py"]),
    "compile/test_emission.py": (
        "all code against the meaning of its form, which is the oracle",
        ["compile/kernel_form.py", "compile/loop_nest.py", "compile/product_tiles.py"]
        + ["compile/transposed_blocks.py"],
    ),
    "experiments/test_catalogue.py": ("all experiments run, in miniature", ["experiments/*/*"]),
    "experiments/test_page.py": ("records, seen when written down", ["experiments/experiment.py"]),
    "gan/reports/test_pictures.py": ("drawn from real runs", ["viz/curves.py"]),
    "kernels/test_entries.py": ("every way into compiled code", ["kernels/addresses.py"]),
    "kernels/test_interrupts.py": ("needs real forks", ["kernels/fork_safety.py"]),
    "kernels/test_network_programs.py": (
        "parts of these programs, which mean nothing alone",
        ["kernels/network.py", "kernels/network_pass.py", "kernels/pass_mask.py"]
        + ["kernels/tangents.py"],
    ),
    "kernels/test_reference.py": (
        "every kernel on every target against its reference, which is the oracle",
        ["kernels/reference/*", "kernels/emitter.py", "kernels/kernel.py", "kernels/losses.py"]
        + ["kernels/narrow.py", "kernels/one_hidden_layer.py", "kernels/parameters.py"]
        + ["kernels/products.py", "kernels/row_quads.py"],
    ),
    "kernels/test_sweep_program.py": (
        "parts of this program, which mean nothing alone",
        ["kernels/sweep.py", "kernels/sweep_*.py"],
    ),
    "kernels/test_ufunc_emitter.py": (
        "every function of vectors, under its public name, against NumPy's",
        ["kernels/extra_precision.py", "kernels/hyperbolic.py", "kernels/powers.py"],
    ),
    "test_cli.py": ("commands as a user runs them", ["commands/*", "experiments/presets.py"]),
    "test_docs.py": ("a table of texts, printed in the documentation", ["check/audit/verdicts.py"]),
    "test_structure.py": ("aliases: nothing runs", ["typing.py"]),
    "unroll/test_fused.py": (
        "what is lowered, what is not, and why",
        ["unroll/fusable.py", "unroll/game.py", "unroll/stated_form.py"],
    ),
    "unroll/test_gradient.py": (
        "every method against every other, on every problem, and what is refused",
        ["unroll/adjoint.py", "unroll/detached.py", "unroll/dynamics.py", "unroll/method.py"]
        + ["unroll/problem.py", "unroll/tape.py", "unroll/validation.py"],
    ),
    "unroll/test_terms.py": (
        "the terms are what `decompose` makes, and hold the trajectory",
        ["unroll/decompose.py", "unroll/trajectory.py"],
    ),
}
SHAPES = {shape: place for place, (_, shapes) in ELSEWHERE.items() for shape in shapes}


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


def has_mirror(source):
    return (TESTS / source.with_name(f"test_{source.name}")).exists()


@pytest.mark.parametrize("source", [p for p in TREES if not p.stem.startswith("__")], ids=str)
def test_a_source_is_tested_where_one_looks_for_it(source):
    assert has_mirror(source) or any(fnmatch(str(source), shape) for shape in SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_exceptions_are_needed(shape):
    assert (TESTS / SHAPES[shape]).exists()
    assert any(fnmatch(str(path), shape) and not has_mirror(path) for path in TREES)
