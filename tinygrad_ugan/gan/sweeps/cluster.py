"""Sweeps over a hyperparameter grid, on one machine or a dask cluster."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.gan.runs.atomic_io import write_file
from tinygrad_ugan.gan.runs.locks import BusyError, at_work
from tinygrad_ugan.gan.sweeps.carried import Carried, carry
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation, obtain, variations
from tinygrad_ugan.gan.sweeps.process_pool import run_all
from tinygrad_ugan.gan.sweeps.sweep_dir import ERROR, write_grid
from tinygrad_ugan.gan.sweeps.sweep_progress import progress_bar
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable, identity_columns, result_row
from tinygrad_ugan.gan.training.config import THREADS, Config
from tinygrad_ugan.gan.training.environment import THREAD_LIMITS
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.setup import Metric, Setup
from tinygrad_ugan.gan.training.step import TrainStep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Ended = Generator[tuple[Variation, dict[str, Any]], None, None]
TABLE = "table.csv"
SHOWN = {
    "modes": "modes covered",
    "high_quality": "high-quality fraction",
    "reverse_kl": "reverse KL over modes",
    "precision": "precision",
    "recall": "recall",
    "two_sample": "accuracy of the two-sample test",
    "own_class": "fraction in their own class",
    "sliced_wasserstein": "sliced Wasserstein distance",
}
# What a part that is handed in takes the place of: these settings would change nothing.
_REPLACED = {
    "game": (
        "game",
        *(f"networks.{name}" for name in ("generator", "discriminator", "activation", "gain")),
        *(f"networks.{player}_layers" for player in ("generator", "discriminator")),
        *("networks.input_scale", "networks.conditional"),
    ),
    "data": ("data",),
    "optimizers.generator": ("generator_optimizer",),
    "optimizers.discriminator": ("discriminator_optimizer",),
    "optimizers.unroll": tuple(
        f"unroll.{name}"
        for name in (
            "lr",
            "optimizer",
            "momentum",
            "beta1",
            "beta2",
            "eps",
            "decay",
            "weight_decay",
        )
        + ("schedule", "final", "warmup", "registered")
    ),
}


def sweep(
    config: Config,
    vary: Mapping[str, Sequence[Any]],
    folder: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (0,),
    game: Any = None,
    data: Any = None,
    init: Any = None,
    metrics: Mapping[str, Metric] | None = None,
    optimizers: Mapping[str, Any] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    on_result: Callable[[Variation, str], None] | None = None,
    plugins: Sequence[str] = (),
    progress: bool = True,
) -> SweepTable:
    """Train every combination of some settings with every seed.

    The runs are shared out among processes on this machine, or the workers of a dask cluster.

    Each run has a folder of its own. Finished runs are not trained again; unfinished ones are
    resumed from their last checkpoints. A run that fails is recorded with its traceback and does
    not stop the others; a worker that dies is replaced, and its run resumed by another. Ctrl-C lets
    the processes save checkpoints first, from which the same call continues.

    Parameters
    ----------
    config : Config
        The settings that do not vary.
    vary : mapping of str to sequence
        The values of each setting that varies, by its name, such as "unroll.steps".
    folder : path
        The folder for runs and table; workers must see it under the same name.
    seeds : sequence of int
    game, data, init, metrics, optimizers : Any, optional
        As of `train`. They are pickled on the way to the other processes; what cannot be, such as a
        lambda, is refused by name.
    workers : int, optional
        Processes on this machine; one a core if not given.
    scheduler : str, optional
        Address of a dask cluster to use instead; needs the extra "cluster".
    on_result : callable, optional
        Called with each variation when it ends, and "done" or "failed".
    plugins : sequence of str
        Modules that each worker imports first, such as those that register a game.
    progress : bool
        Whether to show on standard error how many runs have ended, and the time left.

    Returns
    -------
    SweepTable
        A row for every run, in the order of the grid: the settings that vary, the seed, the folder,
        the status, the error, and the last row of its metrics. It is also written to table.csv.
        ``table["modes"]`` is a column as an array, ``table.to_pandas()`` a DataFrame.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a setting or its values are invalid, a part cannot be handed to another process, or the
        settings or the folder cannot be written; nothing has been trained then.
    BusyError
        If another process is writing to the folder.

    Examples
    --------
    ::

        table = sweep(Config(), {"unroll.steps": [0, 5, 10]}, "runs/steps", seeds=range(5))
        for (steps,), runs in table.done.by(["unroll.steps"]).items():
            print(steps, runs["high_quality"].mean())
    """
    if workers is not None and not 1 <= workers <= THREADS:
        raise ArgumentError("workers", workers, f"a whole number >= 1 and <= {THREADS:,}")
    config.to_dict()  # raises if they cannot be written
    parts = {
        "game": game, "data": data, "init": init, "metrics": metrics, "optimizers": optimizers,
    }  # fmt: skip
    variations(config, vary, seeds)  # mistakes in the grid come first
    config, parts = _without_names(config, parts, vary)
    every, place = variations(config, vary, seeds), Path(folder).resolve()
    different = tuple(dict.fromkeys(each.config.updated({"seed": 0}) for each in every))
    carried = carry(parts, different, plugins)
    for each in different:
        setup = Setup.of(each, **parts)
        if scheduler is None:  # elsewhere there may be more memory
            check_memory(training_needs(setup))
    with at_work(place):
        write_grid(place, vary, every)
        prepare = partial(take_first_steps, different, carried)
        train = partial(train_one, folder=place, carried=carried)
        if scheduler is None:
            ended = _on_this_machine(every, workers, prepare, train)
        else:
            ended = _on_cluster(every, scheduler, prepare, train)
        results = {}
        bar = progress_bar(len(every), shown=progress)
        with bar as show, closing(ended):  # an interrupt stops the workers
            for variation, row in ended:
                results[variation.folder] = row
                show(variation.folder, row["error"])
                if on_result is not None:
                    on_result(variation, row["status"])
        table = SweepTable(tuple(results[each.folder] for each in every))
        write_file(place / TABLE, table.to_csv())
    return table


def _without_names(
    config: Config, parts: Mapping[str, Any], vary: Iterable[str]
) -> tuple[Config, dict[str, Any]]:
    """The settings, naming what has a name, and the parts that have none."""
    setup = Setup.of(config, **parts)
    for part in setup.handed_in:
        for name in vary:
            if any(f"{name}.".startswith(f"{other}.") for other in _REPLACED.get(part, ())):
                given = f"{name!r}, in whose place {part} is handed in"
                raise ArgumentError("vary", given, "settings that make a difference")
    own = {name.partition(".")[0] for name in setup.handed_in}
    kept = {name: part for name, part in parts.items() if name in own or name == "metrics"}
    if "optimizers" in kept:
        kept["optimizers"] = {
            player: each
            for player, each in kept["optimizers"].items()
            if f"optimizers.{player}" in setup.handed_in
        }
    return setup.config, {name: part for name, part in kept.items() if part is not None}


def train_one(each: Variation, folder: Path, carried: Carried) -> dict[str, Any]:
    """Train one run of a sweep in this process; return its row of the table."""
    try:
        last = obtain(each.config, folder / each.folder, **carried.unpack()).metrics[-1]
    except Exception as error:  # of any kind: the other runs continue
        if not isinstance(error, BusyError):  # in which case the folder is not ours
            (folder / each.folder).mkdir(parents=True, exist_ok=True)
            write_file(folder / each.folder / ERROR, traceback.format_exc())
        return _failed(each, error)
    (folder / each.folder / ERROR).unlink(missing_ok=True)  # of an earlier attempt
    return result_row(_identity(each), "done", last=last)


def _identity(each: Variation) -> dict[str, Any]:
    return identity_columns(each.settings, each.config.seed, each.folder)


def _failed(each: Variation, error: BaseException) -> dict[str, Any]:
    return result_row(_identity(each), "failed", f"{type(error).__name__}: {error}")


def _on_this_machine(
    every: Sequence[Variation],
    workers: int | None,
    prepare: Callable[[], None],
    train: Callable[[Variation], dict[str, Any]],
) -> _Ended:
    """Train in processes that divide the cores among them."""
    cores = os.cpu_count() or 1
    processes = workers or cores
    limits = dict.fromkeys(THREAD_LIMITS, str(max(1, cores // processes)))
    for each, result in run_all(train, every, processes, prepare=prepare, limits=limits):
        yield each, _row(each, result)


def _on_cluster(
    every: Sequence[Variation],
    scheduler: str,
    prepare: Callable[[], None],
    train: Callable[[Variation], dict[str, Any]],
) -> _Ended:
    """Train on the workers of a dask cluster."""
    distributed = import_extra("distributed", "cluster")
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ArgumentError("scheduler", f"{scheduler}: {error}", "a dask cluster") from None
    with client:
        client.register_worker_callbacks(prepare)  # of later workers too
        # pure=False: the result depends on the folder, and must not be cached
        futures = client.map(train, every, pure=False)
        named = dict(zip(futures, every, strict=True))
        for future in distributed.as_completed(futures):
            died, each = future.status != "finished", named[future]
            yield each, _row(each, future.exception() if died else future.result())


def _row(each: Variation, result: Any) -> dict[str, Any]:
    """The row of a run; an exception means that its workers died: others come back as rows."""
    row: dict[str, Any] = _failed(each, result) if isinstance(result, Exception) else result
    return row


def take_first_steps(configs: Sequence[Config], carried: Carried) -> None:
    """Take the first training step of each, which compiles the kernels."""
    for config in configs:
        setup = Setup.of(config, **carried.unpack())
        with suppress(Exception), np.errstate(all="ignore"):  # the run itself will raise
            init_rng, batch_rng = streams(setup.config)
            step = TrainStep(setup)
            step(step.init(init_rng), Draws(setup, batch_rng).next())


def summary(table: SweepTable, vary: Sequence[str]) -> Figure:
    """Draw means over seeds with 95 % confidence intervals, and every seed as a dot.

    Parameters
    ----------
    table : SweepTable
        As from `sweep`.
    vary : sequence of str
        The columns of the settings that vary.
    """
    done = table.done
    names = [name for name in SHOWN if name in done.names and done.by(vary)]
    settings = {", ".join(map(str, v)) or "done": rows for v, rows in done.by(vary).items()}
    groups = {
        name: {label: rows[name] for label, rows in settings.items()}
        for name in names
        if np.isfinite(np.asarray(done[name], float)).any()
    }
    return viz.intervals(groups, {name: SHOWN[name] for name in groups}, xlabel=", ".join(vary))
