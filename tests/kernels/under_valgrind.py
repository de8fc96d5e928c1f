"""Random sweeps of odd sizes under valgrind's memcheck: ``python -m tests.kernels.under_valgrind``.

Valgrind knows no AVX-512; it presents a processor with AVX2, so that the kernels of that target are
what runs. The process exits with 1 if compiled kernels, which show as frames without a name, read
or write memory that is not theirs. A sweep that is given too short a batch shows first that
valgrind notices.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import given

from tests.kernels.sweeps import Setting, distance, flat, settings
from tinygrad_ugan import gan, nn
from tinygrad_ugan.kernels.addresses import ArraySignature
from tinygrad_ugan.kernels.sweep_program import SweepProgram
from tinygrad_ugan.kernels.target import host_target

KERNEL_FRAME = re.compile(r"(?:at|by) 0x[0-9A-F]+: \?\?\?\s*$", re.MULTILINE)
INVALID = re.compile(r"Invalid (?:read|write) of size")


def sweeps(count: int) -> None:
    """Run random sweeps in both dtypes."""

    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[hypothesis.Phase.generate],
    )
    @given(setting=settings())
    def run(setting):
        _, gradient = setting.run(host_target())
        assert distance(gradient, setting.expected()[1]) < 1e-12
        setting.run(host_target(), np.float32)

    print(f"kernels for {host_target().name}", flush=True)
    run()


def overrun() -> None:
    """Give a sweep a batch of fewer rows than it is made for, unchecked."""
    ArraySignature.check = lambda self, arrays: None
    game = gan.Game(nn.MLP((3, 5, 2)), nn.MLP((2, 7, 1)))
    setting = Setting(game, real=40, fake=40, steps=1)
    theta_g, theta_d, batch = setting.inputs()
    program = SweepProgram(setting.sweep(), host_target(), np.float64)
    short = batch.real[:20].copy()
    program.run(flat(theta_g), flat(theta_d), [short], [batch.noise], np.full((1, 1), 0.1))


def errors_of_kernels(log: str) -> list[str]:
    """The invalid accesses whose innermost frame is compiled code."""
    reports = re.split(r"(?m)^==\d+== \n", log)
    return [r for r in reports if INVALID.search(r) and KERNEL_FRAME.search(r.splitlines()[1])]


def check(count: int, spoil: bool) -> list[str]:
    """Run this module's sweeps under valgrind; return what it says of the kernels."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        options = ["--error-limit=no", "--undef-value-errors=no", f"--log-file={log}"]
        flags = ["--inside", f"--count={count}", *["--spoil"] * spoil]
        environment = {**os.environ, "PYTHONMALLOC": "malloc", "OPENBLAS_NUM_THREADS": "1"}
        valgrind = shutil.which("valgrind") or sys.exit("valgrind is not installed")
        subprocess.run(
            [valgrind, *options, sys.executable, "-m", __spec__.name, *flags],
            check=not spoil,
            env=environment,
        )
        return errors_of_kernels(log.read_text())


def main() -> int:
    """Return 1 if the kernels overstep, or valgrind does not notice when they are made to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=25, help="of the sweeps")
    parser.add_argument("--spoil", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        overrun() if given.spoil else sweeps(given.count)
        return 0
    if not check(1, spoil=True):
        print("valgrind does not see a sweep that oversteps its memory")
        return 1
    found = check(given.count, spoil=False)
    print("\n".join(found) or f"{given.count} sweeps in two dtypes: no access out of bounds")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
