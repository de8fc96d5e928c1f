"""What is shown and written follows from the figures."""

import json

from rich.console import Console

from tinygrad_ugan import bench


def record(**seconds):
    figures = {name: bench.Timing(t, 0.9 * t, 1.1 * t, 1e-7) for name, t in seconds.items()}
    return bench.Measurement("C", bench.WORKLOADS["C"], threads=2, figures=figures)


def shown(table):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_table_holds_medians_the_part_of_the_limit_and_ratios():
    text = shown(
        bench.table(
            [record(limit=1e-3, adjoint=2e-3, torch=8e-3), record(limit=1e-3, adjoint=4e-3)]
        )
    )
    assert "2, 50.0%" in text
    assert "8 (0.25)" in text
    assert "4, 25.0%" in text
    assert " - " in text  # torch, which has no figure there


def test_the_file_holds_everything_needed_to_check_the_ratios(tmp_path):
    path = tmp_path / "new" / "bench.json"
    bench.write(path, [record(limit=1e-3, adjoint=2e-3, torch=8e-3)], machine=bench.machine())
    report = json.loads(path.read_text())
    (entry,) = report["records"]
    assert entry["ours_to_rival"] == {"torch": 0.25}
    assert entry["fraction_of_limit"] == {"adjoint": 0.5, "torch": 0.125}
    assert entry["gigaflops"]["limit"] == 2e-9 * entry["multiply_adds"] / 1e-3
    assert entry["workload"]["discriminator"] == [2, 32, 32, 1]
    assert report["machine"]["cores"] >= 1
    assert "numpy" in report["machine"]["versions"]
