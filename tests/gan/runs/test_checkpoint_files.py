"""Checkpoints: whatever happens to the bytes on disk, nothing wrong is ever loaded."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import atomic_io, checkpoint_files
from tinygrad_ugan.gan.runs.run_dir import RunDir
from tinygrad_ugan.gan.training.loop import start

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
TRUNCATIONS, FLIPS = (100, 500) if DEEP else (10, 25)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "run"
    gan.train(varied(unroll=gan.Unroll(0)), folder=folder)  # whose cosines are NaN
    return folder


def damaged(content, rng):
    """The content cut short, and with single bytes changed, at random places."""
    for length in {0, len(content) - 1, *rng.integers(len(content), size=TRUNCATIONS).tolist()}:
        yield content[:length]
    for place in rng.integers(len(content), size=FLIPS):
        other = bytearray(content)
        other[place] ^= rng.integers(1, 256)
        yield bytes(other)


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "SHA256SUMS"])
def test_every_damage_is_detected(name, saved, tmp_path, rng):
    folder = shutil.copytree(saved, tmp_path / "run")
    path = folder / "checkpoints/00000004" / name
    content = path.read_bytes()
    for bad in damaged(content, rng):
        path.write_bytes(bad)
        with pytest.raises(gan.CorruptError, match=r"00000004.*for --step: 2$"):
            gan.load(folder)
    path.write_bytes(content + b"\n")
    with pytest.raises(gan.CorruptError, match=name):
        gan.load(folder)
    path.unlink()
    with pytest.raises(gan.CorruptError, match=f"{name}: expected a readable file"):
        gan.resume(folder)
    assert gan.load(folder, step=2).checkpoint.step == 2


def test_going_back_keeps_what_it_went_back_to(tmp_path):
    """Resumed from step 2 because step 8 is damaged, step 4 must outlive its own saving."""
    config = varied(steps=8, checkpoints=1, checkpoint_every=2)
    begun = start(config)
    steps = {k: begun.state._replace(step=k) for k in (8, 2, 4)}
    for step, kept in ((8, {8}), (2, {2, 8}), (4, {4, 8})):
        checkpoint_files.save(tmp_path, dataclasses.replace(begun, state=steps[step]))
        assert {int(path.name) for path in checkpoint_files.list_checkpoints(tmp_path)} == kept


def test_what_is_written_is_what_is_read(saved):
    run = gan.load(saved)
    assert outcome(run) == outcome(gan.train(run.config))
    assert np.isnan(run.metrics[0].cosine)
    assert type(run.checkpoint.state.step) is int
    assert type(run.checkpoint.state.optimizer_g.steps) is int


@pytest.mark.parametrize(
    ("version", "hint"),
    [(checkpoint_files.FORMAT + 1, "upgrade tinygrad_ugan"), (1, "train again")],
)
def test_another_format_is_refused_with_the_reason(version, hint, saved, tmp_path):
    place = saved / "checkpoints/00000004"
    files = atomic_io.read_folder(place, ("state.json", "state.safetensors"))
    files["state.json"] = json.dumps(json.loads(files["state.json"]) | {"format": version}).encode()
    atomic_io.write_folder(tmp_path / "checkpoints/00000004", files)
    words = f"expected format {checkpoint_files.FORMAT}, got format {version}; {hint}"
    with pytest.raises(ArgumentError, match=words):
        gan.load(tmp_path)


def test_the_format_before_is_read_as_it_was(saved, tmp_path):
    """It had nothing handed in, and no setting that came later."""
    place = "checkpoints/00000004"
    files = atomic_io.read_folder(saved / place, ("state.json", "state.safetensors"))
    rest = json.loads(files["state.json"]) | {"format": 2}
    del rest["handed_in"], rest["config"]["game"]
    files["state.json"] = json.dumps(rest).encode()
    atomic_io.write_folder(tmp_path / place, files)
    assert outcome(gan.load(tmp_path)) == outcome(gan.load(saved))


def test_settings_that_came_later_are_filled_in(saved, tmp_path):
    place = "checkpoints/00000004"
    files = atomic_io.read_folder(saved / place, ("state.json", "state.safetensors"))
    rest = json.loads(files["state.json"])
    for name in checkpoint_files._LATER_SETTINGS:
        *groups, last = name.split(".")
        functools.reduce(dict.__getitem__, groups, rest["config"]).pop(last, None)
    files["state.json"] = json.dumps(rest).encode()
    atomic_io.write_folder(tmp_path / place, files)
    assert outcome(gan.load(tmp_path)) == outcome(gan.load(saved))


def test_a_folder_of_the_first_format_is_refused_with_the_reason(tmp_path):
    (tmp_path / "config.json").write_text(SMALL.to_json())
    (tmp_path / "parameters.safetensors").write_bytes(b"")
    with pytest.raises(ArgumentError, match=r"folder: .*in format 1, which kept no checkpoints"):
        gan.load(tmp_path)


def test_loading_what_is_no_run(tmp_path):
    with pytest.raises(ArgumentError, match=r"folder: expected the folder of a run.*no checkpoint"):
        gan.load(tmp_path / "nowhere")


def test_a_process_killed_in_a_write_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    """Stop at every call that touches the disk, as a kill would, then load and go on."""
    expected = outcome(gan.train(SMALL))
    for calls_left in range(0, 200, 1 if DEEP else 5):
        folder = tmp_path / str(calls_left)
        with monkeypatch.context() as patch:
            die_after(patch, calls_left)
            try:
                gan.train(SMALL, folder=folder)
                killed = False
            except Killed:
                killed = True
        for leftover in (folder / "checkpoints").glob("[0-9]*"):
            checkpoint_files.read(leftover)
        begun = RunDir(folder).holds_run
        run = gan.resume(folder) if begun else gan.train(SMALL, folder=folder)
        assert outcome(run) == expected
        assert "00000004" in {path.name for path in (folder / "checkpoints").iterdir()}
        if not killed:
            break
    assert 20 < calls_left < 195


class Killed(BaseException):
    pass


def die_after(patch, calls_left):
    """Let so many calls through, and none after them."""
    count = iter(range(10**6))

    def mortal(function):
        def call(*args, **kwargs):
            if next(count) >= calls_left:
                raise Killed
            return function(*args, **kwargs)

        return call

    for owner, name in (
        (atomic_io, "_write_durably"), (atomic_io, "_sync"), (atomic_io.Path, "rename"),
        (atomic_io.Path, "mkdir"), (atomic_io.shutil, "rmtree"), (atomic_io.Path, "replace"),
        (atomic_io.Path, "write_text"),
    ):  # fmt: skip
        patch.setattr(owner, name, mortal(getattr(owner, name)))


def test_the_sums_are_those_of_sha256sum(saved):
    if (sha256sum := shutil.which("sha256sum")) is None:
        pytest.skip("needs sha256sum")
    command = [sha256sum, "--check", "--strict", "SHA256SUMS"]
    subprocess.run(command, cwd=saved / "checkpoints/00000004", check=True)
