"""The commands as a user runs them."""

import csv
import json
import subprocess
import sys

import pytest

from tinygrad_ugan import bench, gan
from tinygrad_ugan.cli import main

TINY = [
    *("--networks.noise", "4", "--networks.generator", "8", "--networks.discriminator", "8"),
    *("--batch", "16", "--steps", "4", "--evaluate-every", "2"),
    *("--evaluation-samples", "50", "--pictures", "3"),
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_writes_its_folder(elsewhere, capsys):
    main(["train", *TINY, "--unroll.steps", "2", "--seed", "7"])
    folder = elsewhere / "runs" / "ring-K2-seed7"
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "metrics.csv", "samples.npz", "parameters.safetensors",
        "samples.png", "losses.png",
    }  # fmt: skip
    run = gan.load(folder)
    assert (run.config.seed, run.config.unroll.steps, run.finished) == (7, 2, True)
    with (folder / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "2", "4"]
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert "of 8" in capsys.readouterr().out


def test_a_second_run_gets_a_folder_of_its_own(elsewhere):
    for _ in range(2):
        main(["train", *TINY])
    names = sorted(path.name for path in (elsewhere / "runs").iterdir())
    assert names == ["ring-K10-seed0", "ring-K10-seed0-2"]


def test_compare_trains_every_seed_with_every_K(elsewhere, capsys):
    main(["compare", *TINY, "--unroll-steps", "0", "1", "--seeds", "3", "4", "--out", "out"])
    folders = {path.name for path in (elsewhere / "out").iterdir() if path.is_dir()}
    assert folders == {f"ring-K{K}-seed{seed}" for K in (0, 1) for seed in (3, 4)}
    one, two = (gan.load(elsewhere / "out" / f"ring-K{K}-seed3") for K in (0, 1))
    assert (one.samples[0] == two.samples[0]).all()  # the same initial weights
    assert (elsewhere / "out" / "samples-seed3.png").exists()
    assert (elsewhere / "out" / "losses-seed4.png").exists()
    assert (elsewhere / "out" / "table.txt").read_text() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--loss", "hinges"], "did you mean 'hinge'"),
        (["train", "--unroll.steps", "-1"], "unroll.steps: expected a whole number >= 0"),
        (["train", "--unroll.steps", "1.5"], "unroll.steps"),
        (["train", "--sed", "1"], "--seed"),
        (["compare", "--unroll-steps", "-3"], "unroll.steps"),
        (["bench", "--threads", "0"], "threads: expected a whole number >= 1"),
        (["tran"], "train"),
    ],
)
def test_mistakes_end_with_code_2_and_write_nothing(arguments, words, elsewhere, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    output = " ".join((lambda o: o.out + o.err)(capsys.readouterr()).split())
    assert words in output
    assert list(elsewhere.iterdir()) == []


def test_bench_shows_and_writes_its_figures(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(bench.quick.__globals__["importlib"].util, "find_spec", lambda module: None)
    main(["bench", "--games", "C", "--threads", "1", "--out", "out/bench.json"])
    (record,) = json.loads((elsewhere / "out" / "bench.json").read_text())["records"]
    assert (record["game"], record["threads"]) == ("C", 1)
    assert "figures in out/bench.json" in capsys.readouterr().out


def test_python_dash_m():
    command = [sys.executable, "-m", "tinygrad_ugan", "train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--unroll.steps" in done.stdout
