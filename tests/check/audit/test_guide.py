"""docs/audit.md, as a reader follows it: its files are written, its commands run."""

import re
import runpy
import shlex
from pathlib import Path

from tinygrad_ugan.cli import main

GUIDE = (Path(__file__).parents[3] / "docs/audit.md").read_text(encoding="utf-8")
CODES = {"detached": 1, "exact": 0}


def test_the_guide(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = 0
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL):
        first, *rest = block.splitlines()
        if kind == "console":
            shown, code = run(first.removeprefix("$ ugan "), capsys)
            assert all(line in shown for line in rest), shown
            assert code == CODES[rest[0].partition(":")[0]]
            ran += 1
        elif first.startswith("# "):
            Path(first.removeprefix("# ")).write_text(block, encoding="utf-8")
            if first == "# gradient.py":
                runpy.run_path("gradient.py")
    assert ran == 2


def run(command, capsys):
    try:
        main(shlex.split(command))
        code = 0
    except SystemExit as error:
        code = error.code
    return capsys.readouterr().out, code


def test_the_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)h#][^)]*)\)", GUIDE)
    assert targets
    assert all((Path(__file__).parents[3] / "docs" / target).exists() for target in targets)
