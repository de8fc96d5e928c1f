r"""
A conditional ring: every class on its own mode
===============================================

In a conditional GAN both networks see the label :math:`y` of a sample, one-hot beside their input
(Mirza and Osindero, 2014): :math:`G(z, y)` and :math:`D(x, y)`. Here the labels are the modes of
the ring. They are part of the batch, so that the unrolled steps of the discriminator

.. math:: \theta_{k+1} = \theta_k + \eta \, \frac{\partial}{\partial \theta}
          f(\theta_G, \theta_k; x, z, y)

see them too, and the gradient through these steps is exact as before.

The lesson: a setting makes a labelled dataset conditional, and the generator then makes the class
that it is asked for.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

data = ug.data.Ring(modes=4, std=0.1, labelled=True)
config = ug.gan.Config.miniature().updated(
    {
        "networks": {"noise": 4, "generator": (32,), "discriminator": (32,), "conditional": True},
        "unroll.steps": 5,
        "steps": 600,
    }
)
run = ug.gan.train(config, data=data)

# %%
# On the command line: ``ugan train ring-miniature --data.labelled --networks.conditional``, and
# ``ugan sample`` takes ``--label``.

rng = np.random.default_rng(0)
samples = [run.sample(500, rng, labels=label) for label in range(data.classes)]
centers = data.centers()
distances = np.linalg.norm(np.array(samples)[:, :, None] - centers, axis=3)
nearest = distances.argmin(axis=2)
own = [np.mean(nearest[label] == label) for label in range(data.classes)]
means = [x.mean(axis=0) for x in samples]
print("nearest to the mode of their class:", ", ".join(f"{share:.1%}" for share in own))
assert min(own) > 0.95
assert np.linalg.norm(means - centers, axis=1).max() < 0.5
assert run.metrics[-1].own_class > 0.95

figure = Figure(figsize=(4.2, 4), layout="constrained")
axis = figure.subplots()
for label, x in enumerate(samples):
    axis.plot(*x.T, ".", markersize=3, label=f"class {label}")
axis.plot(*centers.T, "k+", markersize=9)
axis.set(aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
axis.legend(loc="center")
