"""Sweeps over a hyperparameter grid, on one machine or a dask cluster."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
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
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation, obtain, variations
from tinygrad_ugan.gan.sweeps.process_pool import run_all
from tinygrad_ugan.gan.training.config import THREADS, Config
from tinygrad_ugan.gan.training.environment import THREAD_LIMITS
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.registry import import_plugin
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import TrainStep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_Ended = Generator[tuple[Variation, dict[str, Any]], None, None]
_COLUMNS = [name for name in Row._fields if name != "own"]
TABLE, ERROR = "table", "error.txt"
SHOWN = {
    "modes": "modes covered",
    "high_quality": "high-quality fraction",
    "reverse_kl": "reverse KL over modes",
    "precision": "precision",
    "recall": "recall",
    "two_sample": "accuracy of the two-sample test",
    "sliced_wasserstein": "sliced Wasserstein distance",
}


def sweep(
    config: Config,
    vary: Mapping[str, Sequence[Any]],
    *,
    seeds: Sequence[int] = (0,),
    folder: str | os.PathLike[str],
    workers: int | None = None,
    scheduler: str | None = None,
    on_result: Callable[[Variation, str], None] | None = None,
    plugins: Sequence[str] = (),
) -> pd.DataFrame:
    """Train every combination of some settings with every seed: needs the extra "sweep".

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
    seeds : sequence of int
    folder : path
        The folder for runs and table; workers must see it under the same name.
    workers : int, optional
        Processes on this machine; one a core if not given.
    scheduler : str, optional
        Address of a dask cluster to use instead; needs the extra "cluster".
    on_result : callable, optional
        Called with each variation when it ends, and "done" or "failed".
    plugins : sequence of str
        Modules that each worker imports first, such as those that register a game.

    Returns
    -------
    pandas.DataFrame
        A row for every run, in the order of the grid: the settings that vary, the seed, the status,
        the last row of its metrics, its folder, and its error. It is also written to table.parquet
        and table.csv.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a setting or its values are invalid, or the settings or the folder cannot be written;
        nothing has been trained then.
    BusyError
        If another process is writing to the folder.

    Examples
    --------
    ::

        table = sweep(Config(), {"unroll.steps": [0, 5, 10]}, seeds=range(5), folder="runs/steps")
        table.groupby("unroll.steps")["high_quality"].mean()
    """
    for module in ("pandas", "pyarrow"):  # now, not after the last run
        import_extra(module, "sweep")
    if workers is not None and not 1 <= workers <= THREADS:
        raise ArgumentError("workers", workers, f"a whole number >= 1 and <= {THREADS:,}")
    config.to_dict()  # raises if they cannot be written
    every, place = variations(config, vary, seeds), Path(folder).resolve()
    for each in every if scheduler is None else ():  # elsewhere there may be more memory
        check_memory(training_needs(each.config))
    with at_work(place):
        first_steps = _first_steps(every, plugins)
        if scheduler is None:
            ended = _on_this_machine(every, place, workers, first_steps)
        else:
            ended = _on_cluster(every, place, scheduler, first_steps)
        results = {}
        with closing(ended):  # an interrupt stops the workers
            for each, row in ended:
                results[each.folder] = row
                if on_result is not None:
                    on_result(each, row["status"])
        table = tidy([results[each.folder] for each in every])
        write_file(place / f"{TABLE}.parquet", table.to_parquet())
        write_file(place / f"{TABLE}.csv", table.to_csv(index=False))
    return table


def tidy(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the results of runs as one table; failed runs have no metrics.

    Columns that no run has are left out, unless all runs failed.
    """
    pd = import_extra("pandas", "sweep")
    names = dict.fromkeys(name for row in results for name in row)
    names |= {} if "step" in names else dict.fromkeys(_COLUMNS)
    return pd.DataFrame(results, columns=list(names)).convert_dtypes()


