import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from tinygrad_ugan import data
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

TABLE = np.array([[150.0, 3e-4, 7.0], [160.0, 1e-4, 7.0], [170.0, 5e-4, 7.0], [155.0, 0.0, 7.0]])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.csv"
    np.savetxt(path, TABLE, delimiter=",", header="a,b,c", comments="")
    return path


def drawn(samples, n=2_000):
    return samples.sample(n, np.random.default_rng(0), np.float64)


def test_rows_are_drawn_uniformly_as_they_are():
    samples = data.Samples(TABLE, standardize=False)
    rows, counts = np.unique(drawn(samples, 8_000), axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, TABLE[np.lexsort(TABLE.T[::-1])])
    np.testing.assert_allclose(counts / 8_000, 0.25, atol=4 * np.sqrt(3 / 16 / 8_000))
    np.testing.assert_array_equal(samples.inverse(rows), rows)
    assert len(samples) == 4


def test_standardised_rows_come_back_in_their_own_units():
    samples = data.Samples(TABLE)
    rows = np.unique(drawn(samples), axis=0)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(rows.std(axis=0), [1, 1, 0], atol=1e-14)  # the last is constant
    back = samples.inverse(rows)
    np.testing.assert_allclose(back, TABLE[np.lexsort(TABLE.T[::-1])], rtol=1e-12, atol=1e-18)


def test_the_dtype_of_the_data_is_that_of_the_inverse():
    single = data.Samples(TABLE.astype(np.float32))
    assert single.inverse(np.zeros((1, 3), np.float32)).dtype == np.float32
    assert data.Samples([[1], [2]]).inverse(np.zeros((1, 1), np.float32)).dtype == np.float64


def test_large_and_constant_columns_keep_their_digits():
    x = np.array([[1e9, 0.1], [1e9 + 1, 0.1]])
    samples = data.Samples(x)
    np.testing.assert_array_equal(np.unique(drawn(samples), axis=0), [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(samples.inverse([[-1, 0], [1, 0]]), x)


def test_images_share_one_mean_and_one_scale(rng):
    images = rng.integers(0, 256, (20, 3, 4), np.uint8)
    samples = data.Samples(images)
    assert (samples.dimension, samples.image_shape) == (12, (3, 4, 1))
    x = np.unique(drawn(samples), axis=0)
    assert x.mean() == pytest.approx(0, abs=1e-12)
    assert x.std() == pytest.approx(1)
    back = samples.inverse(x).reshape(-1, 3, 4)
    assert {y.round().astype(int).tobytes() for y in back} == {
        y.astype(int).tobytes() for y in images
    }
    assert data.Samples(rng.random((5, 3, 4, 3))).image_shape == (3, 4, 3)
    assert data.Samples(TABLE).image_shape is None


def test_a_line_of_numbers_is_a_column():
    assert data.Samples([1.0, 2.0]).dimension == 1


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ([], ArgumentError, r"source: expected one sample or more, got shape \(0,\)"),
        (np.ones((3, 0)), ArgumentError, "one sample or more"),
        (3.0, ArgumentError, r"shape \(n,\)"),
        (np.ones((2, 3, 4, 5)), ArgumentError, r"or \(n, height, width, 1 or 3\), got shape"),
        ([["a"]], ArgumentTypeError, "source: expected real numbers, got dtype <U1"),
        ([[1j]], ArgumentTypeError, "dtype complex128"),
        (np.array([[None]]), ArgumentTypeError, "dtype object"),
        ([[1.0, 2.0], [3.0, np.nan]], NonFiniteError, r"finite numbers, got nan at \[1, 1\]"),
        ([[1e300], [-1e300]], ArgumentError, "standardize: expected smaller numbers"),
    ],
)
def test_arrays_of_no_sense_are_refused(source, error, words):
    with pytest.raises(error, match=words):
        data.Samples(source)


