"""Files and folders are written whole or not at all, and checked when read."""

import pytest

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs.atomic_io import (
    CorruptError,
    WriteError,
    check_file_place,
    list_folders,
    read_folder,
    read_text,
    remove_folder,
    write_file,
    write_folder,
)

FILES = {"a": b"one", "b": b"two"}


def test_a_folder_comes_back_and_is_replaced(tmp_path):
    folder = tmp_path / "deep/folder"
    write_folder(folder, FILES)
    assert read_folder(folder, ("a", "b")) == FILES
    write_folder(folder, FILES | {"a": b"three"})
    assert read_folder(folder, ("a", "b"))["a"] == b"three"
    assert list_folders(folder.parent) == [folder]
    remove_folder(folder)
    assert list(folder.parent.iterdir()) == []


def test_a_changed_file_is_named(tmp_path):
    write_folder(tmp_path / "folder", FILES)
    (tmp_path / "folder/a").write_bytes(b"won")
    with pytest.raises(CorruptError, match="folder/a: expected the bytes"):
        read_folder(tmp_path / "folder", ("a", "b"))


def test_a_file_is_replaced_or_stays_as_it_was(tmp_path, monkeypatch):
    write_file(tmp_path / "file", "before")
    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(WriteError, match="file could not be written: full"):
            write_file(tmp_path / "file", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def test_a_place_is_tried_and_left_as_it_was(tmp_path):
    check_file_place("out", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_text("content")
    check_file_place("out", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "content"
    for path in (tmp_path, tmp_path / "old/file", tmp_path / "none/file"):
        with pytest.raises(ArgumentError, match="out: expected a file that can be written"):
            check_file_place("out", path)


def test_a_text_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    for name, words in (("large", "larger than"), ("binary", "decode"), ("none", "No such file")):
        with pytest.raises(ArgumentError, match=f"config: .*{name}: .*{words}"):
            read_text("config", tmp_path / name)