def train_one(each: Variation, folder: Path) -> dict[str, Any]:
    """Train one run of a sweep in this process; return its row of the table."""
    try:
        last = obtain(each.config, folder / each.folder).metrics[-1]
    except Exception as error:  # of any kind: the other runs continue
        if not isinstance(error, BusyError):  # in which case the folder is not ours
            (folder / each.folder).mkdir(parents=True, exist_ok=True)
            write_file(folder / each.folder / ERROR, traceback.format_exc())
        return _failed(each, error)
    (folder / each.folder / ERROR).unlink(missing_ok=True)  # of an earlier attempt
    return {**_identity(each), "status": "done", "error": "", **last.columns()}


def _identity(each: Variation) -> dict[str, Any]:
    """The columns that identify a run."""
    varied = {n: v if isinstance(v, int | float) else str(v) for n, v in each.settings.items()}
    return {**varied, "seed": each.config.seed, "folder": each.folder}


def _failed(each: Variation, error: BaseException) -> dict[str, Any]:
    return {**_identity(each), "status": "failed", "error": f"{type(error).__name__}: {error}"}


def _on_this_machine(
    every: Sequence[Variation], folder: Path, workers: int | None, first_steps: Callable[[], None]
) -> _Ended:
    """Train in processes that divide the cores among them."""
    cores = os.cpu_count() or 1
    processes = workers or cores
    limits = dict.fromkeys(THREAD_LIMITS, str(max(1, cores // processes)))
    train = partial(train_one, folder=folder)
    for each, result in run_all(train, every, processes, prepare=first_steps, limits=limits):
        yield each, _row(each, result)


def _on_cluster(
    every: Sequence[Variation], folder: Path, scheduler: str, first_steps: Callable[[], None]
) -> _Ended:
    """Train on the workers of a dask cluster."""
    distributed = import_extra("distributed", "cluster")
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ArgumentError("scheduler", f"{scheduler}: {error}", "a dask cluster") from None
    with client:
        client.register_worker_callbacks(first_steps)  # of later workers too
        # pure=False: the result depends on the folder, and must not be cached
        futures = client.map(train_one, every, folder=folder, pure=False)
        named = dict(zip(futures, every, strict=True))
        for future in distributed.as_completed(futures):
            died, each = future.status != "finished", named[future]
            yield each, _row(each, future.exception() if died else future.result())


def _row(each: Variation, result: Any) -> dict[str, Any]:
    """The row of a run; an exception means that its workers died: others come back as rows."""
    row: dict[str, Any] = _failed(each, result) if isinstance(result, Exception) else result
    return row


def _first_steps(every: Sequence[Variation], plugins: Sequence[str]) -> Callable[[], None]:
    """Return what a worker does first: a step of every kind, which compiles the kernels."""
    for name in plugins:  # if one cannot be imported, say so here
        import_plugin("plugin", name)
    different = dict.fromkeys(each.config.updated({"seed": 0}) for each in every)
    return partial(take_first_steps, tuple(different), tuple(plugins))


def take_first_steps(configs: Sequence[Config], plugins: Sequence[str] = ()) -> None:
    """Import the plugins, and take the first training step of each, to compile the kernels."""
    for name in plugins:
        import_plugin("plugin", name)
    for config in configs:
        init_rng, batch_rng = streams(config)
        step = TrainStep(setup := Setup.of(config))
        with suppress(ArgumentError), np.errstate(all="ignore"):  # the run itself will raise
            step(step.init(init_rng), Draws(setup, batch_rng).next())


def summary(table: pd.DataFrame, vary: Sequence[str]) -> Figure:
    """Draw means over seeds with 95 % confidence intervals, and every seed as a dot.

    Parameters
    ----------
    table : pandas.DataFrame
        As from `sweep`.
    vary : sequence of str
        The columns of the settings that vary.
    """
    done = table[table["status"] == "done"]
    settings = done[list(vary)].astype(str).agg(", ".join, axis=1) if vary else done["status"]
    groups = {
        name: {label: x.to_numpy(float) for label, x in done.groupby(settings, sort=False)[name]}
        for name in SHOWN
        if name in done and done[name].notna().any()
    }
    return viz.intervals(groups, {name: SHOWN[name] for name in groups}, xlabel=", ".join(vary))