def test_a_file_and_its_array_are_the_same_data(file):
    ours, theirs = data.Samples(file, columns=["c", "a"]), data.Samples(TABLE[:, [2, 0]])
    assert ours.sha256 == theirs.sha256
    np.testing.assert_array_equal(drawn(ours), drawn(theirs))
    assert theirs.file is None
    assert "x.csv: 4 of dimension 2" in repr(ours)
    assert repr(theirs) == "Samples(4 of dimension 2)"


def test_the_hash_is_of_shape_dtype_and_numbers():
    x = np.arange(6.0).reshape(2, 3)
    hashes = [data.Samples(a).sha256 for a in (x, x.T, x.reshape(3, 2), x.astype("f4"), x + 1)]
    assert len(set(hashes)) == 5
    big = data.Samples(x.astype(">f8")).sha256
    assert {data.Samples(x.astype(int)).sha256, data.Samples(np.asfortranarray(x)).sha256, big} == {
        hashes[0]
    }


def test_the_settings_of_a_file_read_it_again_unless_it_has_changed(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    samples = data.Samples("x.csv", columns=["a"], standardize=False)
    assert samples.file.path == os.path.join(os.getcwd(), "x.csv")  # from wherever it is resumed
    again = samples.file.load()
    assert again.file == samples.file
    np.testing.assert_array_equal(drawn(again), drawn(samples))
    file.write_text("a\n1\n2\n")
    with pytest.raises(
        ArgumentError, match=r"data.path: .* which has changed: sha256 .*put them b"
    ):
        samples.file.load()


def test_a_file_elsewhere_is_the_same_if_its_numbers_are(file, tmp_path):
    np.save(tmp_path / "x.npy", TABLE)
    one, two = data.Samples(file).file, data.Samples(tmp_path / "x.npy").file
    assert one.same_but_for_path(two)
    assert not one.same_but_for_path(dataclasses.replace(two, standardize=False))
    assert not one.same_but_for_path(data.Samples(tmp_path / "x.npy", standardize=False).file)
    assert not one.same_but_for_path(None)


def test_a_folder_of_images(tmp_path):
    for i in range(3):
        Image.new("L", (4, 5), 100 * i).save(tmp_path / f"{i}.png")
    samples = data.Samples(tmp_path, size=(3, 2))
    assert (samples.dimension, samples.image_shape) == (6, (3, 2, 1))
    assert samples.inverse(drawn(samples)).max() == pytest.approx(200 / 255)
    assert samples.file.load().file == samples.file
    assert data.Samples(tmp_path, grey=False).image_shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("no.csv", {}, "path: expected a file or a folder of images, got .*which is not there"),
        ("x.csv", {"size": (3, 3)}, r"size: expected none, unless for a folder of images, got"),
        ("x.csv", {"grey": True}, "grey: expected none"),
        ("x.csv", {"columns": ["d"]}, "columns: expected one of 'a', 'b', 'c', got 'd'"),
        ("x.csv", {"columns": [1]}, "columns: expected a list of names"),
        ("x.csv", {"size": (3,)}, "size: expected height and width"),
        ("x.txt", {}, "path: expected .csv, .npy, .npz, .parquet, or a folder of images, got"),
        (".", {"columns": ["a"]}, "columns: expected none for a folder of images"),
        (".", {}, "path: expected a folder of images"),
    ],
)
def test_files_and_options_of_no_sense_are_refused(name, options, words, file):
    (file.parent / "x.txt").write_text("1")
    with pytest.raises(ArgumentError, match=words):
        data.Samples(file.parent / name, **options)


def test_options_of_files_are_refused_for_arrays():
    for options in ({"columns": ["a"]}, {"size": (2, 2)}, {"grey": False}):
        with pytest.raises(ArgumentError, match=r"none for an array"):
            data.Samples(TABLE, **options)


LABELS = np.array([1, 0, 2, 0])


