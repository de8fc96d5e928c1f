import numpy as np
import pytest

from tinygrad_ugan.data.tables import READERS, Wanted
from tinygrad_ugan.errors import ArgumentError

TABLE = np.array([[1.5, -2.0], [0.1, 3e-7], [5.0, 7.0]])


def read(path, *columns):
    table = READERS[path.suffix](path, Wanted(columns))
    assert table.labels is None
    return table.numbers


def read_labelled(path, labels, *columns, **wanted):
    return READERS[path.suffix](path, Wanted(columns, labels, **wanted))


def written(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1.5,-2\n.1,3e-7\n5,7\n",
        "1.5,-2\n0.1,0.0000003\n5,7",
        "\ufeffa, b\r\n1.5,-2\r\n\r\n 0.1 , 3e-7\r\n5,7\r\n\r\n",
        '"a","b, too"\n"1.5",-2\n0.1,3e-7\n5,7\n',
    ],
)
def test_csv_of_many_kinds(text, tmp_path):
    np.testing.assert_array_equal(read(written(tmp_path, text)), TABLE)


def test_columns_are_taken_by_name_in_the_order_given(tmp_path):
    path = written(tmp_path, "a,name,b\n1,x,2\n3,y,4\n")
    np.testing.assert_array_equal(read(path, "b", "a"), [[2, 1], [4, 3]])
    path = written(tmp_path, "1,2\n3,4\n")
    np.testing.assert_array_equal(read(path, "1"), [[2], [4]])


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("", (), "comma-separated values, got .*, which is empty"),
        ("\n \n", (), "one row or more"),
        ("a,b\n", (), "one row or more, got .*, which has names and no rows"),
        ("a,b\n1,x\n", (), r"a finite number, got .*, line 2, column 'b': 'x'; columns="),
        ("a,b\n1,2\n1,\n", (), r"line 3, column 'b': ''"),
        ("a,b\n1,2\n\nnan,2\n", (), r"a finite number, got .*, line 4, column 'a': 'nan'"),
        ("1,2\n3,inf\n", (), r"line 2, column '1': 'inf'"),
        ("a,b\n1,2\n1,2,3\n", (), r"expected 2, as in its first line, got .*, line 3: 3 values"),
        ("a,b\n1\n", (), r"line 2: 1 values"),
        ("a;b\n1;2\n", (), "delimiter=';', say"),
        ("1;2\n3;4\n", (), "delimiter=';', say"),
        ("1\t2\n3\t4\n", (), "delimiter=';', say"),
        ("1.0 2.0\n3.0 -4.0\n", (), "delimiter=';', say"),
        ("1,5;2,5\n3,5;4,5\n", (), "delimiter=';', say"),
        ("width,height\n1,2\n", ("widht",), "did you mean 'width'"),
        ("a,a\n1,2\n", ("a",), "names that it has once, got 'a', which .* has 2 times"),
        (b"a,b\n\xff\xfe,1\n", (), "comma-separated values, got .*utf-8"),
        ('a,b\n"1,2\n', (), "comma-separated values, got"),
        (b"a\x00,b\n1,2\x00\n", (), "line 2, column 'b'"),
    ],
)
def test_csv_that_is_no_table_of_numbers_is_refused(text, columns, words, tmp_path):
    with pytest.raises(ArgumentError, match=words):
        read(written(tmp_path, text), *columns)


@pytest.mark.parametrize(
    ("delimiter", "separator"), [(";", ";"), ("\t", "\t"), ("|", " | "), (" ", " ")]
)
def test_other_delimiters(delimiter, separator, tmp_path):
    path = written(tmp_path, separator.join("ab") + f"\n1.5{separator}-2\n")
    table = READERS[".csv"](path, Wanted(delimiter=delimiter))
    np.testing.assert_array_equal(table.numbers, [[1.5, -2]])


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (("0", " 1", "1"), [0, 1, 1]),
        (("2.000e+00", "0", "1"), [2, 0, 1]),
        (("cat", "dog ", "cat"), ["cat", "dog", "cat"]),
        (("1", "one", "2"), ["1", "one", "2"]),
    ],
)
def test_a_column_of_labels(cells, labels, tmp_path):
    rows = zip(cells, TABLE.tolist(), strict=True)
    text = "".join(f"{x},{cell},{y}\n" for cell, (x, y) in rows)
    table = read_labelled(written(tmp_path, f"a,kind,b\n{text}"), "kind")
    np.testing.assert_array_equal(table.numbers, TABLE)
    assert table.labels.tolist() == labels
    table = read_labelled(written(tmp_path, f"a,kind,b\n{text}"), "kind", "b")
    np.testing.assert_array_equal(table.numbers, TABLE[:, 1:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,0\n2,\n", r"labels: expected a whole number or a name, got .*, line 3, .*'b': ''"),
        ("a,b\n1,0\n2,0.5\n", r"a whole number or a name, got .*, line 3, column 'b': '0.5'"),
        ("a,b\n1,0\n2,nan\n", r"line 3, column 'b': 'nan'"),
        ("a,c\n1,0\n", r"labels: expected one of 'a', 'c', got 'b'"),
        ("b\n0\n", r"labels: expected a column beside those of the data, got 'b', the only"),
        ("a,b,b\n1,0,0\n", r"labels: expected names that it has once, got 'b'"),
    ],
)
def test_labels_of_no_sense_are_refused(text, words, tmp_path):
    with pytest.raises(ArgumentError, match=words):
        read_labelled(written(tmp_path, text), "b")


