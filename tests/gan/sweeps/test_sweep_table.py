import numpy as np
import pytest

from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.sweep_table import METRICS, SweepTable, identity_columns, result_row

LAST = gan.Row(3, 0.5, *[0.25] * 15, {"loss": 2.0})
ROWS = [
    result_row(identity_columns({"loss": "hinge", "seconds": None}, 1, "a"), "done", last=LAST),
    result_row(identity_columns({"loss": "hinge", "seconds": 7}, 2, "b"), "failed", 'x, "y"\nz'),
]


def test_columns_are_arrays_and_a_metric_never_hides_a_setting():
    table = SweepTable(tuple(ROWS))
    assert table["loss"].tolist() == ["hinge", "hinge"]
    assert table["seconds"].tolist() == ["None", 7]
    np.testing.assert_array_equal(table["metrics.loss"], [2, np.nan])
    np.testing.assert_array_equal(table["metrics.seconds"], [0.5, np.nan])
    assert table.done["step"].dtype.kind == "i"
    assert table.by(["loss", "seed"])["hinge", 2].rows == (ROWS[1],)
    with pytest.raises(ArgumentError, match=r"column: expected one of .*, got 'mode'; did you"):
        table["mode"]


def test_the_table_of_failures_alone_has_all_columns():
    table = SweepTable((ROWS[1],))
    assert set(METRICS) <= set(table.names)
    assert np.isnan(table["modes"]).all()


def test_as_text_and_as_a_data_frame():
    pd = pytest.importorskip("pandas")
    import io

    table = SweepTable(tuple(ROWS))
    read = pd.read_csv(io.StringIO(table.to_csv()), keep_default_na=False)
    assert read["error"].tolist() == ["", 'x, "y"\nz']
    assert read["metrics.loss"].tolist() == ["2.0", ""]
    frame = table.to_pandas()
    assert list(frame.columns) == table.names
    assert frame["modes"].isna().tolist() == [False, True]
