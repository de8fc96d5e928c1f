"""The account of what runs in kernels, and what by NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tinygrad_ugan.compile.fusion import Group
from tinygrad_ugan.compile.kernels import Kernels
from tinygrad_ugan.compile.loop import Loop
from tinygrad_ugan.compile.operations import COPY, Joining, Map, Product, Windowing
from tinygrad_ugan.compile.piece import Piece
from tinygrad_ugan.compile.program import StraightLineProgram
from tinygrad_ugan.compile.scheduling import Phase, extents


def explained(program: StraightLineProgram) -> str:
    """Describe a lowered program: a line for every kernel, and one for every call of NumPy."""
    pieces = [each.function for each in program.instructions if isinstance(each.function, Kernels)]
    kernels = sum(len(piece.kernels) for piece in pieces)
    compiled = Kernels | Loop
    rest = [each.name for each in program.instructions if not isinstance(each.function, compiled)]
    lines = [f"{program.name}: {_number(kernels, 'kernel')}, {_number(len(rest), 'call')} of NumPy"]
    if rest:
        lines[0] += f" ({_counted(rest)})"
    for each in program.instructions:
        if isinstance(each.function, Kernels):
            lines += _piece(each.function)
        elif isinstance(each.function, Loop):
            lines.append(f"  loop of {_number(each.function.length, 'run')} of")
            lines += [f"    {line}" for line in explained(each.function.lowered).splitlines()]
        else:
            lines.append(f"  NumPy: {each.name}")
    return "\n".join(lines)


def _piece(piece: Piece) -> list[str]:
    different = len(set(piece.kernels.values()))
    lines = [f"  kernels in {piece.dtype}, {different} of them different"]
    return lines + [line for phase in piece.phases for line in _phase(phase)]


def _phase(phase: Phase) -> list[str]:
    lines = [f"    phase of {_number(phase.chunks, 'part')}"]
    for section in phase.sections:
        lines += [f"      {_group(each)}" for each in section.groups]
    return lines


def _group(group: Group) -> str:
    names = []
    for each in group.operations:
        match each:
            case Product():
                names.append(" + ".join(f"product over {a.shape[1]}" for a, _ in each.terms))
            case Map():
                names.append(each.operation.rpartition(".")[2].strip("_"))
            case Joining():
                names.append("join")
            case Windowing():
                names.append("sum of windows" if each.is_sum else "windows")
            case _:
                names.append(f"{each.operation} over axes {each.axes}")
    space = ", ".join(map(str, extents(group)))
    return f"[{space}]: {_counted(x for x in names if x != COPY) or COPY}"


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names)
    return ", ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())


def _number(n: int, name: str) -> str:
    return f"{n} {name}{'' if n == 1 else 's'}"
