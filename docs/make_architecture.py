"""Draw docs/images/architecture.svg from the imports of the package: ``python -m
docs.make_architecture``.

An arrow stands for an import that no longer way implies: what it leads to, over however many rooms,
may be imported directly, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

import grimp

PAGE = Path(__file__).parent / "images" / "architecture.svg"
PACKAGE = "tinygrad_ugan"

WIDTH, HEIGHT = 920, 760
BOX, GAP, LEFT, TOP = (200, 54), (16, 44), 44, 14
STYLE = """
text { font: 13px Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #24292f; text-anchor: middle }
.name { font-size: 15px; font-weight: bold }
.room { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.2 }
.heart { fill: #fff1e5 }
.arrow { fill: none; stroke: #57606a; stroke-width: 1.2; marker-end: url(#head) }
.way { fill: none; stroke: #0969da; stroke-width: 2 }
.badge { fill: #0969da }
.digit { fill: white; font-size: 12px; font-weight: bold }
"""


class Room(NamedTuple):
    """A box of the picture: its row and column, its width in columns, and its line of text."""

    row: int
    column: float
    text: str
    width: float = 1


ROOMS: Mapping[str, Room] = {
    "commands": Room(0, 0, "the command line, ugan", 4),
    "experiments": Room(1, 0, "named systems, each with its claims", 4 / 3),
    "check": Room(1, 4 / 3, "is this gradient right?", 4 / 3),
    "bench": Room(1, 8 / 3, "how fast is it here?", 4 / 3),
    "gan": Room(2, 0, "games, training, runs, reports, sweeps", 4),
    "unroll": Room(3, 0, "the gradient through K steps", 2),
    "data": Room(3, 2, "datasets"),
    "viz": Room(3, 3, "pictures"),
    "nn": Room(4, 0, "layers and networks"),
    "optim": Room(4, 1, "optimisers"),
    "compile": Room(4, 2, "functions as programs"),
    "stats": Room(4, 3, "densities"),
    "special": Room(5, 2, "as in SciPy", 2 / 3),
    "integrate": Room(5, 8 / 3, "as in SciPy", 2 / 3),
    "linalg": Room(5, 10 / 3, "as in SciPy", 2 / 3),
    "kernels": Room(6, 0, "vector code for networks"),
    "autodiff": Room(6, 1, "tape, rules and transforms: derivatives to any order", 3),
}
STOPS = ("unroll", "autodiff", "nn", "kernels")
"""Where theta_G comes by, as ARCHITECTURE.md tells."""
SHARED = ("checked_dataclass", "errors", "extras", "stated", "tree", "typing")
"""At the bottom, and imported from everywhere: without arrows."""
FRONT = ("__main__", "cli")
"""They find the command, and no more."""


def render() -> str:
    """The picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>The rooms of tinygrad_ugan, and what each imports</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{_head('head', '#57606a')}{_head('tail', '#0969da')}</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *(_arrow(above, below) for above, below in arrows()),
        _way(),
        *(_box(name, room) for name, room in ROOMS.items()),
        *(_badge(i, ROOMS[name]) for i, name in enumerate(STOPS, start=1)),
        _box("for all of them", Room(7, 0, ", ".join(SHARED), 4)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def arrows() -> list[tuple[str, str]]:
    """The imports from room to room that no longer way implies."""
    imports = {room: below - set(SHARED) for room, below in _imports().items()}
    return sorted(
        (room, below)
        for room in ROOMS
        for below in imports[room]
        if not any(below in _reached(imports, other) for other in imports[room] - {below})
    )


def _imports() -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = {room.rpartition(".")[2]: room for room in graph.find_children(PACKAGE)}
    if unknown := rooms.keys() ^ {*ROOMS, *SHARED, *FRONT}:
        raise ValueError(f"rooms to draw, or no longer there: {', '.join(sorted(unknown))}")
    return {
        name: {
            other
            for other, below in rooms.items()
            if other != name
            and graph.direct_import_exists(importer=room, imported=below, as_packages=True)
        }
        for name, room in rooms.items()
    }


def _reached(imports: Mapping[str, set[str]], room: str) -> Iterator[str]:
    for below in imports[room]:
        yield below
        yield from _reached(imports, below)


def _frame(room: Room) -> tuple[float, float, float, float]:
    """The left, top, width and height of its box."""
    step, height = BOX[0] + GAP[0], BOX[1]
    width = step * room.width - GAP[0]
    return LEFT + step * room.column, TOP + (height + GAP[1]) * room.row, width, height


def _head(name: str, color: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" '
        'markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{color}"/></marker>'
    )


def _box(name: str, room: Room) -> str:
    x, y, width, height = _frame(room)
    kind = "room heart" if name == "unroll" else "room"
    middle = x + width / 2
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height}" rx="6"/>'
        f'<text class="name" x="{middle:g}" y="{y + 22:g}">{name}</text>'
        f'<text x="{middle:g}" y="{y + 41:g}">{escape(room.text)}</text>'
    )


def _arrow(above: str, below: str) -> str:
    x1, y1, width1, height = _frame(ROOMS[above])
    x2, y2, width2, _ = _frame(ROOMS[below])
    middle = x2 + width2 / 2 if width2 < width1 else x1 + width1 / 2
    start, end = (
        min(max(middle, x + 24), x + width - 24) for x, width in ((x1, width1), (x2, width2))
    )
    y1 += height
    bend = (y2 - y1) / 2
    return (
        f'<path class="arrow" d="M{start:g} {y1:g} C{start:g} {y1 + bend:g} '
        f'{end:g} {y2 - bend:g} {end:g} {y2:g}"/>'
    )


def _way() -> str:
    """From `unroll` straight to `kernels`, along the left edge, and to `autodiff`."""
    x, top, _, height = _frame(ROOMS["unroll"])
    _, below, _, _ = _frame(ROOMS["kernels"])
    right = _frame(ROOMS["optim"])[0] - GAP[0] / 2
    ends = 'marker-start="url(#tail)" marker-end="url(#tail)"'
    return (
        f'<path class="way" {ends} d="M{x:g} {top + height / 2:g} H{x - 24:g} '
        f'V{below + height / 2:g} H{x:g}"/>'
        f'<path class="way" {ends} d="M{right:g} {top + height:g} V{below - 14:g} '
        f'Q{right:g} {below - 4:g} {right + 20:g} {below:g}"/>'
    )


def _badge(number: int, room: Room) -> str:
    x, y, width, _ = _frame(room)
    return (
        f'<circle class="badge" cx="{x + width - 16:g}" cy="{y + 16:g}" r="9"/>'
        f'<text class="digit" x="{x + width - 16:g}" y="{y + 20.5:g}">{number}</text>'
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
