"""The progress of a sweep: runs that have ended, time spent and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tinygrad_ugan.errors import printable


@contextmanager
def progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[str, str], None]]:
    """Show how far a sweep is, on standard error, inside the context.

    Yields
    ------
    callable
        To be called with the folder of each run that ends, and its error, or "".
    """
    if not shown:
        yield lambda folder, error: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("runs, after")
    times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    with Progress(TextColumn("{task.description}"), *columns, *times, console=console) as bar:
        task = bar.add_task("sweep", total=total)

        def ended(folder: str, error: str) -> None:
            if error:
                console.print(f"failed: {printable(f'{folder}: {error}')}", soft_wrap=True)
            bar.advance(task)

        yield ended
