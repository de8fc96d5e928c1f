"""Break the source as a slip of the pen would, and see that the tests notice.

``python -m tests.mutate_source unroll`` takes every slip in tinygrad_ugan/unroll, runs the quick
tests that enter the function it is in, those in tests/unroll first, and lists the mutants that
survive; ``--sample 400`` takes as many of them at random. The score is the share that is killed;
docs/mutants.md explains the survivors.

The tests are collected once. Every mutant is a forked process in which the code of one function has
been replaced, and that of the functions that it has made, so that all who refer to them see the
mutant. Kernels that the mutant does not touch are taken from a cache under the hash of their LLVM
code.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import hashlib
import math
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinygrad_ugan"
SLOWDOWN, PATIENCE = 5, 10  # a test hangs if it takes so many times as long, and so many s, of the
# processor (not by the clock: others may need it too); or half an hour in which it does nothing
IDLE = 1800.0

Place = tuple[str, int, str]  # the file, first line and qualified name of a function


@dataclass(frozen=True)
class Mutant:
    """One slip in one function."""

    place: Place
    line: int
    slip: str
    code: types.CodeType

    def __str__(self) -> str:
        return f"{Path(self.place[0]).relative_to(ROOT)}:{self.line} {self.place[2]}: {self.slip}"


# --- slips -------------------------------------------------------------------------------------

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}

COMMUTATIVE = {
    "_cosine", "add", "fadd", "fmul", "inner_product", "isclose", "logaddexp", "max", "maximum",
    "min", "minimum", "mul",
}  # fmt: skip


def slips(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Pairs of a description and what may stand in a node's place."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            yield _exchanged(node, "op", OPERATORS[type(op)]())
        case ast.Compare(ops=[op]) if type(op) in OPERATORS:
            yield _exchanged(node, "ops", [OPERATORS[type(op)]()])
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield f"{ast.unparse(node)} -> {ast.unparse(operand)}", operand
        case ast.Constant(value=bool(value)):
            yield _exchanged(node, "value", not value)
        case ast.Constant(value=int(value)):
            yield _exchanged(node, "value", value + 1)
        case ast.Constant(value=float(value)):
            yield _exchanged(node, "value", 2 * value if value else 1.0)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            _, mutant = _exchanged(node, "test", ast.UnaryOp(ast.Not(), test))
            yield f"not ({ast.unparse(test)})", mutant
        case ast.Expr(value=ast.Call()):
            yield f"without {ast.unparse(node)}", ast.Pass()
        case ast.Call(func=function, args=[first, second, *rest]) if (
            not isinstance(first, ast.Starred)
            and ast.dump(first) != ast.dump(second)
            and _last_name(function) not in COMMUTATIVE
        ):
            yield _exchanged(node, "args", [second, first, *rest])


def _last_name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _exchanged(node: Any, field: str, value: Any) -> tuple[str, ast.AST]:
    mutant = copy.copy(node)
    setattr(mutant, field, value)
    return f"{ast.unparse(node)} -> {ast.unparse(mutant)}", mutant


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below one, with where it hangs; but not messages, annotations and docstrings."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.JoinedStr):
                continue
            yield node, field, i, child
            yield from places(child)


def mutants(path: Path) -> Iterator[Mutant]:
    """Every slip in every function of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for function, name in _functions(tree, ""):
        first = min(node.lineno for node in (function, *function.decorator_list))
        place = (str(path), first, name)
        for statement in function.body:
            holder = ast.Module([statement], [])
            for parent, field, i, child in list(places(holder)):
                for slip, mutant in slips(child):
                    ast.copy_location(mutant, child)
                    where = parent if parent is not holder else function
                    index = i if parent is not holder else function.body.index(statement)
                    with _hung(where, field, index, mutant):
                        code = compile(ast.fix_missing_locations(tree), str(path), "exec")
                    line = getattr(child, "lineno", first)
                    yield Mutant(place, line, slip, _find_code(code, place))


class _hung:  # noqa: N801 - a context manager, used like a function
    """Puts a node in another's place for a while."""

    def __init__(self, parent: ast.AST, field: str, i: int | None, mutant: ast.AST) -> None:
        self._parent, self._field, self._i, self._mutant = parent, field, i, mutant

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *error: object) -> None:
        self._swap()

    def _swap(self) -> None:
        if self._i is None:
            other = getattr(self._parent, self._field)
            setattr(self._parent, self._field, self._mutant)
        else:
            siblings = getattr(self._parent, self._field)
            other, siblings[self._i] = siblings[self._i], self._mutant
        self._mutant = other


