"""The documentation is true: pages are what the code would generate now, commands exist."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
import scipy

from docs import make_architecture, make_primitives, make_results, make_verdicts
from tinygrad_ugan import gan

OLD_SCIPY = pytest.mark.skipif(
    tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17),
    reason="the page says what expi is at infinity, which was NaN before",
)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(make_primitives, marks=OLD_SCIPY),
        make_architecture,
        make_results,
        make_verdicts,
    ],
)
def test_the_generated_pages_are_up_to_date(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), (
        f"run `python -m {page.__name__}`"
    )


def test_every_file_that_the_architecture_names_exists():
    root = Path(__file__).parents[1]
    page = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/.]+(?:\.py|\.cfg|/))`", page))
    assert len(named) > 20
    assert not [
        path
        for path in named
        if not any((folder / path).exists() for folder in (root, root / "tinygrad_ugan"))
    ]


def test_every_make_target_that_is_named_exists():
    root = Path(__file__).parents[1]
    makefile = (root / "Makefile").read_text()
    pages = [root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    named = set(re.findall(r"`make ([a-z-]+)", "\n".join(page.read_text() for page in pages)))
    named |= set(re.search(r"\.PHONY: (.*)", makefile)[1].split())
    rules = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))
    assert named >= {"test", "demo", "peers"}
    assert named <= rules


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("compile", "multiply-adds in products"),  # the program
        ("loops", ""),
        ("your_own", "[["),  # samples
    ],
)
def test_the_examples_of_a_page_run(name, printed, capsys):
    page = (Path(__file__).parents[1] / f"docs/{name}.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        exec(example, {"__name__": "example"})
    assert printed in capsys.readouterr().out


def test_the_page_on_training_names_all_there_is():
    page = (Path(__file__).parents[1] / "docs/your_own.md").read_text(encoding="utf-8")
    section = page.partition("## Training on one page\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"\w+", section))
    functions = (gan.train, gan.resume, gan.load, gan.register)
    asked = {name for each in functions for name in inspect.signature(each).parameters}
    settings = {each.name for each in dataclasses.fields(gan.Config)}
    assert asked | settings | {name for name in dir(gan.Run) if name[0] != "_"} <= named
