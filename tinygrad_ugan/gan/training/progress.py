"""The progress of training on one line, which is rewritten where that is possible."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from typing import Any, ClassVar, Protocol

from tinygrad_ugan.errors import printable
from tinygrad_ugan.gan.training.callbacks import Callback
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.step import Objectives


class ProgressLine(Callback):
    """Shows how training goes: steps, their rate, time left, objectives and quality.

    Nothing is shown in the first two seconds, nor of training that takes no longer. A terminal or
    a notebook has one line that is rewritten; elsewhere there is a line every few seconds.

    Parameters
    ----------
    label : str
        The name of the run; "" for none.
    config : Config
        The settings.
    """

    QUIET: ClassVar[float] = 2.0
    """Seconds before anything is shown."""

    def __init__(self, label: str, config: Config) -> None:
        self._label = f"{printable(label)}: " if label else ""
        self._steps = config.steps
        self._quality = ""

    def on_start(self, step: int, rows: tuple[Row, ...]) -> None:
        """Choose the display, and start the clock."""
        self._display = _display()
        self._shown, self._text = False, ""
        self._began = time.perf_counter(), step
        self._due = self._began[0] + self.QUIET
        self._last: tuple[int, Objectives] | None = None

    def on_step(self, step: int, seconds: float, objectives: Objectives) -> None:
        """Bring the line up to date, if that is due."""
        self._last = step, objectives
        if (now := time.perf_counter()) >= self._due:
            self._due = now + self._display.every
            self._show(now)

    def on_row(self, row: Row) -> None:
        """Take note of the latest metrics."""
        if row.modes is not None and row.high_quality is not None:
            self._quality = f", {row.modes} modes, {row.high_quality:.0%} high quality"
        elif row.precision is not None and row.recall is not None:
            self._quality = f", precision {row.precision:.0%}, recall {row.recall:.0%}"

    def on_end(self) -> None:
        """Show the end, if anything was shown."""
        if self._shown:
            self._show(time.perf_counter())
            with suppress(OSError, ValueError):
                self._display.close()

    def _show(self, now: float) -> None:
        if self._last is None:
            return
        (step, f), (then, before) = self._last, self._began
        rate = (step - before) / (now - then)
        left = _clock((self._steps - step) / rate)
        self._shown, text = True, (
            f"{self._label}{step:,}/{self._steps:,} steps, {rate:,.0f}/s, {left} left, "
            f"f_K {f.generator:.3f}, f {f.discriminator:.3f}{self._quality}"
        )  # fmt: skip
        if text != self._text:
            self._text = text
            with suppress(OSError, ValueError):  # nobody looks any more: no reason to stop
                self._display.write(text)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Display(Protocol):
    every: float  # seconds between two updates

    def write(self, text: str) -> None:
        """Show a text."""

    def close(self) -> None:
        """Leave the last text as it is."""


def _display() -> _Display:
    """The display of this process: a notebook, a terminal, or a plain stream such as a file."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is not None:
        return _Notebook(ipython.display.display)
    with suppress(AttributeError, ValueError):  # without a stream, or with a closed one
        if sys.stderr.isatty():
            return _Terminal()
    return _Stream()


class _Terminal:
    """One line of standard error, rewritten."""

    every = 0.2

    def __init__(self) -> None:
        self._width = 0  # of the text that is there

    def write(self, text: str) -> None:
        """Overwrite the line, within the width of the terminal."""
        text = text[: shutil.get_terminal_size().columns - 1]
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def close(self) -> None:
        """End the line."""
        print(file=sys.stderr, flush=True)


class _Stream:
    """A line of standard error now and then."""

    every = 5.0

    def write(self, text: str) -> None:
        """Write a line."""
        if sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """There is nothing to end."""


class _Notebook:
    """An output of a notebook's cell, rewritten by IPython's `display`."""

    every = 0.2

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None

    def write(self, text: str) -> None:
        """Display the text, in place of the one before."""
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def close(self) -> None:
        """There is nothing to end."""
