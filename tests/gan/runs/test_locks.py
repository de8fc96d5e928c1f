"""One writer at a time: who comes second to a folder is told who is at work there."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import atomic_io, checkpoint_files, locks
from tinygrad_ugan.gan.training.loop import start

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
ROUNDS = 40 if DEEP else 5
HERE = {**os.environ, "PYTHONPATH": str(Path(gan.__file__).parents[2])}

# Both begin each round within microseconds of each other, and say how it ended.
RACER = """
import json, sys, time
from tinygrad_ugan import gan
own, folder, rounds, what = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
config = gan.Config.from_json(sys.argv[5]).updated({"seed": own})
gan.train(config)  # kernels are compiled
print("ready", flush=True)
begin = float(sys.stdin.readline())
for i in range(rounds):
    while time.time() < begin + i * 0.5:
        pass
    place = f"{folder}/{i}"
    try:
        gan.train(config, folder=place) if what == "train" else gan.resume(place)
        print(json.dumps("won"), flush=True)
    except ValueError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
"""

HOLDER = """
import sys, time
from pathlib import Path
from tinygrad_ugan.gan.runs.locks import at_work
with at_work(Path(sys.argv[1])):
    print("ready", flush=True)
    {then}
"""


def race(folder, what, config):
    """The outcomes of two processes, round by round, and their numbers."""
    command = [sys.executable, "-c", RACER]
    racers = [
        subprocess.Popen(
            [*command, str(i), str(folder), str(ROUNDS), what, config.to_json()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=HERE,
        )
        for i in range(2)
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    begin = time.time() + 0.2
    for racer in racers:
        racer.stdin.write(f"{begin}\n")
        racer.stdin.flush()
    told = [racer.communicate(timeout=240)[0].splitlines() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert [len(each) for each in told] == [ROUNDS, ROUNDS]
    return [tuple(map(json.loads, pair)) for pair in zip(*told, strict=True)], [
        racer.pid for racer in racers
    ]


def check_round(outcomes, pids):
    """One won; the other says who was at work, or came when all was over. Returns the winner."""
    assert sorted(o == "won" for o in outcomes) == [False, True], outcomes
    winner = outcomes.index("won")
    words = outcomes[1 - winner]
    busy = f"where process {pids[winner]} on " in words and words.startswith("BusyError: folder")
    assert busy or "which holds a run" in words, words
    return winner, busy


def test_two_that_train_into_one_folder(tmp_path):
    config = varied(steps=400, evaluate_every=50, checkpoint_every=50)
    rounds, pids = race(tmp_path, "train", config)
    busy = 0
    for i, outcomes in enumerate(rounds):
        winner, was_busy = check_round(outcomes, pids)
        busy += was_busy
        folder = tmp_path / str(i)
        assert json.loads((folder / "config.json").read_text())["seed"] == winner
        for place in checkpoint_files.list_checkpoints(folder / "checkpoints"):
            assert checkpoint_files.read(place).config.seed == winner
        assert gan.load(folder).finished
        names = {path.name for path in folder.iterdir()}
        assert names == {"config.json", "metrics.csv", "checkpoints"}
    print(f"{busy} of {len(rounds)} losers were told who is at work")
    assert busy >= len(rounds) // 2


class StopAt(gan.Callback):
    def on_step(self, step, seconds, objectives):
        if step == 20:
            raise KeyboardInterrupt


def test_two_that_resume_one_run(tmp_path):
    config = varied(steps=400, evaluate_every=50, checkpoint_every=50)
    gan.train(config, folder=tmp_path / "begun", callbacks=[StopAt()])
    for i in range(ROUNDS):
        shutil.copytree(tmp_path / "begun", tmp_path / str(i))
    rounds, pids = race(tmp_path, "resume", config)
    expected = outcome(gan.train(config))
    busy = 0
    for i, outcomes in enumerate(rounds):
        if outcomes != ("won", "won"):  # else the second came to a finished run
            busy += check_round(outcomes, pids)[1]
        assert outcome(gan.load(tmp_path / str(i))) == expected
        assert not [*(tmp_path / str(i)).rglob(".*")]
    assert busy >= len(rounds) // 2


def test_a_second_writer_in_the_same_process(tmp_path):
    words = rf"folder: expected a folder that nobody else.* process {os.getpid()} on .*; wait until"
    seen = []

    def second():
        with pytest.raises(gan.BusyError, match=words), locks.at_work(tmp_path):
            pass
        seen.append(True)

    with locks.at_work(tmp_path):
        second()
        (thread := threading.Thread(target=second)).start()
        thread.join()
        # whoever only reads is not kept out
        with pytest.raises(ArgumentError, match="the folder of a run"):
            gan.load(tmp_path)
    assert len(seen) == 2
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "write",
    [
        lambda run, folder: gan.train(SMALL, folder=folder),
        lambda run, folder: gan.obtain(SMALL, folder),
        lambda run, folder: run.save(folder),
        lambda run, folder: gan.sweep(SMALL, {}, folder=folder),
    ],
)
def test_whoever_writes_asks_first(write, tmp_path):
    if write.__code__.co_names[-1] == "sweep":
        pytest.importorskip("distributed")
    run = gan.train(SMALL)
    with locks.at_work(tmp_path), pytest.raises(gan.BusyError):
        write(run, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_resuming_asks_first(tmp_path):
    run = gan.train(varied(steps=30), folder=tmp_path, callbacks=[StopAt()])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with locks.at_work(tmp_path):
        for go_on in (lambda: gan.resume(tmp_path), run.resume):
            with pytest.raises(gan.BusyError):
                go_on()
        assert gan.load(tmp_path).checkpoint.step == 20
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@contextlib.contextmanager
def held(folder, then="time.sleep(60)"):
    """Another process that is at work in the folder."""
    command = [sys.executable, "-c", HOLDER.replace("{then}", then), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=HERE) as holder:
        try:
            assert holder.stdout.readline() == "ready\n"
            yield holder
        finally:
            holder.kill()


@pytest.mark.skipif(not locks.HAS_FLOCK, reason="there, a lock outlives a kill")
def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    with held(tmp_path) as holder:
        with pytest.raises(gan.BusyError, match=f"process {holder.pid} on"):
            gan.train(SMALL, folder=tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / ".lock").exists()
    assert gan.train(SMALL, folder=tmp_path).finished
    assert not (tmp_path / ".lock").exists()


@pytest.mark.skipif(not locks.HAS_FLOCK, reason="there, a lock outlives a kill")
def test_a_number_that_another_process_has_by_now_locks_nothing(tmp_path):
    who = {"pid": os.getppid(), "host": "elsewhere", "since": "long ago"}
    (tmp_path / ".lock").write_text(json.dumps(who))
    assert gan.train(SMALL, folder=tmp_path).finished


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_lives_on_keeps_no_lock(tmp_path):
    then = """
    import os
    if os.fork() == 0:
        sys.stdout.close()
        time.sleep(60)
    """
    with held(tmp_path, then) as holder:
        holder.wait()
    with locks.at_work(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_ends_first_takes_no_lock_with_it(tmp_path):
    then = """
    import os
    if os.fork():
        os.wait()
        print("its child is gone", flush=True)
        time.sleep(60)
    """
    with held(tmp_path, then) as holder:
        assert holder.stdout.readline() == "its child is gone\n"
        with pytest.raises(gan.BusyError), locks.at_work(tmp_path):
            pass


def test_where_the_file_system_has_no_locks_the_file_is_one(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "flock", flock, raising=False)
    with locks.at_work(tmp_path):
        with pytest.raises(gan.BusyError), locks.at_work(tmp_path):
            pass
        assert (tmp_path / ".lock").exists()
    with locks.at_work(tmp_path):
        pass


def test_a_lock_that_says_nothing_is_one_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE", 0.05)
    with locks.at_work(tmp_path):
        (tmp_path / ".lock").write_text("")
        with pytest.raises(gan.BusyError, match="another process is at work"):
            gan.train(SMALL, folder=tmp_path)


def test_no_moment_without_a_checkpoint_while_it_is_replaced(tmp_path, monkeypatch):
    begun = start(SMALL)
    place = checkpoint_files.save(tmp_path, begun)
    moments = []

    def watched(name):
        before = getattr(Path, name)

        def call(self, *args, **kwargs):
            result = before(self, *args, **kwargs)
            assert checkpoint_files.list_checkpoints(tmp_path) == [place]
            assert checkpoint_files.read(place).step == 0
            moments.append(name)
            return result

        return call

    for name in ("rename", "mkdir"):
        monkeypatch.setattr(atomic_io.Path, name, watched(name))
    checkpoint_files.save(tmp_path, begun)
    assert moments.count("rename") >= 2
    assert [path.name for path in tmp_path.iterdir()] == ["00000000"]


def test_what_stands_in_for_a_checkpoint_is_put_back(tmp_path):
    """The process was killed between the two renames."""
    run = gan.train(SMALL, folder=tmp_path)
    place = tmp_path / "checkpoints/00000004"
    place.rename(place.with_name(".was-00000004"))
    assert outcome(gan.load(tmp_path)) == outcome(run)
    checkpoint_files.save(tmp_path / "checkpoints", gan.load(tmp_path, step=2).checkpoint)
    assert {p.name for p in place.parent.iterdir()} == {"00000002", "00000004"}
    assert outcome(gan.load(tmp_path)) == outcome(run)


def test_reading_a_run_that_is_being_written(tmp_path):
    config = varied(steps=60, checkpoint_every=1, checkpoints=1, evaluate_every=60)
    (
        writer := threading.Thread(target=gan.train, args=(config,), kwargs={"folder": tmp_path})
    ).start()
    seen = []
    while writer.is_alive():
        if checkpoint_files.list_checkpoints(tmp_path / "checkpoints"):
            seen.append(gan.load(tmp_path).checkpoint.step)
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
