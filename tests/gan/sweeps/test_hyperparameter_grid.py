import dataclasses

import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain, variations


def test_every_combination_with_every_seed():
    vary = {"unroll.steps": (0, 1), "networks.generator": [[4], [5, 6]], "data.kind": ["grid"]}
    every = variations(SMALL, vary, [7, 8])
    assert len(every) == len({each.config for each in every}) == 8
    expected = dataclasses.replace(
        SMALL,
        data=gan.Grid(),
        networks=dataclasses.replace(SMALL.networks, generator=(5, 6)),
        unroll=dataclasses.replace(SMALL.unroll, steps=1),
        seed=8,
    )
    assert every[-1].config == expected
    assert every[-1].label == "K = 1, generator = 5x6, kind = grid"
    assert every[-1].folder == "unroll.steps=1,networks.generator=5x6,data.kind=grid,seed=8"


def test_labels_are_written_in_full_where_the_short_ones_are_the_same():
    vary = {"generator_optimizer.lr": [0.1], "discriminator_optimizer.lr": [0.2]}
    [each] = variations(SMALL, vary, [0])
    assert each.label == "generator_optimizer.lr = 0.1, discriminator_optimizer.lr = 0.2"


@pytest.mark.parametrize(
    ("vary", "seeds", "words"),
    [
        ({"unroll.step": [1]}, [0], "unroll.step: .*did you mean 'steps'"),
        ({"unroll.steps": [1, -1]}, [0], "unroll.steps: expected a whole number >= 0, got -1"),
        ({"unroll": [1]}, [0], "unroll: expected a table of settings"),
        ({"steps.unroll": [1]}, [0], "steps: expected a whole number"),
        ({"unroll.steps": []}, [0], "unroll.steps: expected a list of one or more values"),
        ({"loss": "hinge"}, [0], "loss: expected a list of one or more values"),
        ({"unroll.steps": [1, 1]}, [0], "vary: expected values and seeds that differ"),
        ({}, [0, 0], "vary: expected values and seeds that differ"),
        ({}, [], "seeds: expected a list of one or more values"),
        ({}, [-1], "seed: expected a whole number >= 0"),
        ({"seed": [1]}, [0], "vary: .*give the seeds as `seeds`"),
    ],
)
def test_what_makes_no_sense_is_named(vary, seeds, words):
    with pytest.raises(ArgumentError, match=words):
        variations(SMALL, vary, seeds)


def test_obtain_trains_goes_on_or_takes_what_is_there(tmp_path):
    expected = outcome(gan.train(SMALL))
    assert outcome(obtain(SMALL, tmp_path / "a")) == expected
    stamp = (tmp_path / "a/metrics.csv").stat().st_mtime_ns
    assert outcome(obtain(SMALL, tmp_path / "a")) == expected
    assert (tmp_path / "a/metrics.csv").stat().st_mtime_ns == stamp
    gan.Run(gan.load(tmp_path / "a", step=2).checkpoint).save(tmp_path / "b")
    assert outcome(obtain(SMALL, tmp_path / "b")) == expected
    with pytest.raises(ArgumentError, match="which holds a run of other settings"):
        obtain(varied(seed=1), tmp_path / "a")
