"""The multiply-add limit: what the arithmetic units can do when nothing holds them up."""

from __future__ import annotations

import ctypes
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.kernels import fork_safety


class Vectors(NamedTuple):
    """How a processor multiplies and adds.

    Attributes
    ----------
    bytes : int
        Width of its widest vectors.
    chains : int
        Independent sums: more than latency times units, few enough to stay in registers.
    """

    bytes: int
    chains: int


class MultiplyAdds:
    """Do a number of fused multiply-adds in registers, on several threads.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    threads : int
        The work is divided equally among so many.

    Examples
    --------
    >>> limit = MultiplyAdds("float32", threads=2)
    >>> limit(10**6)
    """

    def __init__(self, dtype: str, threads: int) -> None:
        vectors = host_vectors()
        self._loop = _compiled(dtype, vectors)
        self._a_turn = vectors.chains * vectors.bytes // np.dtype(dtype).itemsize
        self._threads = threads

    def __call__(self, count: int) -> None:
        """Return when `count` of them are done, or as many more as make every turn full."""
        turns = -(-count // (self._a_turn * self._threads))
        list(_pool(self._threads).map(self._loop, [turns] * self._threads))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


fork_safety.call_in_child(_pool.cache_clear)


def host_vectors() -> Vectors:
    """Those of this machine: AVX-512, AVX2, or else NEON's."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Vectors(bytes=64, chains=24)
    if features.get("avx2") and features.get("fma"):
        return Vectors(bytes=32, chains=12)
    return Vectors(bytes=16, chains=24)


def loop_source(dtype: str, vectors: Vectors) -> str:
    """LLVM's text of ``double loop(int64 turns)``, one multiply-add for every chain in a turn.

    Each chain is a vector s with s = s + a b. The function returns an element of their total:
    without that they would be dead code.
    """
    from llvmlite import ir

    kind = {"float32": ir.FloatType(), "float64": ir.DoubleType()}[dtype]
    lanes = vectors.bytes // np.dtype(dtype).itemsize
    vector, count = ir.VectorType(kind, lanes), ir.IntType(64)
    module = ir.Module()
    name = f"llvm.fma.v{lanes}f{8 * np.dtype(dtype).itemsize}"
    fma = ir.Function(module, ir.FunctionType(vector, [vector] * 3), name)
    function = ir.Function(module, ir.FunctionType(ir.DoubleType(), [count]), "loop")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    ir.IRBuilder(entry).branch(body)

    builder = ir.IRBuilder(body)
    turn = builder.phi(count)
    sums = [builder.phi(vector) for _ in range(vectors.chains)]
    a, b = (ir.Constant(vector, [x] * lanes) for x in (0.5, 0.25))
    grown = [builder.call(fma, [a, b, s]) for s in sums]
    following = builder.add(turn, ir.Constant(count, 1))
    turn.add_incoming(ir.Constant(count, 0), entry)
    turn.add_incoming(following, body)
    for i, (s, g) in enumerate(zip(sums, grown, strict=True)):
        s.add_incoming(ir.Constant(vector, [float(i)] * lanes), entry)
        s.add_incoming(g, body)
    builder.cbranch(builder.icmp_signed("<", following, function.args[0]), body, end)

    builder = ir.IRBuilder(end)
    total = functools.reduce(builder.fadd, grown)
    first = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
    builder.ret(first if dtype == "float64" else builder.fpext(first, ir.DoubleType()))
    return str(module)


@functools.cache
def _compiled(dtype: str, vectors: Vectors) -> Any:
    """The loop as a function of C, which leaves Python's lock to others while it runs."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(loop_source(dtype, vectors)), machine)
    engine.finalize_object()
    loop = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(engine.get_function_address("loop"))
    loop.engine = engine  # type: ignore[attr-defined] # its code lives as long as the engine
    return loop
