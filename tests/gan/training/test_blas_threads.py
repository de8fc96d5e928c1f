"""A run has the same bits whatever the number of BLAS's threads: data, initial weights, metrics."""

import os
import subprocess
import sys

from tinygrad_ugan.kernels.blas_threads import SETTINGS

CODE = """
import hashlib
from tests.gan.small import outcome, varied
from tinygrad_ugan import gan

networks = gan.Networks(noise=4, generator=(600,), discriminator=(8,))
for data in (gan.Embedded(), gan.Ring()):
    config = varied(data=data, networks=networks, steps=2, evaluation_samples=2_500)
    bits = outcome(gan.train(config, progress=False))
    print(hashlib.sha256(repr(bits).encode()).hexdigest())
"""


def hashes(threads):
    rest = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    setting = {} if threads is None else {"OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, env=rest | setting, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_bits_are_the_same():
    assert hashes(None) == hashes(1)
