import pytest

from tinygrad_ugan.gan.sweeps.sweep_progress import progress_bar


@pytest.mark.parametrize("shown", [True, False])
def test_runs_are_counted_and_failures_named(shown, capsys):
    with progress_bar(2, shown=shown) as ended:
        ended("a", "")
        ended("b\x1b[31m", "ValueError: [red]x")
    found = capsys.readouterr()
    assert found.out == ""
    assert ("2/2 runs" in found.err) is shown
    assert (r"failed: b\x1b[31m: ValueError: [red]x" in found.err) is shown
