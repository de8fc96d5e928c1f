import pytest
from matplotlib.figure import Figure

from tinygrad_ugan.viz.labels import plain


@pytest.mark.parametrize(
    ("name", "shown"),
    [("ring", "ring"), ("$x$", r"\$x\$"), ("_x", " _x"), ("a\nb\x07", r"a\nb\x07"), ("", "")],
)
def test_letter_by_letter(name, shown):
    assert plain(name) == shown


def test_a_long_name_loses_its_middle():
    shown = plain(f"{'a' * 100}{'b' * 100}")
    assert len(shown) == 60
    assert set(shown) == {"a", ".", "b"}


def test_a_legend_leaves_none_out():
    figure = Figure()
    axis = figure.subplots()
    for name in ("_hidden", "shown"):
        axis.plot([0, 1], label=plain(name))
    assert len(axis.legend().get_texts()) == 2
