"""A disk that is full, read-only or broken: what is safe is said, and nothing is left half done."""

import errno
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gan.small import SMALL, outcome, varied
from tests.test_cli import TINY, exit_code, output
from tinygrad_ugan import gan
from tinygrad_ugan.cli import main
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import atomic_io, checkpoint_files
from tinygrad_ugan.gan.runs.run_dir import RunDir

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.ENAMETOOLONG)
WRITES = (
    (atomic_io, "_write_durably"), (atomic_io, "_sync"), (atomic_io.Path, "mkdir"),
    (atomic_io.Path, "write_bytes"), (atomic_io.Path, "rename"), (atomic_io.Path, "replace"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fail_after(patch, calls_left, number):
    """Let so many writes through; all after them fail, though what is there can be removed."""
    count = iter(range(10**6))

    def failing(function):
        def call(*args, **kwargs):
            if next(count) >= calls_left:
                raise OSError(number, os.strerror(number))
            return function(*args, **kwargs)

        return call

    for owner, name in WRITES:
        patch.setattr(owner, name, failing(getattr(owner, name)))


def test_every_write_that_fails_says_what_is_safe(elsewhere, monkeypatch):
    expected = outcome(gan.train(SMALL))
    ended = False
    for calls_left in range(0, 200, 1 if DEEP else 3):
        number = FULL[calls_left % len(FULL)]
        folder = elsewhere / str(calls_left)
        with monkeypatch.context() as patch:
            fail_after(patch, calls_left, number)
            error, ended = attempt(folder)
        if isinstance(error, ArgumentError):  # before anything was computed
            assert not RunDir(folder).holds_run
            assert os.strerror(number) in str(error)
        elif error is not None:
            check_words(f"{error}; {error.__notes__[0]}", folder, number)
        assert not list(folder.rglob(".new-*"))
        for place in checkpoint_files.list_checkpoints(folder / "checkpoints"):
            checkpoint_files.read(place)
        if ended:
            break
        begun = RunDir(folder).holds_run
        run = gan.resume(folder) if begun else gan.train(SMALL, folder=folder)
        assert outcome(run) == expected
    assert ended
    assert calls_left > 20


def attempt(folder):
    """The error, and whether it trained to the end."""
    try:
        return None, gan.train(SMALL, folder=folder).finished
    except (ArgumentError, OSError) as error:
        return error, False


def check_words(message, folder, number):
    """The file, the reason, the last whole checkpoint, and the command that goes on."""
    assert str(folder) in message
    assert f"could not be written: {os.strerror(number)}" in message
    there = [int(p.name) for p in checkpoint_files.list_checkpoints(folder / "checkpoints")]
    if there:
        words = rf"the checkpoint of step {max(there)} is whole: .* `ugan resume {folder}`"
    else:
        words = "there was no checkpoint yet: .* train again"
    assert re.search(words, message), message


PLACES = {
    "train": ["train", *TINY, "--out", "there/run"],
    "compare": ["compare", *TINY, "--out", "there/run"],
    "sweep": ["sweep", *TINY, "--out", "there/run"],
    "run": ["run", "bilinear", "--quick", "--out", "there/run"],
    "sample": ["sample", "run", "--out", "there/x.npy"],
    "report": ["report", "run", "--out", "there/x.html"],
    "bench": ["bench", "--out", "there/x.json"],
}


@pytest.mark.parametrize("name", PLACES)
def test_the_place_of_the_results_is_tried_before_the_work(name, elsewhere, monkeypatch, capsys):
    if name == "sweep":
        pytest.importorskip("distributed")
    (elsewhere / "there").write_text("a file, where there is to be a folder")
    worked = AssertionError("it began to work")
    for function in (
        "gan.training.loop.TrainStep.__call__", "gan.sweeps.cluster.take_first_steps", "gan.load",
        "bench.quick", "commands.run.Session",
    ):  # fmt: skip
        monkeypatch.setattr(
            f"tinygrad_ugan.{function}", lambda *_, **__: (_ for _ in ()).throw(worked)
        )
    assert exit_code(PLACES[name]) == 2
    message = output(capsys)
    assert re.search(r"(folder|out): expected a (folder|file) that can be written.*there", message)
    assert [path.name for path in elsewhere.iterdir()] == ["there"]


def test_a_full_disk_after_training_says_how_to_draw_again(elsewhere, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("tinygrad_ugan.commands.output.write_file", no_space)
        assert exit_code(["train", *TINY, "--out", "run"]) == 1
    message = output(capsys)
    assert "samples.png could not be written: No space left" in message
    assert "draw again by `ugan resume run`" in message
    main(["resume", "run"])
    assert (elsewhere / "run/samples.gif").exists()


def no_space(path, content):
    raise gan.WriteError(f"{path} could not be written: No space left on device")


def test_resuming_what_is_finished_needs_no_disk(elsewhere, monkeypatch, capsys):
    gan.train(SMALL, folder="run")
    with monkeypatch.context() as patch:
        patch.setattr("tinygrad_ugan.commands.output.write_file", no_space)
        main(["resume", "run"])
    message = output(capsys)
    assert "no new pictures: run/samples.png could not be written: No space" in message
    assert "results in run/" in message


def test_what_stands_in_for_a_file_is_not_replaced_by_one(elsewhere):
    atomic_io.write_file(Path("/dev/null"), "gone")
    assert not Path("/dev/null").is_file()
    (elsewhere / "link").symlink_to("target")
    atomic_io.write_file(Path("link"), "text")
    assert (elsewhere / "link").is_symlink()
    assert (elsewhere / "target").read_text() == "text"


@pytest.fixture
def small_disk(elsewhere):
    """A disk of 400 kB, where one may mount one."""
    place = elsewhere / "disk"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount):
        pytest.skip("needs mount")
    command = [mount, "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs to be allowed to mount")
    yield place
    subprocess.run([umount, str(place)], check=True)


def remount(place, option):
    subprocess.run([shutil.which("mount"), "-o", f"remount,{option}", str(place)], check=True)


def test_a_small_disk_fills_up_and_is_gone_on_with(small_disk, capsys):
    config = varied(steps=60, checkpoint_every=2, checkpoints=1000, evaluate_every=10)
    folder = small_disk / "run"
    with pytest.raises(OSError, match="could not be written: No space left") as error:
        gan.train(config, folder=folder)
    check_words(f"{error.value}; {error.value.__notes__[0]}", folder, errno.ENOSPC)
    assert not list(folder.rglob(".*"))
    for place in checkpoint_files.list_checkpoints(folder / "checkpoints")[:-1]:
        shutil.rmtree(place)
    remount(small_disk, "size=40M")
    assert outcome(gan.resume(folder)) == outcome(gan.train(config))


def test_a_disk_that_has_become_read_only(small_disk, capsys):
    gan.train(SMALL, folder=small_disk / "run")
    shutil.copytree(small_disk / "run", small_disk / "half")
    shutil.rmtree(small_disk / "half/checkpoints/00000004")
    remount(small_disk, "ro")
    main(["resume", str(small_disk / "run")])
    assert "no new pictures: folder: expected a folder that can be written to" in output(capsys)
    assert exit_code(["resume", str(small_disk / "half")]) == 2
    assert "folder: expected a folder that can be written to" in output(capsys)
    main(["sample", str(small_disk / "run"), "--out", "x.npy"])
    assert exit_code(["train", *TINY, "--out", str(small_disk / "new")]) == 2
    assert "Read-only file system" in output(capsys)
    assert exit_code(["report", str(small_disk / "run"), "--out", str(small_disk / "x.html")]) == 2
    assert "out: expected a file that can be written" in output(capsys)
