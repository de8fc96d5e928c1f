"""The progress line: where it is shown, how often, and that it changes nothing."""

import io
import sys
import types

import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import data, gan
from tinygrad_ugan.gan.training import progress
from tinygrad_ugan.gan.training.progress import ProgressLine


class Screen(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal


@pytest.fixture
def at_once(monkeypatch):
    """Show every step."""
    monkeypatch.setattr(ProgressLine, "QUIET", 0.0)
    for display in (progress._Terminal, progress._Stream, progress._Notebook):
        monkeypatch.setattr(display, "every", 0.0)


def seen(monkeypatch, *, is_terminal, config=SMALL, **arguments):
    monkeypatch.setattr(sys, "stderr", screen := Screen(is_terminal))
    run = gan.train(config, **arguments)
    return screen.getvalue(), run


def test_short_training_shows_nothing(monkeypatch):
    for is_terminal in (True, False):
        assert seen(monkeypatch, is_terminal=is_terminal)[0] == ""


def test_a_terminal_has_one_line_within_its_width(at_once, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "60")
    text, _ = seen(monkeypatch, is_terminal=True, folder=tmp_path / "mine")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    lines = text.rstrip("\n").split("\r")
    assert lines[0] == ""
    assert all(len(line) <= 59 for line in lines)
    assert lines[-1].startswith("mine: 4/4 steps, ")
    assert "0:00 left, f_K " in lines[-1]


@pytest.mark.parametrize(
    ("set_of_data", "word"), [(data.Ring(), "modes"), (data.Moons(), "precision")]
)
def test_a_file_has_lines(set_of_data, word, at_once, monkeypatch):
    config = varied(data=set_of_data)
    text, run = seen(monkeypatch, is_terminal=False, config=config)
    assert "\r" not in text
    steps = [line.partition("/")[0] for line in text.splitlines()]
    assert list(dict.fromkeys(steps)) == ["1", "2", "3", "4"]
    assert word in text.splitlines()[-1]
    assert outcome(run) == outcome(gan.train(config, progress=False))


def test_seldom_where_lines_pile_up(monkeypatch):
    monkeypatch.setattr(ProgressLine, "QUIET", 0.0)
    text, _ = seen(monkeypatch, is_terminal=False, config=varied(steps=50))
    assert 1 <= text.count("\n") <= 4  # the first, the last, and one for every five seconds


@pytest.mark.parametrize(
    "go_on", [gan.resume, lambda folder, **how: gan.load(folder).resume(**how)]
)
def test_it_can_be_turned_off(go_on, at_once, monkeypatch, tmp_path):
    stop = [lambda record: record.step == 2]
    text, _ = seen(monkeypatch, is_terminal=True, progress=False, folder=tmp_path, callbacks=stop)
    assert text == ""
    go_on(tmp_path, progress=False)
    assert sys.stderr.getvalue() == ""


def test_a_resumed_run_counts_its_own_steps(at_once, monkeypatch, tmp_path):
    gan.train(SMALL, tmp_path, progress=False, callbacks=[lambda record: record.step == 2])
    monkeypatch.setattr(sys, "stderr", screen := Screen(is_terminal=False))
    gan.resume(tmp_path)
    assert [line.partition(": ")[2][:1] for line in screen.getvalue().splitlines()][:2] == [
        "3",
        "4",
    ]


def test_a_notebook_has_a_display(at_once, monkeypatch):
    shown = []

    class Handle:
        def update(self, content, *, raw):
            shown.append(content["text/plain"])

    def display(content, *, raw, display_id):
        shown.append(content["text/plain"])
        return Handle()

    notebook = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=object()),
        display=types.SimpleNamespace(display=display),
    )
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    text, _ = seen(monkeypatch, is_terminal=False)
    assert text == ""
    assert shown[0].startswith("1/4 steps")
    assert shown[-1].startswith("4/4 steps")


@pytest.mark.parametrize("stream", [None, "closed"])
def test_without_anybody_to_look_training_goes_on(stream, at_once, monkeypatch):
    screen = None if stream is None else Screen(is_terminal=True)
    if screen is not None:
        screen.close()
    monkeypatch.setattr(sys, "stderr", screen)
    assert gan.train(SMALL).finished


def test_hours():
    assert progress._clock(3_725.4) == "1:02:05"
    assert progress._clock(59.6) == "1:00"