def test_an_array_of_labels(tmp_path):
    np.savez(tmp_path / "x.npz", x=TABLE, y=[0, 2, 1])
    np.save(tmp_path / "x.npy", TABLE)
    table = read_labelled(tmp_path / "x.npz", "y")
    np.testing.assert_array_equal(table.numbers, TABLE)
    assert table.labels.tolist() == [0, 2, 1]
    with pytest.raises(ArgumentError, match=r"labels: expected one of 'x', 'y', got 'z'"):
        read_labelled(tmp_path / "x.npz", "z")
    with pytest.raises(ArgumentError, match=r"labels: expected none: a .npy file"):
        read_labelled(tmp_path / "x.npy", "z")


def test_arrays(tmp_path):
    np.save(tmp_path / "x.npy", TABLE)
    np.savez(tmp_path / "x.npz", TABLE)
    np.savez(tmp_path / "two.npz", a=TABLE, b=TABLE + 1)
    np.testing.assert_array_equal(read(tmp_path / "x.npy"), TABLE)
    np.testing.assert_array_equal(read(tmp_path / "x.npz"), TABLE)
    np.testing.assert_array_equal(read(tmp_path / "two.npz", "b"), TABLE + 1)
    with pytest.raises(ArgumentError, match=r"the name of one array, got .* 'a', 'b'; columns="):
        read(tmp_path / "two.npz")
    with pytest.raises(ArgumentError, match=r"one of 'a', 'b', got 'c'"):
        read(tmp_path / "two.npz", "c")
    with pytest.raises(ArgumentError, match=r"a .npy file has no names"):
        read(tmp_path / "x.npy", "a")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00v\x00{", b"PK\x03\x04"])
def test_damaged_files_are_refused(suffix, content, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=r"^path: expected a (file of numbers|Parquet file)"):
        read(path)


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ArgumentError, match=r"path: expected a file of numbers"):
        read(tmp_path / "x.npy")


def test_an_array_under_the_suffix_of_an_archive_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", TABLE)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(ArgumentError, match=r"its suffix says something else"):
        read(tmp_path / "x.npz")


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"

    def write(**columns):
        parquet.write_table(pa.table(columns), path)

    write(a=TABLE[:, 0], b=TABLE[:, 1].astype(np.float32), c=["x", "y", "z"], d=[1, 2, 3])
    expected = np.stack([[1, 2, 3], TABLE[:, 0]], axis=1)
    np.testing.assert_array_equal(read(path, "d", "a"), expected)
    with pytest.raises(ArgumentError, match=r"numbers, got .*, column 'c' of string; columns="):
        read(path)
    with pytest.raises(ArgumentError, match=r"columns: expected one of"):
        read(path, "e")
    write(a=[1.0, None])
    with pytest.raises(ArgumentError, match=r"a value in every row, got .*'a': 1 values missing"):
        read(path)
    write(a=pa.array([], "double"))
    with pytest.raises(ArgumentError, match=r"which is empty"):
        read(path)
    write(a=[1.0, 2.0, 3.0], c=["x", "z", "x"])
    table = read_labelled(path, "c")
    np.testing.assert_array_equal(table.numbers, [[1], [2], [3]])
    assert table.labels.tolist() == ["x", "z", "x"]
    write(a=[1.0, 2.0], c=["x", None])
    with pytest.raises(ArgumentError, match=r"a value in every row, got .*'c': 1 values missing"):
        read_labelled(path, "c")
