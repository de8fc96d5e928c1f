"""Machine code that joins arrays: copies of their runs, side by side."""

from __future__ import annotations

from tinygrad_ugan.compile.kernel_form import JoinedForm
from tinygrad_ugan.kernels.emitter import Emitter, Value

_UNROLLED = 8  # vectors of a run that are written one by one


def emit_joined(e: Emitter, form: JoinedForm) -> None:
    """Write the body of the kernel of a form."""
    first = e.integer()
    sources = [e.pointer() for _ in form.runs]
    out, columns = e.pointer(), sum(form.runs)
    with e.loop(e.rows) as n, e.loop(form.repeats) as i:
        repetition = (first + n) * form.repeats + i
        place = 0
        for source, run in zip(sources, form.runs, strict=True):
            _copy(e, e.at(source, repetition * run), e.at(out, repetition * columns + place), run)
            place += run


def _copy(e: Emitter, source: Value, out: Value, run: int) -> None:
    """Copy a run by whole vectors, and a masked one at the end."""
    whole = run // e.lanes * e.lanes
    if whole <= _UNROLLED * e.lanes:
        for k in range(0, whole, e.lanes):
            e.store(e.load(source, k), out, k)
    else:
        with e.loop(whole, step=e.lanes) as place:
            e.store(e.load(source, place), out, place)
    if whole < run:
        rest = e.first_lanes(run - whole)
        e.store(e.load(source, whole, rest), out, whole, rest)
