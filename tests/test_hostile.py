"""Forged runs, settings, archives and games: exit code 2, one paragraph, little memory."""

import contextlib
import io
import os
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests import hostile
from tinygrad_ugan import gan
from tinygrad_ugan.cli import main

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
RUNS, SETTINGS, AUDITS = (500, 500, 300) if DEEP else (60, 60, 60)
BYTES = 10**9
HERE = {**os.environ, "PYTHONPATH": str(Path(gan.__file__).parents[2])}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs pipes and devices")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    hostile.make_runs(folder)
    return folder


def draws(seed):
    return random.Random(seed)  # noqa: S311, a test


def refused(arguments, done):
    """Run the command, and return seconds, bytes and message; or fail."""
    shown = io.StringIO()
    before, begun = peak(), time.perf_counter()
    with (
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(shown),
        warnings.catch_warnings(action="ignore"),
        pytest.raises(SystemExit) as error,
    ):
        main(arguments)
    seconds, grown = time.perf_counter() - begun, peak() - before
    message = shown.getvalue()
    told = f"{arguments}, {done}: {message[-2000:]}"
    assert error.value.code == 2, told
    assert "Traceback" not in message, told
    assert message.strip(), told
    assert "\n\n" not in message.strip(), told
    assert len(message) < 4000, told
    assert all(c.isprintable() or c == "\n" for c in message), told
    assert grown < BYTES, told
    return seconds, grown, message


def peak():
    """The most memory that this process had so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def summarize(found):
    seconds, grown, messages = zip(*found, strict=True)
    print(
        f"{len(found)} refused; slowest {max(seconds):.2f} s: {messages[np.argmax(seconds)][:99]}"
    )
    print(f"peak of memory grew by {max(grown) / 1e6:.0f} MB")


COMMANDS = {
    "sample": lambda run: ["sample", str(run), "--out", "x.png"],
    "resume": lambda run: ["resume", str(run)],
    "report": lambda run: ["report", str(run)],
    "replay": lambda run: ["replay", str(run)],
    "compare": lambda run: ["compare", "--unroll-steps", "2", "--out", str(run.parent)],
}


def test_forged_run_folders(base, elsewhere):
    found = []
    for command, run, done in hostile.forged_runs(draws(0), base, elsewhere, RUNS):
        before = sorted(elsewhere.iterdir())
        seconds, grown, message = refused(COMMANDS[command](run), done)
        assert str(run)[:99] in message.replace("\n", ""), (done, message)
        assert sorted(elsewhere.iterdir()) == before
        found.append((seconds, grown, message))
    summarize(found)


def test_hostile_settings(elsewhere):
    found = []
    for arguments, done in hostile.hostile_settings(draws(1), elsewhere, SETTINGS):
        before = sorted(elsewhere.iterdir())
        found.append(refused(arguments, done))
        assert sorted(elsewhere.iterdir()) == before, (arguments, done)
    summarize(found)


def test_hostile_archives_and_games(elsewhere):
    found = [
        refused(arguments, done)
        for arguments, done in hostile.hostile_audits(draws(2), elsewhere, AUDITS)
    ]
    summarize(found)


def test_some_of_each_in_a_process_of_its_own(base, elsewhere):
    """Whose memory is limited, so that nothing large can have been allocated."""
    forged = [
        (COMMANDS[command](run), done)
        for command, run, done in hostile.forged_runs(draws(3), base, elsewhere, 3)
    ]
    settings = hostile.hostile_settings(draws(4), elsewhere, 3)
    audits = hostile.hostile_audits(draws(5), elsewhere, 3)
    for arguments, done in [*forged, *settings, *audits]:
        command = [sys.executable, "-c", IN_LITTLE_MEMORY, *arguments]
        shown = subprocess.run(command, capture_output=True, text=True, env=HERE, check=False)
        assert shown.returncode == 2, (done, shown)
        assert "Traceback" not in shown.stderr + shown.stdout


IN_LITTLE_MEMORY = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (10**9, 10**9))
from tinygrad_ugan.cli import main
main()
"""
