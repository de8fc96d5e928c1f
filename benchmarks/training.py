"""What a training step costs, and what sampling, metrics and checkpoints add to it.

Run ``python benchmarks/training.py``. Each part is timed by itself, after a warm-up, on the state
in which training starts: the median of several calls. Those that are set against each other take
turns. An iteration is a step with the draws for it; its ratio to the unrolled gradient alone says
what everything else costs. What happens every so many steps is divided by the cadence of the
settings. "A" are the settings of that name in the README. One BLAS thread. Writes
benchmarks/results/training.json.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import dataclasses
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tinygrad_ugan import gan, unroll
from tinygrad_ugan.experiments import PRESETS
from tinygrad_ugan.gan.runs import checkpoint_files
from tinygrad_ugan.gan.training import loop
from tinygrad_ugan.gan.training.evaluation import Evaluation
from tinygrad_ugan.gan.training.sampler import streams

RESULTS = Path(__file__).parent / "results" / "training.json"
A = gan.Networks(discriminator=(128, 128), activation="tanh")
SETTINGS = {
    "ring": PRESETS["ring"],
    "ring-miniature": PRESETS["ring-miniature"],
    "A": dataclasses.replace(PRESETS["ring"], networks=A),
}


def median(function, calls=15):
    """Median milliseconds of a call."""
    function()
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def medians(functions, rounds=9):
    """Median milliseconds of a call of each function; they take turns."""
    times = [{name: median(f) for name, f in functions.items()} for _ in range(rounds)]
    return {name: statistics.median(t[name] for t in times) for name in functions}


def measure(config):
    """Milliseconds of each part, and the shares of a step that they come to."""
    step, (init_rng, batch_rng) = gan.TrainStep(config), streams(config)
    state, draws, evaluation = step.init(init_rng), gan.Draws(config, batch_rng), Evaluation(config)
    batches, game = draws.next(), step.game
    samples = evaluation.samples(game, state)
    full = dataclasses.replace(  # as large as it gets at the end of training
        loop.start(config),
        pictures=dict.fromkeys(range(config.pictures), samples),
        rows=(evaluation.row(game, state, samples, 0.0),) * (config.steps // config.evaluate_every),
    )

    def gradient():
        method = config.unroll.method
        arguments = game, state.theta_g, state.theta_d, batches[0]
        unroll.value_and_grad(*arguments, **config.unroll.dynamics(), method=method)

    def row():
        evaluation.row(game, state, evaluation.samples(game, state), 0.0)

    with tempfile.TemporaryDirectory(dir=RESULTS.parent) as folder:
        parts = {
            **medians(
                {
                    "iteration": lambda: step(state, draws.next()),
                    "step": lambda: step(state, batches),
                    "of it the unrolled gradient": gradient,
                    "draws": draws.next,
                }
            ),
            "loop": loop_overhead(config),
            "row of metrics": median(row),
            "checkpoint": median(lambda: checkpoint_files.save(Path(folder), full)),
        }
    whole = parts["step"] + parts["draws"] + parts["loop"]
    occasional = (
        parts["row of metrics"] / config.evaluate_every
        + parts["checkpoint"] / config.checkpoint_every
    )
    shares = {"draws": parts["draws"] / whole, "metrics and checkpoints": occasional / whole}
    ratio = parts["iteration"] / parts["of it the unrolled gradient"]
    return {"milliseconds": parts, "share of a step": shares, "iteration / gradient": ratio}


def loop_overhead(config, steps=2000):
    """Milliseconds that the loop itself takes for a step, with steps and draws that do nothing."""
    idle = dataclasses.replace(config, steps=10**9, evaluate_every=10**9, pictures=1)
    idling = loop._Loop(loop.start(idle), [gan.Callback()], None)
    idling._take_step = lambda state, _: (state._replace(step=state.step + 1), gan.Objectives(0, 0))
    idling._draws.next = lambda: ()

    def run():
        for _ in range(steps):
            idling._advance()
            idling._record()

    return median(run, calls=5) / steps


def main():
    """Measure, print, write."""
    figures = {name: measure(config) for name, config in SETTINGS.items()}
    for name, parts in figures.items():
        print(name)
        for part, value in parts["milliseconds"].items():
            print(f"  {part:28s} {value:9.3f} ms")
        for part, value in parts["share of a step"].items():
            print(f"  {part:28s} {value:9.1%} of a step")
        print(f"  {'iteration / gradient':28s} {parts['iteration / gradient']:9.2f}")
    machine = {"machine": platform.platform(), "numpy": np.__version__}
    RESULTS.write_text(json.dumps(machine | figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
