r"""
What unrolling computes, and what most code leaves out
======================================================

The unrolled objective is computed in stages: samples :math:`x`, the discriminator's gradient
:math:`g_k` at each state :math:`\theta_k`, the next state :math:`\theta_{k+1} = \theta_k + \eta
g_k`, and :math:`f_K` in the end. Below is what the tape recorded: a grey arrow leads from one stage
to another if the second was computed from the first, and the gradient flows back along it.

To hold :math:`\theta_K` constant is to cut the arrows from :math:`g_k` to the next state. The blue
arrows are what is left of the gradient: the direct term. The red ones are the indirect term, which
most public code drops.

The lesson: there are two ways back from :math:`f_K` to the generator. One is straight; the other
leads through every state, from each to the step that made it, and from each step to the samples.
"""

import numpy as np
from matplotlib.figure import Figure

import tinygrad_ugan as ug

rng = np.random.default_rng(0)
game = ug.gan.Game(ug.nn.MLP((8, 16, 2), "relu"), ug.nn.MLP((2, 16, 1), "relu"))
theta_g, theta_d = (n.init(rng, np.float64) for n in (game.generator, game.discriminator))
batch = ug.gan.Batch(real=ug.data.ring(64, rng=rng), noise=rng.standard_normal((64, 8)))
place = (game, theta_g, theta_d, batch)

graphs = [ug.unroll.computation_graph(*place, steps=K, lr=0.1) for K in (2, 3)]
figure = Figure(figsize=(11, 3.8), layout="constrained")
for axis, graph in zip(figure.subplots(1, 2, width_ratios=[3.8, 4.8]), graphs, strict=True):
    ug.viz.computation_graph(axis, graph)
ug.viz.computation_legend(figure)

# %%
# The direct term has one way back, whatever K. The indirect one gains a step, with three arrows to
# and from it and one between states, for each K.

two, three = graphs
assert two.direct == three.direct == {("theta_G", "samples"), ("samples", "f")}
assert ("g_1", "theta_2") in two.indirect
assert len(three.indirect) - len(two.indirect) == 4

# %%
# The arrows are those of the gradient itself: as many steps contribute to the indirect term as have
# an arrow from the samples, and what is left without them is the detached gradient.

terms = ug.unroll.decompose(*place, steps=3, lr=0.1)
_, detached = ug.unroll.value_and_grad(*place, steps=3, lr=0.1, method="detached")
contributing = sum(ug.tree.norm(c) > 0 for c in terms.per_step)
assert contributing == sum(source == "samples" for source, _ in three.indirect) == 3
assert ug.tree.norm(ug.tree.axpy(-1.0, detached, terms.direct)) < 1e-12 * ug.tree.norm(detached)
