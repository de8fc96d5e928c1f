"""The documentation is true: pages are what the code would generate now, commands exist."""

import re
from pathlib import Path

import pytest

from docs import make_primitives, make_results, make_verdicts


@pytest.mark.parametrize("page", [make_primitives, make_results, make_verdicts])
def test_the_generated_pages_are_up_to_date(page):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), (
        f"run `python -m {page.__name__}`"
    )


def test_every_make_target_that_is_named_exists():
    root = Path(__file__).parents[1]
    makefile = (root / "Makefile").read_text()
    pages = [root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    named = set(re.findall(r"`make ([a-z-]+)", "\n".join(page.read_text() for page in pages)))
    named |= set(re.search(r"\.PHONY: (.*)", makefile)[1].split())
    rules = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))
    assert named >= {"test", "demo", "peers"}
    assert named <= rules
