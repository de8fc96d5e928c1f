"""Training in a process that is killed without warning, and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.gan.small import outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.gan.runs import checkpoint_files
from tinygrad_ugan.gan.runs.run_dir import RunDir

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
TRIALS, STEPS = (50, 1_000) if DEEP else (2, 60)
CONFIG = varied(steps=STEPS, evaluate_every=40, checkpoints=3, pictures=3)
PROGRAM = """
import sys
from tinygrad_ugan import gan
config = gan.Config.from_json(sys.argv[1])
print("ready", flush=True)
gan.train(config, folder=sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("checkpoint_every", [1, 20])
def test_a_killed_run_goes_on_to_the_same_bits(checkpoint_every, tmp_path):
    config = CONFIG.updated({"checkpoint_every": checkpoint_every})
    started = time.perf_counter()
    expected = outcome(gan.train(config, folder=tmp_path / "undisturbed"))
    duration = time.perf_counter() - started
    rng = np.random.default_rng(checkpoint_every)
    halfway = 0
    for trial in range(TRIALS // 2):
        folder = tmp_path / str(trial)
        killed = train_and_kill(config, folder, after=rng.uniform(0, duration))
        for place in checkpoint_files.list_checkpoints(folder / "checkpoints"):
            checkpoint_files.read(place)  # none is unreadable
        if killed and RunDir(folder).holds_run:
            halfway += 1
            run = gan.resume(folder)
        elif killed:
            run = gan.train(config, folder=folder)
        else:
            run = gan.load(folder)
        assert outcome(run) == expected
    print(f"killed midway: {halfway} of {TRIALS // 2}")
    assert halfway >= TRIALS // 4


def train_and_kill(config, folder, *, after):
    """Whether the process was killed before its end."""
    command = [sys.executable, "-c", PROGRAM, config.to_json(), str(folder)]
    here = {**os.environ, "PYTHONPATH": str(Path(gan.__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=here) as process:
        process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL
