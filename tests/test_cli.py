"""The commands as a user runs them."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gan.small import SMALL, outcome
from tinygrad_ugan import bench, cli, gan
from tinygrad_ugan.cli import main
from tinygrad_ugan.commands.output import new_folder

TINY = [
    *("--networks.noise", "4", "--networks.generator", "8", "--networks.discriminator", "8"),
    *("--batch", "16", "--steps", "4", "--evaluate-every", "2"),
    *("--evaluation-samples", "50", "--pictures", "3"),
]
# a process started elsewhere is to find this package, not one that happens to be installed
HERE = {**os.environ, "PYTHONPATH": str(Path(gan.__file__).parents[2])}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exit_code(arguments):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    return error.value.code


def output(capsys):
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).replace("│", " ").split())


def test_train_writes_its_folder(elsewhere, capsys):
    main(["train", *TINY, "--unroll.steps", "2", "--seed", "7"])
    folder = elsewhere / "runs" / "ring-K2-seed7"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "metrics.csv", "checkpoints", "samples.png", "losses.png", "gradients.png",
        "surface.png", "samples.gif",
    }  # fmt: skip
    run = gan.load(folder)
    assert (run.config.seed, run.config.unroll.steps, run.finished) == (7, 2, True)
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "2", "4"]
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    with Image.open(folder / "samples.gif") as animation:
        assert animation.n_frames == 3
    assert "of 8" in capsys.readouterr().out


def test_settings_come_from_preset_then_file_then_arguments(elsewhere):
    (elsewhere / "some.toml").write_text("seed = 1\nunroll.steps = 3\ndata.side = 2\n")
    main(["train", "grid", *TINY, "--config", "some.toml", "--seed", "2", "--out", "run"])
    config = gan.load("run").config
    assert config.data == gan.Grid(side=2)
    assert (config.seed, config.unroll.steps, config.steps) == (2, 3, 4)


def test_no_result_is_overwritten(elsewhere, capsys):
    assert [new_folder("a").name for _ in range(2)] == ["a", "a"]
    (elsewhere / "runs/a").mkdir(parents=True)
    (elsewhere / "runs/a-2").mkdir()
    assert new_folder("a").name == "a-3"
    gan.train(SMALL, folder="run")
    assert exit_code(["train", *TINY, "--out", "run"]) == 2
    assert "go on with it by `ugan resume`" in output(capsys)


def test_resume_goes_on(elsewhere, capsys):
    expected = outcome(gan.train(SMALL, folder="run"))
    shutil.rmtree(elsewhere / "run/checkpoints/00000004")
    main(["resume", "run"])
    assert outcome(gan.load("run")) == expected
    assert "results in run/" in capsys.readouterr().out


def test_compare_trains_every_seed_with_every_K(elsewhere, capsys):
    arguments = ["compare", *TINY, "--unroll-steps", "0", "1", "--seeds", "3", "4", "--out", "out"]
    main(arguments)
    folders = {path.name for path in (elsewhere / "out").iterdir() if path.is_dir()}
    assert folders == {f"unroll.steps={K},seed={seed}" for K in (0, 1) for seed in (3, 4)}
    one, two = (gan.load(elsewhere / f"out/unroll.steps={K},seed=3") for K in (0, 1))
    assert (one.samples[0] == two.samples[0]).all()  # the same initial weights
    assert (elsewhere / "out" / "samples-seed3.png").exists()
    assert (elsewhere / "out" / "losses-seed4.png").exists()
    assert (elsewhere / "out" / "table.txt").read_text() in capsys.readouterr().out
    stamp = (elsewhere / "out/unroll.steps=0,seed=3/checkpoints").stat().st_mtime_ns
    main(arguments)  # what is there is not trained again
    assert (elsewhere / "out/unroll.steps=0,seed=3/checkpoints").stat().st_mtime_ns == stamp


def test_compare_methods(elsewhere):
    methods = ["--methods", "adjoint", "detached", "--unroll-steps", "1"]
    main(["compare", *TINY, *methods, "--out", "out"])
    one, two = (
        gan.load(f"out/unroll.steps=1,unroll.method={name},seed=0")
        for name in ("adjoint", "detached")
    )
    assert (one.samples[0] == two.samples[0]).all()
    assert (one.samples[-1] != two.samples[-1]).any()


def test_sample(elsewhere):
    gan.train(SMALL, folder="run")
    for name in ("x.npy", "x.csv", "x.png"):
        main(["sample", "run", "--n", "30", "--seed", "5", "--out", name])
    expected = gan.load("run").sample(30, np.random.default_rng(5))
    assert np.load("x.npy").tobytes() == expected.tobytes()
    written = np.loadtxt("x.csv", delimiter=",", skiprows=1, dtype=np.float32)
    assert written.tobytes() == expected.tobytes()
    assert (elsewhere / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_leaves_the_finite_numbers_ends_with_code_1(elsewhere, capsys):
    wild = ["--generator-optimizer.lr", "1e30", "--generator-optimizer.method", "sgd"]
    assert exit_code(["train", *TINY, *wild, "--steps", "20", "--out", "run"]) == 1
    message = output(capsys)
    assert "training: expected finite numbers, got at step" in message
    assert "take that step again by `ugan replay run`" in message
    assert exit_code(["replay", "run"]) == 1
    assert "expected finite numbers, got a NaN or infinity" in output(capsys)


def test_a_damaged_checkpoint_ends_with_code_2(elsewhere, capsys):
    gan.train(SMALL, folder="run")
    path = elsewhere / "run/checkpoints/00000004/state.json"
    path.write_bytes(path.read_bytes()[:-5])
    for command in ("resume", "sample"):
        assert exit_code([command, "run"]) == 2
        message = output(capsys)
        assert "state.json: expected the bytes that its checksum was made from" in message
        assert "for --step: 2" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--loss", "hinges"], "did you mean 'hinge'"),
        (["train", "--unroll.steps", "-1"], "unroll: steps: expected a whole number >= 0"),
        (["train", "--unroll.steps", "1.5"], "unroll.steps"),
        (["train", "--sed", "1"], "--seed"),
        (["train", "rings"], "preset: expected one of"),
        (["train", "--seed", "3", "grid"], "preset: expected its name right after the command"),
        (["train", "--decay=perhaps"], "got '--decay=perhaps'"),
        (["train", "--config", "none.toml"], "config: expected a file that can be read"),
        (["train", "--config", "none.yaml"], "config's suffix: expected one of"),
        (["compare", "--unroll-steps", "-3"], "unroll.steps"),
        (["bench", "--threads", "0"], "threads: expected a whole number >= 1"),
        (["compare", "--unroll-steps"], "unroll.steps: expected a list of one or more values"),
        (["compare", "--methods", "exact"], "unroll.method: expected one of"),
        (["compare", "--seeds", "1", "1"], "vary: expected values and seeds that differ"),
        (
            ["sweep", "--vary", "batch=8", "--vary=steps=2"],
            "--vary: expected at most once, got 2 times; all of them behind one: --vary A B",
        ),
        (["resume"], "FOLDER"),
        (["resume", "nowhere"], "folder: expected the folder of a run"),
        (["sample", "nowhere", "--n", "0"], "n: expected a whole number >= 1"),
        (["sample", "nowhere", "--out", "x.txt"], "out's suffix: expected one of"),
        (["tran"], "did you mean 'train'"),
        (["audit"], "gradient: expected either --gradient or --callable, got neither"),
        (["audit", "--gradient", "x.npz", "--callable", "a:b"], "got both"),
        (["audit", "--gradient", "x.npz"], "game: expected a TOML file"),
        (["audit", "--gradient", "x.npz", "--game", "x.toml"], "game: expected a TOML file that"),
        (["audit", "--callable", "numpy"], "callable: expected package.module:make_step"),
        (["audit", "--callable", "numpy:nothing"], "no function nothing in numpy"),
        (["audit", "--callable", "no.such:thing"], "No module named 'no'"),
    ],
)
def test_mistakes_end_with_code_2_and_write_nothing(arguments, words, elsewhere, capsys):
    assert exit_code(arguments) == 2
    assert words in output(capsys)
    assert list(elsewhere.iterdir()) == []


def test_bench_shows_and_writes_its_figures(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(bench.quick.__globals__["importlib"].util, "find_spec", lambda module: None)
    main(["bench", "--games", "C", "--threads", "1", "--out", "out/bench.json"])
    (record,) = json.loads((elsewhere / "out" / "bench.json").read_text())["records"]
    assert (record["game"], record["threads"]) == ("C", 1)
    assert "figures in out/bench.json" in capsys.readouterr().out


def test_a_mistake_in_a_file_names_file_and_setting(elsewhere, capsys):
    (elsewhere / "x.json").write_text(json.dumps({"unroll": {"stepz": 3}}))
    assert exit_code(["train", "--config=x.json"]) == 2
    assert "x.json: unroll.stepz: expected one of" in output(capsys)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_ctrl_c_saves_and_tells_how_to_go_on(elsewhere):
    endless = ["--steps", "1000000", "--pictures", "1", "--out", "run", "--evaluate-every", "1"]
    command = [sys.executable, "-m", "tinygrad_ugan", "train", *TINY, *endless]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=HERE) as process:
        until = time.monotonic() + 30
        rows = elsewhere / "run/metrics.csv"
        while not rows.exists() or rows.read_text().count("\n") < 5:  # it has begun to train
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert b"interrupted; go on with: ugan resume run" in out
    assert 0 < gan.load("run").checkpoint.step < 1_000_000


def test_ctrl_c_before_training_ends_with_code_130(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.tyro, "cli", interrupt)
    assert exit_code(["list"]) == 130


def test_help_lists_every_command(capsys):
    main([])
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_every_command(name, capsys):
    assert exit_code([name, "--help"]) == 0
    assert f"usage: ugan {name}" in capsys.readouterr().out


def test_python_dash_m():
    command = [sys.executable, "-m", "tinygrad_ugan", "train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=HERE)
    assert "--unroll.steps" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error():
    command = [sys.executable, "-m", "tinygrad_ugan", "train", "--help"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **streams, env=HERE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