def test_labels_go_with_their_rows():
    samples = data.Samples(TABLE, labels=LABELS, standardize=False)
    x, labels = samples.sample(50, np.random.default_rng(0), np.float64)
    np.testing.assert_array_equal(
        x, data.Samples(TABLE, standardize=False).sample(50, np.random.default_rng(0), float)
    )
    places = (x[:, None] == TABLE).all(axis=2).argmax(axis=1)
    np.testing.assert_array_equal(labels, LABELS[places])
    assert (samples.classes, samples.class_names) == (3, ("0", "1", "2"))
    assert data.Samples(TABLE).classes == 0
    named = data.Samples(TABLE, labels=["b", "a", "c", "a"])
    assert named.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(named.sample(50, np.random.default_rng(0))[1], labels)


def test_the_hash_covers_the_labels():
    different = (None, LABELS, 2 - LABELS, ["b", "a", "c", "a"], ["b", "a", "d", "a"])
    assert len({data.Samples(TABLE, labels=labels).sha256 for labels in different}) == 5
    assert (
        data.Samples(TABLE, labels=LABELS.astype("u1")).sha256
        == data.Samples(TABLE, labels=LABELS.tolist()).sha256
    )


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (
            [0, 1],
            ArgumentError,
            r"labels: expected whole numbers from 0, .*4 rows, got shape \(2,\)",
        ),
        ([[0], [1], [0], [1]], ArgumentError, r"got shape \(4, 1\)"),
        ([0.0, 1.0, 0.0, 1.0], ArgumentTypeError, "labels: .*got dtype float64"),
        ([True, False, True, True], ArgumentTypeError, "got dtype bool"),
        ([0, 1, -1, 0], ArgumentError, "labels: expected whole numbers from 0, .*got -1"),
        ([0, 3, 1, 0], ArgumentError, "rows of every class, got up to 3, but none of class 2"),
        ([1, 1, 2, 2], ArgumentError, "got up to 2, but none of class 0"),
        ("kind", ArgumentError, "labels: expected none for an array, only for files"),
    ],
)
def test_labels_of_no_sense_are_refused(labels, error, words):
    with pytest.raises(error, match=words):
        data.Samples(TABLE, labels=labels)


def test_labels_of_a_file(file):
    file.write_text("a;kind\n1.5;cat\n2;dog\n3;cat\n")
    samples = data.Samples(file, labels="kind", delimiter=";")
    assert (samples.dimension, samples.class_names) == (1, ("cat", "dog"))
    assert samples.sha256 == data.Samples([[1.5], [2], [3]], labels=["cat", "dog", "cat"]).sha256
    again = samples.file.load()
    assert again.file == samples.file
    file.write_text("a;kind\n1.5;cat\n2;cat\n3;dog\n")
    with pytest.raises(ArgumentError, match=r"data.path: .* which has changed"):
        samples.file.load()
    with pytest.raises(ArgumentError, match="labels: expected for a file, the name of its column"):
        data.Samples(file, labels=[0, 1, 0], delimiter=";")
    np.save(file.with_suffix(".npy"), TABLE)
    with pytest.raises(ArgumentError, match=r"delimiter: expected none, unless for a .csv"):
        data.Samples(file.with_suffix(".npy"), delimiter=";")
    with pytest.raises(ArgumentError, match=r"delimiter: expected one of ',', ';', .*got ':'"):
        data.Samples(file, delimiter=":")


def test_a_subfolder_for_each_class(tmp_path):
    for name in ("cats/1", "dogs/1", "cats/deeper/2"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 5), 100 if "cats" in name else 200).save(path)
    samples = data.Samples(tmp_path, labels="folders", standardize=False)
    assert (samples.class_names, samples.image_shape) == (("cats", "dogs"), (5, 4, 1))
    x, labels = samples.sample(30, np.random.default_rng(0))
    np.testing.assert_array_equal(x[:, 0] > 0.5, labels == 1)
    assert samples.file.load().file == samples.file
    with pytest.raises(ArgumentError, match="labels: expected 'folders' for a folder of images"):
        data.Samples(tmp_path, labels="kind")
    Image.new("L", (4, 5)).save(tmp_path / "loose.png")
    with pytest.raises(ArgumentError, match=r"labels: expected images in subfolders, .*loose.png"):
        data.Samples(tmp_path, labels="folders")
