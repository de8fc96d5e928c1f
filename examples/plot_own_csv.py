r"""
A table of one's own: from a CSV file to samples in its units
=============================================================

``ug.data.Samples`` reads a file and trains on standardised columns: here the lengths and periods of
pendulums, :math:`T = 2 \pi \sqrt{l / g}`, measured with errors of 1 %. The generator knows
nothing of the law, nor of metres and seconds.

The lesson: what is a file is a dataset. Its units come back with the samples, and the physics with
them: the generated pendulums swing on Earth.
"""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
length = rng.uniform(0.2, 2.0, 500)
period = 2 * np.pi * np.sqrt(length / 9.81) * (1 + 0.01 * rng.standard_normal(500))
file = Path(tempfile.mkdtemp()) / "pendulums.csv"
np.savetxt(file, np.stack([length, period], axis=1), delimiter=",", header="l,T", comments="")

# %%
# All that it takes:

data = ug.data.Samples(file)
config = ug.gan.Config.miniature().updated({"networks.noise": 4, "steps": 1_500})
run = ug.gan.train(config, data=data)
samples = run.sample(1_000, rng)

# %%
# On the command line it is ``ugan train ring-miniature --data pendulums.csv``, and ``ugan sample``
# gives metres and seconds as well.

g = np.median(4 * np.pi**2 * samples[:, 0] / samples[:, 1] ** 2)
last = run.metrics[-1]
print(f"g = {g:.2f} m/s^2, precision {last.precision:.0%}, recall {last.recall:.0%}")
assert abs(g - 9.81) < 0.5
assert last.precision > 0.7

figure = Figure(figsize=(5, 3.4), layout="constrained")
axis = figure.subplots()
axis.plot(*samples.T, ".", markersize=3, label="generated")
axis.plot(length, period, "k.", markersize=2, label="measured")
axis.set(xlabel="length [m]", ylabel="period [s]", xlim=(0, 2.3), ylim=(0.6, 3.1))
axis.legend()