def _functions(node: Any, prefix: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The functions and methods of a module; those within functions belong to these."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef):
            yield child, prefix + child.name
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


def _find_code(code: types.CodeType, place: Place) -> types.CodeType:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if (constant.co_firstlineno, constant.co_qualname) == place[1:]:
                return constant
            if place[2].startswith(constant.co_qualname + ".") and (
                found := _find_code(constant, place)
            ):
                return found
    return None  # type: ignore[return-value] # of a class body that is met twice


# --- running -----------------------------------------------------------------------------------


class Mutation:
    """A pytest plugin: in place of running the tests it judges mutants by them."""

    def __init__(self, every: list[Mutant], jobs: int, cache: Path | None) -> None:
        self._every, self._jobs, self._cache = every, jobs, cache
        self.survivors: list[Mutant] = []
        self.count: Counter[str] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge every mutant, several at a time."""
        if self._cache:  # not earlier: pytest is to import the package
            _cache_by_content(self._cache)
        items = session.items
        entered, seconds = pickle.loads(_forked(lambda: pickle.dumps(_survey(items))))  # noqa: S301
        by_place: dict[Place, list[int]] = defaultdict(list)
        for i, found in enumerate(entered):
            for place in found:
                by_place[place].append(i)
        live = _live_functions()
        running: dict[int, tuple[Mutant, float]] = {}
        waiting = list(reversed(self._every))
        done = 0
        while waiting or running:
            while waiting and len(running) < self._jobs:
                mutant = waiting.pop()
                chosen = sorted(by_place[mutant.place], key=seconds.__getitem__)
                if not chosen or mutant.place not in live:
                    self.count["not entered"] += 1
                    self.survivors.append(mutant)
                    continue
                tests = [(items[i], PATIENCE + SLOWDOWN * seconds[i]) for i in chosen]
                child = _start(lambda m=mutant, t=tests: _judge(m, live[m.place], t))
                running[child] = mutant, time.monotonic() + IDLE
            for child, (mutant, deadline) in list(running.items()):
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid == 0 and time.monotonic() < deadline:
                    continue
                if pid == 0:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    status = 1
                del running[child]
                done += 1
                self.count["killed" if status else "survived"] += 1
                if not status:
                    self.survivors.append(mutant)
                    print(f"survives: {mutant}", flush=True)
                if done % 50 == 0:
                    print(f"{done} of {len(self._every)}: {dict(self.count)}", flush=True)
            time.sleep(0.005)
        return True


def _survey(items: list[pytest.Item]) -> tuple[list[set[Place]], list[float]]:
    """Run every test; return the functions that each enters, and how long it takes."""
    from tinygrad_ugan.kernels import jit_cache, plain, threads

    inside = str(PACKAGE)
    entered, seconds = [], []
    for item in items:
        for kept in (threads._runner, plain._introduce_helpers):
            kept.cache_clear()
        for loaded in (jit_cache._addresses, jit_cache._loaded):
            loaded.clear()  # what emits a kernel is entered by all who need the kernel
        found: set[types.CodeType] = set()

        def look(frame: types.FrameType, event: str, _: object, found: set = found) -> None:
            if event == "call":
                found.add(frame.f_code)

        started = time.process_time()
        sys.setprofile(look)
        try:
            failures = _failures(item)
        finally:
            sys.setprofile(None)
        if failures:
            raise SystemExit(f"{item.nodeid} fails without a mutant:\n{failures[0]}")
        seconds.append(time.process_time() - started)
        codes = {code for code in found if code.co_filename.startswith(inside)}
        entered.append({_outermost(code) for code in codes})
    return entered, seconds


def _outermost(code: types.CodeType) -> Place:
    """The function or method that a code object belongs to."""
    name = code.co_qualname.partition(".<locals>")[0]
    return _PLACES.get((code.co_filename, name), (code.co_filename, code.co_firstlineno, name))


_PLACES: dict[tuple[str, str], Place] = {}


def _live_functions() -> dict[Place, list[types.FunctionType]]:
    """The function objects of every place; a function may be there more than once."""
    live = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType) and thing.__code__.co_filename.startswith(
            str(PACKAGE)
        ):
            code = thing.__code__
            live[code.co_filename, code.co_firstlineno, code.co_qualname].append(thing)
    return live


def _judge(
    mutant: Mutant, functions: list[types.FunctionType], tests: list[tuple[pytest.Item, float]]
) -> int:
    """Put the mutant in place, and run its tests until one fails or hangs."""
    mutated = {id(old): new for old, new in _counterparts(functions[0].__code__, mutant.code)}
    for function in [f for f in gc.get_objects() if isinstance(f, types.FunctionType)]:
        new = mutated.get(id(function.__code__))
        if new is not None and new.co_freevars == function.__code__.co_freevars:
            function.__code__ = new
    for item, limit in tests:
        until = math.ceil(time.process_time() + limit)
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        if _failures(item):
            return 1
    return 0


def _counterparts(
    old: types.CodeType, new: types.CodeType
) -> Iterator[tuple[types.CodeType, types.CodeType]]:
    """Pairs of a function and its mutant: itself, and those within, which may be made already."""
    yield old, new
    olds, news = (
        [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for code in (old, new)
    )
    if len(olds) == len(news):
        for pair in zip(olds, news, strict=True):
            yield from _counterparts(*pair)


def _failures(item: pytest.Item) -> list[str]:
    failures: list[str] = []

    class Reports:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failures.append(report.longreprtext)

    plugins = item.config.pluginmanager
    plugins.register(reports := Reports())
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    finally:
        plugins.unregister(reports)
    return failures


def _start(work: Callable[[], int]) -> int:
    """Fork a process that does the work, silently; its exit code is the result."""
    if child := os.fork():
        return child
    code = 1
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        code = work()
    finally:
        os._exit(code)


def _forked(work: Callable[[], bytes]) -> bytes:
    """What the work returns, done in a process that leaves no trace in this one."""
    with tempfile.NamedTemporaryFile() as file:

        def write() -> int:
            try:
                Path(file.name).write_bytes(work())
            except SystemExit as error:
                Path(file.name).write_text(str(error))
                return 1
            return 0

        _, status = os.waitpid(_start(write), 0)
        if status:
            raise SystemExit(Path(file.name).read_text())
        return Path(file.name).read_bytes()


def _cache_by_content(folder: Path) -> None:
    """Keep compiled kernels under the hash of their LLVM code instead of that of the package."""
    from tinygrad_ugan.kernels import jit_cache

    compile_module, load_really = jit_cache.compile_module, jit_cache._load

    def compile_once(module: Any, target: Any) -> bytes:
        digest = hashlib.sha256(f"{target}{module}".encode()).hexdigest()
        path = folder / digest
        if not path.exists():
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(compile_module(module, target))
            temporary.replace(path)
        return path.read_bytes()

    def load(module: str, names: Any, target: Any, build: Callable[[], Any]) -> Any:
        if "test_jit_cache" in os.environ["PYTEST_CURRENT_TEST"]:  # the tests of the cache itself
            return load_really(module, names, target, build)
        return jit_cache._in_memory(names, target, jit_cache.compile_module(build(), target))

    jit_cache.compile_module, jit_cache._load = compile_once, load


def main() -> int:
    """Judge the mutants of some rooms; return the number of survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="+", help="folders or files below tinygrad_ugan")
    parser.add_argument("--tests", nargs="*", help="tests to judge by; those of the rooms if none")
    parser.add_argument("--sample", type=int, help="take so many mutants, at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    every = [m for path in _files(given.rooms) for m in mutants(path) if m.code is not None]
    for mutant in every:
        _PLACES[mutant.place[0], mutant.place[2]] = mutant.place
    total = len(every)
    if given.sample is not None and given.sample < total:
        every = random.Random(given.seed).sample(every, given.sample)  # noqa: S311
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    tests = given.tests or [str(ROOT / "tests" / room) for room in given.rooms]
    with tempfile.TemporaryDirectory() as folder:
        is_cached = not any(room.endswith("jit_cache.py") for room in given.rooms)
        plugin = Mutation(every, given.jobs, Path(folder) if is_cached else None)
        options = [
            "-p",
            "no:terminal",
            "-p",
            "no:xdist",
            "-o",
            "addopts=",
            "-o",
            "timeout=0",
            "--import-mode=importlib",
        ]
        pytest.main([*options, *tests], plugins=[plugin])
    killed = plugin.count["killed"]
    print(
        f"{' '.join(given.rooms)}: {killed} of {len(every)} killed, {killed / len(every):.1%}"
        f"; {total} mutants in all; {dict(plugin.count)}"
    )
    for mutant in plugin.survivors:
        print(f"  {mutant}")
    return len(plugin.survivors)


def _files(rooms: list[str]) -> list[Path]:
    single = [PACKAGE / room for room in rooms if room.endswith(".py")]
    folders = [PACKAGE / room for room in rooms if not room.endswith(".py")]
    return single + [path for folder in folders for path in sorted(folder.rglob("*.py"))]


if __name__ == "__main__":
    sys.exit(main() > 0)
