"""The cache of machine code: whatever happens to it, programs run."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.emitter import Emitter

TARGET = TARGETS["avx2"]
LOAD_SOME = """
from tests.kernels.test_jit_cache import load
for i in range(50):
    assert load(f"nothing_{i}")
"""


def build(name):
    return Emitter(name, TARGET, "float64").finish()


def load(name="nothing"):
    """What a process does that has not loaded anything."""
    jit_cache._addresses.clear()
    jit_cache._loaded.clear()
    return jit_cache.load_function(name, TARGET, lambda: build(name))


def refuse():
    raise AssertionError("the object is in the cache")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(jit_cache, "_addresses", {})
    monkeypatch.setattr(jit_cache, "_loaded", {})
    monkeypatch.setenv(jit_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_second_process_finds_the_object(cache):
    assert load()
    assert len(list(cache.iterdir())) == 1
    jit_cache._addresses.clear()
    jit_cache._loaded.clear()
    assert jit_cache.load_function("nothing", TARGET, refuse)


@pytest.mark.parametrize("damage", [b"", b"short", bytes(1000)], ids=["empty", "short", "zeros"])
def test_a_damaged_object_is_made_again(cache, damage):
    load()
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert load()
    assert path.read_bytes() == whole


def test_objects_of_another_source_are_others(tmp_path, monkeypatch):
    monkeypatch.setattr(jit_cache, "__file__", str(tmp_path / "kernels" / "jit_cache.py"))
    found = set()
    for room in ("kernels", "compile"):
        (tmp_path / room).mkdir()
    names = ("kernels/a.py", "kernels/a.py", "compile/b.py", "kernels/a.txt")
    for text, name in enumerate(names):
        (tmp_path / name).write_text(str(text))
        found.add(jit_cache._fingerprint.__wrapped__())
    assert len(found) == 3  # what is no source does not count


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv(jit_cache.CACHE_VARIABLE, str(file / "no folder"))
    assert load()


def test_the_users_folder_serves_where_the_package_is_read_only(tmp_path, monkeypatch):
    monkeypatch.delenv(jit_cache.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    package = tmp_path / "file" / "package"
    package.parent.touch()
    monkeypatch.setattr(jit_cache, "__file__", str(package / "jit_cache.py"))
    assert load()
    assert [f.suffix for f in (tmp_path / "tinygrad_ugan").iterdir()] == [".o"]


def test_nothing_is_left_behind_where_the_object_cannot_be_put_in_place(cache, monkeypatch):
    def replace(self, target):
        raise PermissionError(target)

    monkeypatch.setattr(Path, "replace", replace)
    assert load()
    assert not list(cache.iterdir())


def test_processes_that_start_together(cache):
    processes = [
        subprocess.Popen([sys.executable, "-c", LOAD_SOME], stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [p.wait(60) for p in processes] == [0, 0]
    assert [f.suffix for f in cache.iterdir()] == 50 * [".o"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_loads_though_its_parent_was_loading():
    building, forked = threading.Event(), threading.Event()

    def slowly():
        building.set()
        forked.wait(0.2)
        return build("slow")

    thread = threading.Thread(target=jit_cache.load_function, args=("slow", TARGET, slowly))
    thread.start()
    building.wait()
    child = os.fork()
    if not child:
        signal.alarm(20)  # instead of waiting for ever
        os._exit(not jit_cache.load_function("quick", TARGET, lambda: build("quick")))
    forked.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_machine_code_is_given_back_with_its_last_user():
    def get():
        return jit_cache.load_module("module", ["nothing"], TARGET, lambda: build("nothing"))

    jit_cache._loaded = weakref.WeakValueDictionary()
    first, second = get(), get()
    assert first is second
    engine = weakref.ref(first.engine)
    del first
    gc.collect()
    assert engine() is not None
    del second
    gc.collect()
    assert engine() is None
    assert not jit_cache._loaded
    assert get().addresses[0]


def test_kernels_stay():
    load()
    engine = weakref.ref(jit_cache._kernels[-1].engine)
    gc.collect()
    assert engine() is not None


def test_old_objects_of_compiled_functions_are_removed(cache, monkeypatch):
    monkeypatch.setattr(jit_cache, "_MOST_PROGRAMS", 3)
    load("kernel")
    for i in range(5):
        load(f"{jit_cache.PROGRAM}{i}")
        (path,) = cache.glob(f"{jit_cache.PROGRAM}{i}-*.o")
        os.utime(path, (i, i))
    names = sorted(path.name.partition("-")[0] for path in cache.iterdir())
    assert names == ["kernel", *(f"{jit_cache.PROGRAM}{i}" for i in (2, 3, 4))]
