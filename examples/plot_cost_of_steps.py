"""
The cost of unrolling is linear in K
====================================

Each unrolled step costs one gradient of the discriminator going forwards, and one Hessian-vector
product going back. So an exact gradient takes :math:`a + b K`: the price of looking ahead, which
musyoku's article on the Chainer implementation names as the weakness of unrolled GANs.

The lesson: the indirect term costs a constant factor over the detached gradient, whatever K is.
"""

import time

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
game = ug.gan.Game(ug.nn.MLP((16, 32, 32, 2)), ug.nn.MLP((2, 32, 32, 1)))
theta_g, theta_d = (n.init(rng) for n in (game.generator, game.discriminator))
batch = ug.gan.Batch(
    ug.data.ring(64, rng=rng, dtype=np.float32), rng.standard_normal((64, 16), np.float32)
)


def milliseconds(steps, method):
    started = time.perf_counter()
    ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=steps, lr=0.1, method=method)
    return 1e3 * (time.perf_counter() - started)


ks = np.array([1, 2, 5, 10, 20, 50, 100, 200])
figure = Figure(figsize=(5.6, 3.6), layout="constrained")
axis = figure.subplots()
for method in ("adjoint", "detached"):
    measured = np.array([np.median([milliseconds(k, method) for _ in range(5)]) for k in ks])
    slope, offset = np.polyfit(ks, measured, 1, w=1 / measured)
    misfit = np.abs(slope * ks + offset - measured) / measured
    print(f"{method}: {offset:.2f} ms + {slope:.2f} ms per step, off by {np.median(misfit):.0%}")
    (line,) = axis.loglog(ks, measured, "o", label=method)
    axis.loglog(ks, slope * ks + offset, color=line.get_color(), linewidth=1)
axis.set(xlabel="K", ylabel="milliseconds", title="time of one gradient, and a straight line")
axis.legend()
axis.grid(alpha=0.3)
