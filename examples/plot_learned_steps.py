r"""
Step sizes learned while training
=================================

How long are the K steps to be that an unrolled GAN looks ahead? The steps stand for the answer of a
discriminator that is as strong as it can be, so their sizes :math:`\eta_0 \ldots \eta_{K-1}` can be
trained for that: they ascend :math:`f_K(\eta)`, the minimax objective after the steps, on data that
the steps have not seen, while the generator descends it. The gradient is
:math:`d f_K / d \eta_k = \langle \lambda_{k+1}, g_k \rangle`, which the kernels compute along with
the generator's; ``ug.grad`` of ``value_and_grad`` gives the same.

The lesson: training that keeps step sizes of 0.01, or of 1.0, fails. Learned from either start,
they soon are about 1 and shrink as the players settle, long and short ones in turn, and all modes
are found.
"""

import numpy as np
import optree
from matplotlib.figure import Figure

import tinygrad_ugan as ug

config, STEPS, ROUNDS, ring = ug.gan.Config.miniature(), 5, 2000, ug.data.Ring()
game = config.build_game()


def draw_batch(rng):
    noise = rng.standard_normal((config.batch, config.networks.noise), np.float32)
    return ug.gan.Batch(ring.sample(config.batch, rng, np.float32), noise)


def train(lr, learned):
    """Train both players, and beside them the logarithms of the step sizes if these are learned."""
    rng = np.random.default_rng(0)
    players = [network.init(rng) for network in (game.generator, game.discriminator)]
    params = [*players, np.full(STEPS, np.log(lr))]
    optimizers = [ug.optim.Adam(2e-3, 0.5), ug.optim.Adam(2e-3, 0.5), ug.optim.Adam(0.03)]
    states, path = [o.init(x) for o, x in zip(optimizers, params, strict=True)], []
    for i in range(ROUNDS):
        theta_g, theta_d, log_lr = params
        batch, unseen = draw_batch(rng), draw_batch(rng)
        etas, batches = np.exp(log_lr), [batch] * STEPS + [unseen]
        terms = ug.unroll.decompose(game, theta_g, theta_d, batches, steps=STEPS, lr=etas)
        _, ascent = ug.unroll.ascent(game, theta_g, theta_d, batch)
        downhill = [terms.total, optree.tree_map(np.negative, ascent)]
        downhill.append(-terms.grad_lr * etas if learned else np.zeros(STEPS))
        both = [
            ug.optim.descend(*each, scale=1 - i / ROUNDS)
            for each in zip(optimizers, downhill, states, params, strict=True)
        ]
        params, states = [x for x, _ in both], [state for _, state in both]
        path.append(etas)
    samples = game.generator(params[0], rng.standard_normal((2500, 32), np.float32))
    return np.array(path), samples


# The same derivative by the engine, which differentiates value_and_grad as any other function.
rng = np.random.default_rng(1)
theta = [network.init(rng) for network in (game.generator, game.discriminator)]
batches, lr = [draw_batch(rng) for _ in range(STEPS + 1)], np.linspace(0.05, 0.25, STEPS)
by_engine = ug.grad(
    lambda lr: ug.unroll.value_and_grad(game, *theta, batches, steps=STEPS, lr=lr)[0]
)(lr)
by_kernels = ug.unroll.decompose(game, *theta, batches, steps=STEPS, lr=lr).grad_lr
assert np.allclose(by_engine, by_kernels, rtol=1e-4, atol=1e-7)  # float32

figure = Figure(figsize=(11, 5), layout="constrained")
for row, start in zip(figure.subplots(2, 3, width_ratios=(2, 1, 1)), (0.01, 1.0), strict=True):
    for axis, learned in zip(row[1:], (False, True), strict=True):
        path, samples = train(start, learned)
        found = ug.gan.mode_coverage(samples, ring.centers(), ring.std)
        how = "learned" if learned else "kept"
        print(f"from {start}, {how}: {found.modes} modes, {found.high_quality:.1%} high quality")
        axis.plot(*samples.T, ".", markersize=1)
        axis.plot(*ring.centers().T, "r+", markersize=5)
        axis.set(xlim=(-3, 3), ylim=(-3, 3), title=f"{how}: {found.modes} modes", aspect="equal")
        assert (found.high_quality > 0.05) == learned
    row[0].semilogy(path, linewidth=1, label=[rf"$\eta_{k}$" for k in range(STEPS)])
    row[0].set(xlabel="round", title=f"step sizes from {start}", ylim=(3e-3, 3))
    row[0].grid(alpha=0.3)
row[0].legend(ncols=5, fontsize=8)
