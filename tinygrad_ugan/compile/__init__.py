"""Functions of NumPy as programs: recorded once (`recorder`), a list of instructions (`program`),
made shorter by passes, with planned memory (`buffers`), and run (`replay`).
"""

from tinygrad_ugan.compile.compiled import Compiled, compile  # noqa: A004
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol
from tinygrad_ugan.compile.purity import UnknownFunctionError, form_of

__all__ = [
    "Compiled",
    "Instruction",
    "StraightLineProgram",
    "Symbol",
    "UnknownFunctionError",
    "compile",
    "form_of",
]
