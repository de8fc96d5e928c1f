"""What is written of an outcome, and the command's exit code."""

import csv
import json

import pytest
from matplotlib.figure import Figure

from tinygrad_ugan.cli import main
from tinygrad_ugan.commands import run as command
from tinygrad_ugan.experiments import Claim, Experiment, Outcome, Session, write_page

ROWS = [{"K": 0, "modes": 1.0}, {"K": 10, "modes": 7.666}]


def outcome(holds):
    claims = [Claim("all modes", "7.67", holds)]
    longer = {"runs": [{"seed": 3}, {"seed": 4}]}
    return Outcome(claims, ROWS, {"curve": Figure()}, {"eta": 0.1}, tables=longer)


def experiment(holds):
    return Experiment("toy", "nothing", "a paper", "A page.", lambda session: outcome(holds))


def test_page(tmp_path):
    session = Session([3, 4], quick=True)
    write_page(tmp_path / "new", experiment(False), outcome(False), session)
    page = (tmp_path / "new/README.md").read_text()
    assert "| all modes | 7.67 | **missed** |" in page
    assert "| 10 | 7.666 |" in page
    assert "ugan run toy --quick" in page
    assert "In miniature (`--quick`), seeds 3, 4." in page
    record = json.loads((tmp_path / "new/results.json").read_text())
    assert record["seeds"] == [3, 4]
    assert record["rows"] == ROWS
    assert record["settings"] == {"eta": 0.1}
    with (tmp_path / "new/table.csv").open() as file:
        assert [row["modes"] for row in csv.DictReader(file)] == ["1.0", "7.666"]
    assert "[runs.csv](runs.csv)" in page
    assert (tmp_path / "new/runs.csv").read_text() == "seed\n3\n4\n"
    assert (tmp_path / "new/curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_full_run_is_not_called_a_miniature(tmp_path):
    write_page(tmp_path, experiment(True), outcome(True), Session([3]))
    assert "miniature" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(("holds", "code"), [(True, None), (False, 1)])
def test_exit_code(holds, code, tmp_path, monkeypatch):
    monkeypatch.setattr(command.experiments, "find", lambda name: experiment(holds))
    arguments = ["run", "toy", "--out", str(tmp_path)]
    if code is None:
        main(arguments)
        return
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == code
