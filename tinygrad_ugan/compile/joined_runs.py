"""Machine code that joins arrays: copies of their runs, side by side."""

from __future__ import annotations

from tinygrad_ugan.compile.kernel_form import JoinedForm
from tinygrad_ugan.kernels.emitter import Emitter, Value

_UNROLLED = 8  # vectors of a run that are written one by one


def emit_joined(e: Emitter, form: JoinedForm) -> None:
    """Write the body of the kernel of a form."""
    first = e.integer()
    sources = [e.pointer() if is_given else None for _, is_given in form.runs]
    out = e.pointer()
    with e.loop(e.rows) as n, e.loop(form.repeats) as i:
        repetition = (first + n) * form.repeats + i
        row, place = e.at(out, repetition * form.columns), 0
        for source, (run, _) in zip(sources, form.runs, strict=True):
            start = None if source is None else e.at(source, repetition * run)
            _copy(e, start, e.at(row, place), run)
            place += run


def _copy(e: Emitter, source: Value | None, out: Value, run: int) -> None:
    """Copy a run, or zeros, by whole vectors, and a masked one at the end."""

    def vector(k: Value | int, mask: Value | None = None) -> Value:
        return e.zero() if source is None else e.load(source, k, mask)

    whole = run // e.lanes * e.lanes
    if whole <= _UNROLLED * e.lanes:
        for k in range(0, whole, e.lanes):
            e.store(vector(k), out, k)
    else:
        with e.loop(whole, step=e.lanes) as place:
            e.store(vector(place), out, place)
    if whole < run:
        rest = e.first_lanes(run - whole)
        e.store(vector(whole, rest), out, whole, rest)
