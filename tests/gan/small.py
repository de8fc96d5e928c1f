"""Settings that train in a fraction of a second, and what is compared of the results."""

import dataclasses

import numpy as np
import optree

from tinygrad_ugan import gan

SMALL = gan.Config(
    networks=gan.Networks(noise=4, generator=(8,), discriminator=(8,)),
    unroll=gan.Unroll(steps=2, lr=0.1),
    steps=4,
    batch=16,
    evaluate_every=2,
    evaluation_samples=50,
    pictures=2,
    checkpoint_every=2,
)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in optree.tree_leaves(tree)]


def outcome(run):
    """All of a run that does not depend on the clock, to the bit."""
    rows = [row._replace(seconds=0.0) for row in run.metrics]
    samples = run.samples, run.ema_samples
    return bits((run.checkpoint.state, samples)), repr(rows), run.sample_steps


def varied(**changes):
    return dataclasses.replace(SMALL, **changes)
