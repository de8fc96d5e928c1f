"""Machine code of windows: copies of runs of neighbours, with zeros for what is not in the image.

The run of a window in a line of the image is taken by whole vectors, with a masked one at the end.
Runs that lie in the image wholly, which are most, need no other masks.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_ugan.compile.kernel_form import WindowsForm
from tinygrad_ugan.kernels.emitter import Emitter, Value

Mask = Callable[[Value | int], Value | None]
"""The mask for the vector that begins at an element of a run; None if all of it counts."""

_UNROLLED = 8  # vectors of a run that are written one by one


def emit_windows(e: Emitter, form: WindowsForm) -> None:
    """Write the body of the kernel of a form."""
    first, source, out = e.integer(), e.pointer(), e.pointer()
    images, views = (out, source) if form.is_sum else (source, out)
    with e.loop(e.rows) as n:
        image = e.at(images, (first + n) * form.image)
        view = e.at(views, (first + n) * form.view)
        if form.is_sum:
            _fill(e, image, form.image)
        _Copies(e, form, image, view).emit()


def _fill(e: Emitter, image: Value, size: int) -> None:
    """Set an image to 0."""
    whole = size // e.lanes * e.lanes
    with e.loop(whole, step=e.lanes) as i:
        e.store(e.zero(), image, i)
    if whole < size:
        e.store(e.zero(), image, whole, e.first_lanes(size - whole))


class _Copies:
    """The windows of one image."""

    def __init__(self, e: Emitter, form: WindowsForm, image: Value, view: Value) -> None:
        self.e, self.form, self.image, self.view = e, form, image, view
        windows = form.windows
        self.length = windows.size[1] * form.channels
        is_dense = windows.dilation[1] == 1
        self.runs = 1 if is_dense else windows.kernel[1]
        self.run = windows.kernel[1] // self.runs * form.channels

    def emit(self) -> None:
        """Run through the windows, their lines, and the runs in these."""
        e, windows = self.e, self.form.windows
        (down, across), (kernel, _) = windows.counts, windows.kernel
        with e.loop(down) as i, e.loop(kernel) as a:
            line = i * windows.stride[0] + a * windows.dilation[0] - windows.before[0]
            is_inside = (line >= 0) & (line < windows.size[0])
            with e.loop(self.runs) as b, e.loop(across) as j:
                column = j * windows.stride[1] + b * windows.dilation[1] - windows.before[1]
                start = column * self.form.channels
                view = e.at(self.view, (((i * across + j) * kernel + a) * self.runs + b) * self.run)
                image = e.at(self.image, line * self.length + start)
                is_whole = is_inside & (start >= 0) & (start <= self.length - self.run)
                with e.when(is_whole):
                    self._copy(view, image, lambda k: None)
                with e.when(~is_whole):
                    self._copy(view, image, self._inside(start, is_inside))

    def _inside(self, start: Value, is_inside: Value) -> Mask:
        """The masks of what is in the image."""
        e = self.e
        first = e.broadcast(-start)
        last = e.broadcast(e.where(is_inside, self.length - start, -start))

        def mask(k: Value | int) -> Value:
            places = e.lane_numbers() + e.broadcast(e.like(k, start))
            return (places >= first) & (places < last)

        return mask

    def _copy(self, view: Value, image: Value, mask: Mask) -> None:
        """Copy a run, or add it, where masks hold."""
        e = self.e
        whole = self.run // e.lanes * e.lanes
        if whole <= _UNROLLED * e.lanes:
            for k in range(0, whole, e.lanes):
                self._copy_vector(view, image, k, mask(k))
        else:
            with e.loop(whole, step=e.lanes) as place:
                self._copy_vector(view, image, place, mask(place))
        if whole < self.run:
            end = e.first_lanes(self.run - whole)
            inside = mask(whole)
            self._copy_vector(view, image, whole, end if inside is None else inside & end, end)

    def _copy_vector(
        self,
        view: Value,
        image: Value,
        k: Value | int,
        inside: Value | None,
        end: Value | None = None,
    ) -> None:
        e = self.e
        if self.form.is_sum:
            total = e.load(image, k, inside) + e.load(view, k, inside)
            e.store(total, image, k, inside)
        else:
            e.store(e.load(image, k, inside), view, k, end)
