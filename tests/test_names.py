"""Names that are not ours: markup, formulas, control characters. They are shown as they are."""

import dataclasses
import html
import io
import re
import subprocess
import sys
import warnings

import pytest
from matplotlib.figure import Figure

from tests.gan.small import SMALL
from tests.test_cli import TINY, exit_code, output
from tests.test_hostile import HERE
from tinygrad_ugan import gan, viz
from tinygrad_ugan.cli import main
from tinygrad_ugan.commands.output import console
from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.gan import pictures

NAMES = [
    "x[/a]", "[red]x", "[link=http:a]", "$\\foo$", "a$b$c", "$", "\\$x$", "_x", "<b>&amp;</b>",
    "\x1b[31mx", "a\nb", "a\rb", "\x07", ":bomb:", "{x}", "%s", "\u202etxt", "\udcff", "l" * 120,
]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained():
    return gan.train(SMALL)


def harmless(text):
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("name", NAMES)
def test_on_the_terminal(name, trained, elsewhere, capsys, monkeypatch):
    monkeypatch.setattr("tinygrad_ugan.commands.train.draw_one", lambda run, folder: None)
    monkeypatch.setattr("tinygrad_ugan.gan.report", lambda runs: "page")
    trained.save(name)
    main(["resume", name])
    main(["sample", name, "--out", f"{name}.csv"])
    main(["report", name, "--out", f"{name}.html"])
    captured = capsys.readouterr()
    assert harmless(captured.out + captured.err)
    shown = "".join(captured.out.split())
    assert f"resultsin{''.join(printable(name).split())}/" in shown
    assert exit_code(["train", *TINY, "--out", name]) == 2  # which says the name in an error
    message = capsys.readouterr().err
    assert harmless(message)
    assert printable(name) in message


@pytest.mark.parametrize("name", NAMES)
def test_in_pictures(name, trained):
    """What matplotlib draws is the name, letter by letter, and it draws it."""
    runs = {name: trained, "other": trained}
    groups = {"modes": {name: [1.0, 2.0], "other": [3.0]}}
    figures = [pictures.curves(runs), viz.intervals(groups, {"modes": "title"}, xlabel=name)]
    figures.append(pictures.samples_over_time({name: trained}))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # letters without a glyph
        for figure in figures:
            figure.savefig(io.BytesIO(), format="png", dpi=20)
    expected = viz.labels.plain(name)
    legend = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert legend == [expected, "other"]


def test_nothing_of_a_name_is_a_formula():
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        for name in NAMES:
            figure = Figure()
            text = figure.text(0, 0, viz.labels.plain(name))
            drawn, is_math = text._preprocess_math(text.get_text())
            assert not is_math
            if len(name) < 60:
                assert drawn.strip() == printable(name)


def test_in_the_report(trained):
    names = ["x[/a]", "$\\foo$", "<b>&amp;</b>", "\x1b[31mx", "a\nb", "\udcff"]
    environment = {"machine": "\x1b[2J<script>\ud800", **trained.checkpoint.environment}
    checkpoint = dataclasses.replace(trained.checkpoint, environment=environment)
    runs = {name: dataclasses.replace(trained, checkpoint=checkpoint) for name in names}
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        page = gan.report(runs, title="<i>\x1b")
    assert harmless(page.replace("\n", ""))
    page.encode()
    for name in names:
        assert f"<summary>{html.escape(printable(name), quote=False)}</summary>" in re.sub(
            "&#(34|39);", lambda m: chr(int(m[1])), page
        )
    assert "<script>" not in page
    assert "<b>" not in page


def test_messages_are_one_line():
    error = ArgumentError("a\nb", "c\x1b[31m", "d", "e\r")
    assert str(error) == r"a\nb: expected d, got c\x1b[31m; e\r"


def test_a_table_of_the_terminal_takes_names_as_they_are(capsys):
    for name in NAMES:
        console.print(printable(name))
    assert harmless(output(capsys))


def test_a_name_that_is_no_utf_8_in_a_process_of_its_own(elsewhere):
    command = [sys.executable, "-m", "tinygrad_ugan", "sample", b"\xff[/a]\x1b"]
    done = subprocess.run(command, capture_output=True, env=HERE, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr
